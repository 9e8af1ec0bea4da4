"""Watches the topics that people watch, and keeps what a film of them needs."""

from __future__ import annotations

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image

from jepa_planner.action import ReachGoalImage
from jepa_planner.learning.evaluation.film import Moment
from jepa_planner.msg import Plan
from jepa_planner.nodes import qos
from jepa_planner.nodes.camera_stream import CameraStream
from jepa_planner.nodes.conversions import image_to_array, seconds
from jepa_planner.nodes.verdicts import verdict_in_words

MAX_MOMENTS = 3000


class FilmRecorder(Node):
    """Subscribes to `video/image_raw` and `plan`, and is told a goal's feedback; `moments` grows by one per picture."""

    def __init__(self, namespace: str = "") -> None:
        super().__init__("film_recorder", namespace=namespace, use_global_arguments=False)
        self.moments: list[Moment] = []
        self.recording = False
        self._start_s: float | None = None
        self._path_m = np.zeros((0, 3))
        self._feedback = ReachGoalImage.Feedback(energy=float("nan"), certainty=float("nan"))
        self._pictures = CameraStream(self, Image, "video/image_raw", self._on_picture)
        self.create_subscription(Plan, "plan", self._on_plan, qos.COMMAND)

    def _on_picture(self, message: Image) -> None:
        if not self.recording or len(self.moments) >= MAX_MOMENTS:
            return
        now_s = seconds(message.header.stamp)
        self._start_s = now_s if self._start_s is None else self._start_s
        told = self._feedback
        self.moments.append(
            Moment(
                now_s - self._start_s,
                image_to_array(message),
                self._path_m,
                told.sub_goal,
                told.energy,
                told.tolerance,
                verdict_in_words(told),
            )
        )

    def _on_plan(self, message: Plan) -> None:
        self._path_m = np.array([[p.position.x, p.position.y, p.position.z] for p in message.poses]).reshape(-1, 3)

    def hear(self, feedback: ReachGoalImage.Feedback) -> None:
        """Takes feedback of the goal, the last observation's included; from any thread."""
        if feedback.tolerance:  # zero before the first observation, when there are no numbers yet
            self._feedback = feedback
