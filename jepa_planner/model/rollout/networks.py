"""Of each kind of predictor, what rollouts run in its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from jepa_planner.model.predictor_kind import Predictor
from jepa_planner.model.rollout.compiled_delta_block import delta_linears, delta_parts
from jepa_planner.model.rollout.delta_block import Delta
from jepa_planner.model.rollout.mlp_network import MlpNetwork
from jepa_planner.model.rollout.network import StepNetwork
from jepa_planner.model.rollout.transformer_network import TransformerNetwork

NETWORKS: dict[str, type[StepNetwork]] = {"transformer": TransformerNetwork, "mlp": MlpNetwork}
EIGHT_BITS: dict[str, Callable[[Any], Delta]] = {"transformer": delta_parts, "mlp": delta_linears}


def network_of(predictor: Predictor, dtype: torch.dtype) -> StepNetwork:
    """The predictor's steps with matrix products in dtype."""
    return NETWORKS[predictor.config.kind](predictor, dtype)


def eight_bits_of(network: StepNetwork) -> Delta:
    """What stands for the parts of a float32 network around references; raises as `DeltaBlock`."""
    return EIGHT_BITS[network.config.kind](network)
