"""A node that hears a running planner and keeps the newest of all: what a page, or whatever else, shows of it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import Subscription
from visualization_msgs.msg import Marker, MarkerArray

from jepa_planner.core.camera_calibration import CameraCalibration
from jepa_planner.core.status import Status
from jepa_planner.msg import GoalEvent, GoalImage, GoalImages, PlanStats
from jepa_planner.nodes import qos
from jepa_planner.nodes.client import PlannerClient, remap_arguments
from jepa_planner.nodes.conversions import numbers
from jepa_planner.nodes.goal_executor import Outcome
from jepa_planner.nodes.markers import CANDIDATES
from jepa_planner.nodes.mpc_node import UNFAMILIARITY
from jepa_planner.nodes.planner_node import diagnostic_statuses, statuses
from jepa_planner.nodes.running import NodeThread
from jepa_planner.nodes.watch.camera_places import Placed, chained, pixels_of
from jepa_planner.nodes.watch.described import Asker, Described
from jepa_planner.nodes.watch.goal_log import EndedGoal, EnergyPoint, GoalLog
from jepa_planner.nodes.watch.plan_listener import PlanListener
from jepa_planner.nodes.watch.views import View

IMAGINED_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class PlannedPath:
    """Where the tcp is planned to go: points [N, 3] (m) in a frame, the first where it is; number: grows.

    candidates_m [L, 2, 3], weights [L]: lines of what it was chosen from, better ones weighing more, to 1; none where
    they are not told.
    """

    number: int
    frame: str
    points_m: np.ndarray
    candidates_m: np.ndarray = field(default_factory=lambda: np.zeros((0, 2, 3)))
    weights: np.ndarray = field(default_factory=lambda: np.zeros(0))


class PlannerWatch:
    """Hears a planner; cameras and paths only while it is `watched`. Nothing is published. Close it.

    model: the planner's bundle on this computer, where it is not in the folder that the planner names.
    """

    def __init__(self, namespace: str = "", model: str | Path = "", remaps: Sequence[tuple[str, str]] = ()) -> None:
        self.node = Node(
            f"planner_watch_{os.getpid()}", namespace=namespace, cli_args=remap_arguments(remaps),
            use_global_arguments=False,
        )  # fmt: skip
        self.goals = GoalLog()
        self.described: Described | None = None
        self.views: dict[str, View] = {}
        """By name, in the model's order; empty while nobody watches."""
        self.goal_images: tuple[GoalImage, ...] = ()
        """Those of the goal that is pursued, or of the last one, as the planner takes them."""
        self.path: PlannedPath | None = None
        self.said: dict[str, Status] = {}
        """What nodes of the planner say of themselves."""
        self.unfamiliarity: float | None = None
        """How unlike the training data the last observation was, 1 at the limit; None where that is not told."""
        self.offered: GoalImages | None = None
        """Goal pictures that a simulator shows."""
        self.plans: PlanListener | None = None
        """What plans lead to, as it is imagined; None while nobody watches."""
        self._closed: list[PlanListener] = []
        self._watched, self._paths = False, 0
        self._markers: Subscription | None = None
        self._frames: dict[str, Placed] = {}
        self.node.create_subscription(PlanStats, "mpc_node/stats", self._on_stats, qos.STATE)
        self.node.create_subscription(GoalEvent, "mpc_node/goal_events", self._on_goal, qos.EVENTS)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.DIAGNOSTICS)
        self.node.create_subscription(GoalImages, "goal_images", self._on_offered, qos.LATCHED)
        self._hear_frames()
        self._asker = Asker(self.node, model, self._on_described)
        self._thread = NodeThread(self.node, lambda: None)

    def close(self) -> None:
        """Hears no more; the planner does not notice.

        Waits for what is being imagined: an interpreter that ends beneath it aborts the process.
        """
        self.watch(False)
        self._thread.stop()
        for plans in self._closed:
            plans.ended.wait(IMAGINED_TIMEOUT_S)

    @property
    def trouble(self) -> str:
        """Why the planner's views are not known; empty where they are."""
        return self._asker.trouble

    def watch(self, watched: bool) -> None:
        """Begins or ends to hear cameras and paths."""
        self._thread.call(partial(self._watch, watched))

    def calibrations(self) -> dict[str, CameraCalibration]:
        """Of those views of which somebody tells it, in the frame of the model's poses."""
        found = {}
        if (told := self.described) is not None:
            for name, view in self.views.items():
                with suppress(ValueError):
                    camera = view.calibration(partial(chained, self._frames), told.contract.state.frame)
                    if camera.frame == told.contract.state.frame:
                        found[name] = camera
        return found

    def path_pixels(self, view: View, path: PlannedPath, size_px: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Pixels [N, 2] of a path, and [L, 2, 2] of its candidates, in the view's own picture of that width and height;
        NaN outside of what it sees.

        Raises ValueError saying why it cannot be drawn.
        """
        camera = view.calibration(partial(chained, self._frames), path.frame)
        if camera.frame != path.frame:
            raise ValueError(f"the camera of {view.name} is placed in {camera.frame}, and the plan in {path.frame}")
        candidates = pixels_of(camera, size_px, path.candidates_m).reshape(*path.candidates_m.shape[:2], 2)
        return pixels_of(camera, size_px, path.points_m), candidates

    def _watch(self, watched: bool) -> None:
        if watched == self._watched:
            return
        self._watched = watched
        if watched:
            self._markers = self.node.create_subscription(MarkerArray, "mpc_node/markers", self._on_markers, qos.STATE)
        elif self._markers is not None:
            self.node.destroy_subscription(self._markers)
            self._markers = self.path = None
        self._open_views()

    def _open_views(self) -> None:
        for view in self.views.values():
            view.close()
        if self.plans is not None:
            self.plans.close()
            self._closed = [*(plans for plans in self._closed if not plans.ended.is_set()), self.plans]
        self.views, self.plans = {}, None
        if self._watched and (told := self.described) is not None:
            self.views = {
                name: View(self.node, name, topic, told.transport, told.cameras.get(name))
                for name, topic in told.topics.items()
            }
            self.plans = PlanListener(self.node, told)

    def _on_described(self, described: Described) -> None:
        self.described = described
        self._open_views()

    def _on_stats(self, told: PlanStats) -> None:
        self.goals.plan(EnergyPoint.of(told))

    def _on_goal(self, event: GoalEvent) -> None:
        if event.kind == GoalEvent.BEGAN:
            self.goal_images = tuple(event.goals)
            self.goals.begin(event.goal_id)
            if self.plans is not None:
                self.plans.begin()
            return
        self.path = None
        known = event.code in set(Outcome)
        self.goals.end(
            EndedGoal(
                event.goal_id,
                time.time(),
                event.code,
                Outcome(event.code).name if known else f"code {event.code}",
                event.message,
                event.steps,
                event.final_energy,
            )
        )

    def _on_markers(self, message: MarkerArray) -> None:
        candidates: tuple[np.ndarray, ...] = ()
        for marker in message.markers:
            if marker.ns == CANDIDATES and marker.points:
                lines_m = np.stack([numbers(point) for point in marker.points]).reshape(-1, 2, 3)
                candidates = lines_m, np.array([colour.a for colour in marker.colors[::2]])
        for marker in message.markers:
            if marker.type == Marker.LINE_STRIP and marker.points:
                self._paths += 1
                points_m = np.stack([numbers(point) for point in marker.points])
                self.path = PlannedPath(self._paths, marker.header.frame_id, points_m, *candidates)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        place = self.node.get_namespace()
        self.said |= statuses(message, place)
        if (told := diagnostic_statuses(message, place).get("mpc_node")) is not None:
            values = {value.key: value.value for value in told.values}
            self.unfamiliarity = float(values[UNFAMILIARITY]) if UNFAMILIARITY in values else None

    def _on_offered(self, message: GoalImages) -> None:
        self.offered = message

    def _hear_frames(self) -> None:
        """Transforms that stand for good, where tf2_msgs is installed."""
        try:
            from tf2_msgs.msg import TFMessage
        except ImportError:
            return
        self.node.create_subscription(TFMessage, "/tf_static", self._on_frames, qos.LATCHED_BY_MANY)

    def _on_frames(self, message: Any) -> None:
        for one in message.transforms:
            t, q = one.transform.translation, one.transform.rotation
            self._frames[one.child_frame_id] = Placed(one.header.frame_id, (t.x, t.y, t.z), (q.x, q.y, q.z, q.w))


@contextmanager
def watched_planner(
    namespace: str = "", model: str | Path = "", remaps: Sequence[tuple[str, str]] = ()
) -> Iterator[tuple[PlannerWatch, PlannerClient]]:
    """One that watches and one that asks, with ROS begun and ended around them; signals are left to the caller."""
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        watch, client = PlannerWatch(namespace, model, remaps), PlannerClient(namespace, remaps)
        try:
            yield watch, client
        finally:
            client.close()
            watch.close()
    finally:
        rclpy.shutdown()
