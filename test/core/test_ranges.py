import math
from dataclasses import dataclass

import pytest

from jepa_planner.core.ranges import Count, Positive, Range, Share, check_ranges


@dataclass(frozen=True)
class Settings:
    steps: Count = 1
    share: Share = 0.0
    deadline_s: Positive | None = None
    name: str = "any"

    def __post_init__(self) -> None:
        check_ranges(self)


@pytest.mark.parametrize(
    ("interval", "within", "beyond"),
    [
        ("[0, 1]", (0.0, 1.0), (-0.1, 1.1)),
        ("(0, 1)", (0.5,), (0.0, 1.0)),
        ("[2, inf)", (2, 10**9), (1, math.inf)),
        ("(-inf, inf)", (0.0,), (math.inf, -math.inf, math.nan)),
        ("(0, inf]", (math.inf,), (0.0, math.nan)),
    ],
)
def test_a_bracket_includes_its_end_and_a_parenthesis_does_not(interval, within, beyond):
    assert all(value in Range(interval) for value in within)
    assert not any(value in Range(interval) for value in beyond)


def test_what_lies_within_is_taken_and_none_always():
    assert Settings(steps=3, share=0.99, deadline_s=None).deadline_s is None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"steps": 0}, "^steps is 0; it must be at least 1$"),
        ({"share": 1.0}, r"^share is 1.0; it must be in \[0, 1\)$"),
        ({"share": math.nan}, "^share is nan"),
        ({"deadline_s": 0.0}, "^deadline_s is 0.0; it must be more than 0$"),
    ],
)
def test_what_lies_beyond_is_refused_by_name(given, says):
    with pytest.raises(ValueError, match=says):
        Settings(**given)
