"""Encoder and predictor of the same process, behind the calls that remote ones answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sensor_msgs.msg import Image
from torch import Tensor

from jepa_planner.core.context import Context
from jepa_planner.core.observation import Observation
from jepa_planner.core.picture_file import PictureError
from jepa_planner.model.contract import ContractError
from jepa_planner.nodes.conversions import ConversionError
from jepa_planner.nodes.encoder_node import EncoderNode
from jepa_planner.nodes.goal_executor import Ended, Outcome
from jepa_planner.nodes.latents import check_model
from jepa_planner.nodes.predictor_node import PredictorNode


class LocalCost:
    """`RolloutCost` by the predictor node's own model; looks before each batch whether the search still matters."""

    def __init__(self, predictor: PredictorNode, model_id: str, check: Callable[[], None]) -> None:
        self._predictor, self._model_id = predictor, model_id
        self._check = check

    def energies(self, context: Context, goal: Tensor, actions: Tensor) -> Tensor:
        """actions [K, H, A], goal [N, D] -> energies [K]; raises Ended naming the predictor."""
        self._check()
        if not self._predictor.active:
            raise Ended(Outcome.PREDICTOR_FAILED, "predictor_node is not active")
        try:
            check_model(self._model_id, self._predictor.model_id)
            return self._predictor.cost.energies(context, goal, actions)
        except (ConversionError, ContractError) as error:
            raise Ended(Outcome.PREDICTOR_FAILED, f"predictor_node: {error}") from error

    def destroy(self) -> None:
        """Nothing to release."""


class LocalEncoder:
    """Goal pictures by the encoder node's own model; looks before each whether the goal still matters."""

    def __init__(self, encoder: EncoderNode, model_id: str, check: Callable[[], None]) -> None:
        self._encoder, self._model_id = encoder, model_id
        self._check = check

    def encode(self, images: Sequence[Image]) -> Observation:
        """What one image per view shows; raises Ended naming what is wrong."""
        self._check()
        if not self._encoder.active:
            raise Ended(Outcome.ENCODER_FAILED, "encoder_node is not active")
        try:
            check_model(self._encoder.model_id, self._model_id)
        except ConversionError as error:
            raise Ended(Outcome.ENCODER_FAILED, f"encoder_node: {error}") from error
        try:
            return self._encoder.encode_goal(images)
        except (ConversionError, ContractError, PictureError) as error:
            raise Ended(Outcome.INVALID_GOAL, f"encoder_node: {error}") from error

    def destroy(self) -> None:
        """Nothing to release."""
