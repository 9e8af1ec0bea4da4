"""What all ways of commanding a gripper share, and the one that commands none."""

from __future__ import annotations

from jepa_planner.core.status import OK, Status

SAME_CLOSURE = 1e-6
"""Plans and arm states carry closure as float32; what rounding makes of it is no command."""


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
