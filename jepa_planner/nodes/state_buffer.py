"""What the planner knows of the world right now, shared between the thread that hears and the thread that plans."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from jepa_planner.control.arm_executive import Mode
from jepa_planner.control.watchdog import LEAD_TOLERANCE_S, Watchdog
from jepa_planner.core.observation import Observation
from jepa_planner.core.status import OK, Status, StatusCode

CLOCK_STANDS_S = 5.0
"""A simulator may be slow; after so long without news it is taken for dead."""
READER = "mpc_node"
IMAGE_SOURCE, ARM_SOURCE = "encoder_node", "arm_node"
"""The nodes whose word on themselves explains why nothing is seen or felt."""


@dataclass(frozen=True)
class ArmReport:
    """What arm_node said last; poses are of the tcp in the base frame (m, rad extrinsic xyz)."""

    stamp_s: float
    mode: Mode
    moving: bool
    reason: str
    rest_since_s: float
    plan_id: int
    refused_plan_id: int
    pose: np.ndarray
    commanded_pose: np.ndarray
    closure_commanded: float
    closure_measured: float
    fault: Status = OK
    """Why the arm takes no plans though it is there."""

    @property
    def commanded(self) -> np.ndarray:
        """Where the next action starts from, [7]: commanded pose and closure."""
        return np.array([*self.commanded_pose, self.closure_commanded])

    def state(self, channels: int) -> np.ndarray:
        """The arm's state as models know it, float32: [8], or [7] without the commanded closure."""
        grippers = (self.closure_commanded, self.closure_measured)[-(channels - 6) :]
        return np.array([*self.pose, *grippers], dtype=np.float32)


class StateBuffer:
    """The newest observation and arm report, how old they are, and what the nodes behind them say of themselves.

    Age counts by stamps and arrivals on the node's clock, and nothing is taken to be from after its arrival: not a
    picture, not a joint state; nor is an arm taken to rest before it was heard to. Long silence counts on the wall
    clock as well, because a simulated clock stands still when its simulator is gone.
    """

    def __init__(
        self,
        image_timeout_s: float,
        arm_timeout_s: float,
        now_s: Callable[[], float],
        lead_tolerance_s: float = LEAD_TOLERANCE_S,
    ) -> None:
        self.changed = threading.Condition()
        self.observation: Observation | None = None
        self.arm: ArmReport | None = None
        self.wanted_from_s = math.inf
        """Pictures from then on are waited for; infinite: none."""
        self.image_timeout_s = image_timeout_s
        self.arm_timeout_s = arm_timeout_s
        self._now_s = now_s
        self.lead_tolerance_s = lead_tolerance_s
        self._rest_told_s = self._rest_heard_s = 0.0
        self._image = Watchdog("image", image_timeout_s, lead_tolerance_s, READER)
        self._joint_state = Watchdog("joint state", arm_timeout_s, lead_tolerance_s, READER)
        self._said: dict[str, Status] = {}
        self._clocks: dict[str, Watchdog] = {}
        for watchdog, source in ((self._image, IMAGE_SOURCE), (self._joint_state, ARM_SOURCE)):
            text = f"nothing came from {source}: is it running in this namespace?"
            watchdog.explain(Status(StatusCode.NOTHING_CAME, text))
        self._heard = {self._image.what: time.monotonic(), self._joint_state.what: time.monotonic()}

    def see(self, observation: Observation) -> None:
        """Takes an observation; one that is not newer than the last is no news."""
        with self.changed:
            now_s = self._now_s()
            self.observation = replace(observation, stamp_s=min(observation.stamp_s, now_s))
            self._feed(self._image, observation.stamp_s, now_s)
            self.changed.notify_all()

    def feel(self, report: ArmReport) -> None:
        """Takes an arm report."""
        with self.changed:
            now_s = self._now_s()
            news = self.arm is None or report.rest_since_s != self._rest_told_s
            self._rest_told_s = report.rest_since_s
            self._rest_heard_s = now_s if news else min(self._rest_heard_s, now_s)  # less where the clock was set back
            rest_since_s = max(report.rest_since_s, self._rest_heard_s)
            self.arm = replace(report, stamp_s=min(report.stamp_s, now_s), rest_since_s=rest_since_s)
            if report.stamp_s > 0:  # zero: arm_node itself knows of none yet
                self._feed(self._joint_state, report.stamp_s, now_s)
            self.changed.notify_all()

    def hear(self, node: str, stamp_s: float, status: Status) -> None:
        """Takes what a node says of itself: whether anything keeps it from its work."""
        with self.changed:
            self._said[node] = status if status.ok else Status(status.code, f"{node}: {status.text}")
            clock = self._clocks.setdefault(
                node, Watchdog(f"what {node} says", self.arm_timeout_s, self.lead_tolerance_s, READER)
            )
            clock.feed(stamp_s, self._now_s())
            if (watchdog := {IMAGE_SOURCE: self._image, ARM_SOURCE: self._joint_state}.get(node)) is not None:
                why = self.said(node)
                if why.ok and watchdog.stamp_s is None:
                    text = f"no {watchdog.what} yet, though {node} says that it works: are its topics this node's?"
                    why = Status(StatusCode.NOTHING_CAME, text)
                watchdog.explain(why)

    def moment(self) -> tuple[Observation, ArmReport]:
        """What was seen and felt last; raises RuntimeError where either never was."""
        if self.observation is None or self.arm is None:
            raise RuntimeError(f"nothing came from {IMAGE_SOURCE if self.observation is None else ARM_SOURCE} yet")
        return self.observation, self.arm

    def rest(self) -> tuple[float, np.ndarray] | None:
        """Since when the arm rests (s), and where its tcp is [3] (m); None while it does not."""
        arm = self.arm
        rests = arm is not None and arm.mode is Mode.HOLDING and not arm.moving
        return (arm.rest_since_s, arm.pose[:3]) if arm is not None and rests else None

    def said(self, node: str) -> Status:
        """What keeps a node from its work, by its own word and with its name."""
        return self._said.get(node, OK)

    def wants(self, taken_s: float) -> bool:
        """Whether to encode a picture that arrives now; one from before what is waited for takes time from planning.

        One that comes late is encoded though it will not do, so that its age can be told.
        """
        return max(taken_s, self._now_s()) >= self.wanted_from_s

    def image_status(self) -> Status:
        """Whether the last image is fresh, or why it cannot be used."""
        return self._status(self._image, IMAGE_SOURCE)

    def arm_status(self) -> Status:
        """Whether the last joint state is fresh, or why it cannot be used."""
        if self.arm is not None and self.arm.mode is Mode.WAITING:
            return Status(StatusCode.WAITING, self.arm.reason)
        return self._status(self._joint_state, ARM_SOURCE)

    def delays_s(self) -> dict[str, float]:
        """How old, at least, what comes of late is on arrival, by what it is."""
        return {watchdog.what: watchdog.delay_s for watchdog in (self._image, self._joint_state)}

    def _feed(self, watchdog: Watchdog, stamp_s: float, now_s: float) -> None:
        if watchdog.feed(stamp_s, now_s):
            self._heard[watchdog.what] = time.monotonic()

    def _status(self, watchdog: Watchdog, source: str) -> Status:
        clock = self._clocks.get(source)
        for status in (OK if clock is None else clock.clock_status(), watchdog.status(self._now_s())):
            if not status.ok:
                return status
        silent_s, limit_s = time.monotonic() - self._heard[watchdog.what], watchdog.timeout_s + CLOCK_STANDS_S
        if silent_s > limit_s:
            text = f"{watchdog.what} is stale: the clock stands, and nothing new came for {silent_s:.1f} s"
            return Status(StatusCode.STALE, text)
        return OK
