"""What a running planner says of itself when asked: its model, its views and their topics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rcl_interfaces.srv import GetParameters
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python

from jepa_planner.core.camera_calibration import CameraCalibration, load_cameras
from jepa_planner.model.bundle import model_folder
from jepa_planner.model.contract import Contract
from jepa_planner.nodes.models import contract_of

ASKED = ("model", "views", "image_topics", "image_transport")
PERIOD_S = 1.0
NOBODY = "no encoder_node answers: start the planner with `jepa-planner run`, or give its --namespace"


@dataclass(frozen=True)
class Described:
    """The model's folder and contract, its image topics by view, how pictures are sent, what cameras.yaml says."""

    folder: Path
    contract: Contract
    topics: Mapping[str, str]
    transport: str
    cameras: Mapping[str, CameraCalibration]

    @classmethod
    def of(cls, told: Mapping[str, Any], model: str | Path = "") -> Described:
        """From parameters of encoder_node; model: a folder that counts instead of the one that is told.

        Raises ValueError or OSError for a model that is not on this computer.
        """
        folder = model or told["model"] or ""
        contract = contract_of(folder, told["views"] or ())
        views = contract.image.views
        topics = [topic for topic in told["image_topics"] or () if topic] or [f"{view}/image_raw" for view in views]
        by_view = dict(zip(views, topics, strict=True))
        return cls(model_folder(folder), contract, by_view, told["image_transport"], load_cameras(model_folder(folder)))


class Asker:
    """Asks encoder_node again and again, for it may be started anew with another model.

    changed: called in the node's thread with what is told, when that is not what was told before.
    """

    def __init__(self, node: Node, model: str | Path, changed: Callable[[Described], None]) -> None:
        self.trouble = NOBODY
        """Why nothing is known; empty where all is."""
        self._model, self._changed = model, changed
        self._told: dict[str, Any] | None = None
        self._client = node.create_client(GetParameters, "encoder_node/get_parameters")
        self._waiting = 0
        node.create_timer(PERIOD_S, self._ask, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _ask(self) -> None:
        self._waiting -= 1
        if self._waiting > 0:
            return
        if not self._client.service_is_ready():
            self.trouble = NOBODY
            self._waiting, self._told = 1, None
            return
        self._waiting = 5  # periods, for an answer and until asked again
        self._client.call_async(GetParameters.Request(names=list(ASKED))).add_done_callback(self._on_answer)

    def _on_answer(self, future: Any) -> None:
        values = [parameter_value_to_python(value) for value in future.result().values]
        told = dict(zip(ASKED, values, strict=False))
        if len(told) < len(ASKED) or told == self._told:
            return
        try:
            described = Described.of(told, self._model)
        except (ValueError, OSError) as error:
            self.trouble = f"{error}: give the folder of the planner's model on this computer by --model"
            return
        self._told, self.trouble = told, ""
        self._changed(described)
