"""What the planner knows of the world right now, shared between the thread that hears and the thread that plans."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from jepa_planner.control.arm_executive import Mode
from jepa_planner.control.watchdog import Watchdog

CLOCK_STANDS_S = 5.0
"""A simulator may be slow; after so long without news it is taken for dead."""


@dataclass(frozen=True)
class Observation:
    """Latents [N, D] of all views and the stamp (s) of the oldest image behind them."""

    latent: Tensor
    stamp_s: float


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
    closedness_commanded: float
    closedness_measured: float

    @property
    def commanded(self) -> np.ndarray:
        """Where the next action starts from, [7]: commanded pose and closedness."""
        return np.array([*self.commanded_pose, self.closedness_commanded])

    def state(self, channels: int) -> np.ndarray:
        """The arm's state as models know it, float32: [8], or [7] without the commanded closedness."""
        grippers = (self.closedness_commanded, self.closedness_measured)[-(channels - 6) :]
        return np.array([*self.pose, *grippers], dtype=np.float32)


class Senses:
    """The newest observation and arm report, and how old they are.

    Age counts by stamps on the node's clock. Long silence counts on the wall clock as well, because a simulated clock
    stands still when its simulator is gone.
    """

    def __init__(self, image_timeout_s: float, arm_timeout_s: float, now_s: Callable[[], float]) -> None:
        self.changed = threading.Condition()
        self.observation: Observation | None = None
        self.arm: ArmReport | None = None
        self.image_wanted = False
        """Whether somebody waits for a picture; in between, encoding would only take time from planning."""
        self._now_s = now_s
        self.image_timeout_s = image_timeout_s
        self.arm_timeout_s = arm_timeout_s
        self._image = Watchdog("image", image_timeout_s)
        self._joint_state = Watchdog("joint state", arm_timeout_s)
        self._heard = {self._image.what: time.monotonic(), self._joint_state.what: time.monotonic()}

    def see(self, observation: Observation) -> None:
        """Takes an observation; one that is not newer than the last is no news."""
        with self.changed:
            self.observation = observation
            self._feed(self._image, observation.stamp_s)

    def feel(self, report: ArmReport) -> None:
        """Takes an arm report."""
        with self.changed:
            self.arm = report
            self._feed(self._joint_state, report.stamp_s)

    def image_complaint(self) -> str:
        """Why the last image cannot be used, in words; empty when it is fresh."""
        return self._complaint(self._image)

    def arm_complaint(self) -> str:
        """Why the last joint state cannot be used; empty when it is fresh."""
        if self.arm is not None and self.arm.mode is Mode.WAITING:
            return self.arm.reason
        return self._complaint(self._joint_state)

    def _feed(self, watchdog: Watchdog, stamp_s: float) -> None:
        if watchdog.stamp_s is not None and stamp_s < watchdog.stamp_s - watchdog.timeout_s:
            watchdog.forget()  # the clock jumped back, or a simulation began again
        if watchdog.feed(stamp_s):
            self._heard[watchdog.what] = time.monotonic()
        self.changed.notify_all()

    def _complaint(self, watchdog: Watchdog) -> str:
        if complaint := watchdog.complaint(self._now_s()):
            return complaint
        silent_s, limit_s = time.monotonic() - self._heard[watchdog.what], watchdog.timeout_s + CLOCK_STANDS_S
        if silent_s > limit_s:
            return f"{watchdog.what} is stale: the clock stands, and nothing new came for {silent_s:.1f} s"
        return ""
