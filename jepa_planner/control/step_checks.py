"""Whether a plan's first step may be followed: whole, of now, near, and to where the arm may be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jepa_planner.control.arm_settings import ArmSettings
from jepa_planner.control.kinematics import ArmKinematics, rotation_vector
from jepa_planner.control.limits import SafetyLimits
from jepa_planner.control.setpoints import Target
from jepa_planner.control.watchdog import clock_status
from jepa_planner.core.status import OK, Status, StatusCode

MAX_STEP_DURATION_S = 10.0
CLOSURE_TOLERANCE = 1e-6
JOINT_TOLERANCE_RAD = 0.1
"""How far beyond its limit a joint may be found; further, joint states are of another robot or in degrees."""


@dataclass(frozen=True)
class Step:
    """The first step of a plan: a tcp target in the base frame (m, rotation [3, 3]) and what it was planned from."""

    plan_id: int
    planned_at_s: float
    observed_at_s: float
    valid_for_s: float
    duration_s: float
    xyz_m: np.ndarray
    rotation: np.ndarray
    closure: float


@dataclass(frozen=True)
class Measurement:
    """The newest joint state and the tcp pose that follows from it."""

    stamp_s: float
    q_rad: np.ndarray
    xyz_m: np.ndarray
    rotation: np.ndarray
    closure: float


class StepChecks:
    """Judges steps for one arm; each check answers OK, or with why not."""

    def __init__(self, kinematics: ArmKinematics, limits: SafetyLimits, settings: ArmSettings) -> None:
        self._kinematics, self._limits, self._settings = kinematics, limits, settings

    def numbers(self, step: Step) -> Status:
        """Whether all numbers of a step are finite and can be meant."""
        numbers = (*step.xyz_m, *step.rotation.ravel(), step.closure, step.duration_s, step.valid_for_s)
        if not np.all(np.isfinite(numbers)):
            return Status(StatusCode.NOT_FINITE, "not every number in it is finite")
        if not 0.0 < step.duration_s <= MAX_STEP_DURATION_S:
            text = f"a step of {step.duration_s} s; expected more than 0 and at most {MAX_STEP_DURATION_S} s"
            return Status(StatusCode.MALFORMED, text)
        if not -CLOSURE_TOLERANCE <= step.closure <= 1.0 + CLOSURE_TOLERANCE:
            text = f"closure is {step.closure:g}, expected 0 (open) to 1 (closed)"
            return Status(StatusCode.MALFORMED, text)
        return OK

    def age(self, now_s: float, step: Step, rest_since_s: float) -> Status:
        """Whether a step, and the observation it was planned from, are of now."""
        age_s = now_s - step.planned_at_s
        if age_s > step.valid_for_s:
            late = f"late: planned {age_s:.2f} s ago, valid for {step.valid_for_s:.2f} s"
            text = f"{late}, unless the clock of the planner's computer is behind this node's"
            return Status(StatusCode.OVERDUE, text)
        lead_s = max(step.planned_at_s, step.observed_at_s) - now_s
        if not (clock := clock_status("it is stamped", lead_s, self._settings.lead_tolerance_s, "arm_node")).ok:
            return clock
        if step.observed_at_s < rest_since_s:
            early_s = rest_since_s - step.observed_at_s
            text = f"stale observation: from {early_s:.2f} s before the last motion ended"
            return Status(StatusCode.OLD_OBSERVATION, text)
        age_s = now_s - step.observed_at_s
        if age_s > self._settings.observation_timeout_s:
            text = f"stale observation: {age_s:.2f} s old, limit {self._settings.observation_timeout_s:.2f} s"
            return Status(StatusCode.OLD_OBSERVATION, text)
        return OK

    def target(self, step: Step, target: Target, measured: Measurement, begins_m: np.ndarray) -> Status:
        """Whether a target is followed; neither what was asked nor what the limits leave of it may be far off.

        target: what they leave. begins_m: the commanded tcp [3], from which the step starts.
        """
        for xyz_m, rotation in ((step.xyz_m, step.rotation), (target.xyz_m, target.rotation)):
            distance_m = float(np.linalg.norm(xyz_m - measured.xyz_m))
            if distance_m > self._limits.max_step_m:
                limit = f"limit {self._limits.max_step_m:.3f} m"
                return Status(StatusCode.TOO_FAR, f"first target is {distance_m:.3f} m from the measured tcp, {limit}")
            angle_rad = float(np.linalg.norm(rotation_vector(rotation @ measured.rotation.T)))
            limit_rad = self._limits.angular_velocity_rad_s * step.duration_s
            if angle_rad > limit_rad:
                limit = f"limit {limit_rad:.2f} rad"
                return Status(
                    StatusCode.TOO_FAR, f"first target is turned {angle_rad:.2f} rad from the measured tcp, {limit}"
                )
        worst = self._kinematics.nearest_limit(measured.q_rad)
        if worst.beyond_rad > worst.margin_rad + JOINT_TOLERANCE_RAD:
            text = f"{worst}: jog it inward, or mend joint_states, which must be in rad and of the described robot"
            return Status(StatusCode.JOINT_LIMIT, text)
        outside_m, words = self._limits.outside_workspace(begins_m)
        left_m, _ = self._limits.outside_workspace(target.xyz_m)
        if left_m > self._settings.resync_distance_m and left_m >= outside_m:
            return Status(
                StatusCode.OUTSIDE_WORKSPACE,
                f"the tcp is {words}, and this step does not bring it nearer: bring it in by hand, "
                "or widen workspace_min_m and workspace_max_m in the limits file",
            )
        return OK
