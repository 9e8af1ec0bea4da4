"""Whether something may go on, and why not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class StatusCode(Enum):
    """What is the matter; the text of a `Status` says it with its numbers."""

    OK = auto()
    # of an input
    CLOCK_NOT_BEGUN = auto()
    NOTHING_CAME = auto()
    UNSTAMPED = auto()
    CLOCK_AHEAD = auto()
    CLOCK_SET_BACK = auto()
    STALE = auto()
    LATE_ON_ARRIVAL = auto()
    UNUSABLE = auto()
    # of a plan
    REPLAYED = auto()
    NOT_AT_REST = auto()
    NOT_FINITE = auto()
    MALFORMED = auto()
    OVERDUE = auto()
    OLD_OBSERVATION = auto()
    TOO_FAR = auto()
    JOINT_LIMIT = auto()
    OUTSIDE_WORKSPACE = auto()
    UNREACHABLE = auto()
    REFUSED = auto()
    # of what commands come to
    ARM_NOT_FOLLOWING = auto()
    GRIPPER_NOT_FOLLOWING = auto()
    NOBODY_LISTENS = auto()
    ARM_CONTESTED = auto()
    # of a node
    NOT_ACTIVE = auto()
    STOPPED = auto()
    WAITING = auto()
    FAILED = auto()


@dataclass(frozen=True)
class Status:
    """A code, and in words what the matter is; with OK the text is empty or a remark."""

    code: StatusCode
    text: str = ""

    @property
    def ok(self) -> bool:
        """Whether it may go on."""
        return self.code is StatusCode.OK

    def __bool__(self) -> bool:
        """A status is neither true nor false: both readings have been taken for the other."""
        raise TypeError("a status has no truth value; ask its `ok`")


OK = Status(StatusCode.OK)
