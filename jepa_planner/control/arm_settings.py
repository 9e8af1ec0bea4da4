"""Times and distances by which the arm's executive judges."""

from __future__ import annotations

from dataclasses import dataclass

from jepa_planner.control.watchdog import LEAD_TOLERANCE_S


@dataclass(frozen=True)
class ArmSettings:
    """Times and distances by which the executive judges."""

    joint_state_timeout_s: float = 0.25
    """A joint state older than this brakes the arm; more than 0."""
    observation_timeout_s: float = 5.0
    """A plan from an observation older than this is refused; more than 0."""
    motion_share: float = 0.88
    """Share of a step's duration that its motion takes at least, in (0, 1]."""
    max_tracking_error_m: float = 0.05
    """The arm brakes when the tcp is further than this from its setpoint; more than 0."""
    resync_distance_m: float = 0.01
    """A resting arm whose tcp is further than this from its setpoint was moved by others; more than 0."""
    lead_tolerance_s: float = LEAD_TOLERANCE_S
    """How far a stamp may be ahead of its arrival, at least 0."""
    ahead_s: float = 0.0
    """So far ahead each setpoint tells how the arm goes on; at least 0."""
    takes_whole_motions: bool = False
    """Whether each motion is handed over at its beginning: the arm then follows it though nothing more comes."""
