"""A gripper's two ends, and what it is told between them."""

from __future__ import annotations

from dataclasses import dataclass

from jepa_planner.core.status import OK, Status

SAME_CLOSURE = 1e-6
"""Plans and arm states carry closure as float32; what rounding makes of it is no command."""


@dataclass(frozen=True)
class Ends:
    """Positions (m or rad) of an open and of a closed gripper."""

    open: float
    closed: float

    def __post_init__(self) -> None:
        if self.open == self.closed:
            raise ValueError(f"a gripper is open and closed at {self.open:g} alike; expected two positions")

    def position(self, closure: float) -> float:
        """Where a gripper of this closure, 0 open to 1 closed, is."""
        return self.open + closure * (self.closed - self.open)

    def closure(self, position: float) -> float:
        """How far a gripper that is there has closed; not bounded."""
        return (position - self.open) / (self.closed - self.open)


def is_news(closure: float, told: float | None) -> bool:
    """Whether a closure is another than the one that was told last."""
    return told is None or abs(closure - told) > SAME_CLOSURE


class FixedGripper:
    """A gripper that is not commanded."""

    name = name_from = type_name = goes_to = ""
    is_action, ended = False, True
    told: float | None = None

    def is_listened_to(self) -> bool:
        """There is nothing to be heard."""
        return True

    def failure(self, _: float) -> Status:
        """Nothing can fail."""
        return OK

    def move(self, closure: float, target: float, now_s: float) -> None:
        """Sends nothing."""

    def destroy(self) -> None:
        """Nothing was made."""
