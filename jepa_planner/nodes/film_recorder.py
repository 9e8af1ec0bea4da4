"""Watches the topics that people watch, and keeps what a film of them needs."""

from __future__ import annotations

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image

from jepa_planner.evaluation.film import Moment
from jepa_planner.msg import Plan, PlanStats
from jepa_planner.nodes import qos
from jepa_planner.nodes.conversions import image_to_array, seconds

MAX_MOMENTS = 3000


class FilmRecorder(Node):
    """Subscribes to `video/image_raw`, `plan` and `mpc_node/stats`; `moments` grows by one per picture."""

    def __init__(self, namespace: str = "") -> None:
        super().__init__("film_recorder", namespace=namespace, use_global_arguments=False)
        self.moments: list[Moment] = []
        self.recording = False
        self._start_s: float | None = None
        self._path_m = np.zeros((0, 3))
        self._stats = PlanStats(energy=float("nan"))
        self.create_subscription(Image, "video/image_raw", self._on_picture, qos.SENSOR)
        self.create_subscription(Plan, "plan", self._on_plan, qos.COMMAND)
        self.create_subscription(PlanStats, "mpc_node/stats", self._on_stats, qos.STATE)

    def _on_picture(self, message: Image) -> None:
        if not self.recording or len(self.moments) >= MAX_MOMENTS:
            return
        now_s = seconds(message.header.stamp)
        self._start_s = now_s if self._start_s is None else self._start_s
        stats = self._stats
        self.moments.append(
            Moment(
                now_s - self._start_s,
                image_to_array(message),
                self._path_m,
                stats.sub_goal,
                stats.energy,
                stats.tolerance,
            )
        )

    def _on_plan(self, message: Plan) -> None:
        self._path_m = np.array([[p.x, p.y, p.z] for p in message.positions]).reshape(-1, 3)

    def _on_stats(self, message: PlanStats) -> None:
        self._stats = message
