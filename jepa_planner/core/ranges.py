"""Ranges of numbers, stated once: beside the field of the dataclass that must keep to them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_args, get_type_hints


@dataclass(frozen=True)
class Range:
    """An interval such as "[0, 1)": a bracket includes its end, a parenthesis does not.

    A field is given one by `Annotated[float, Range("[0, 1)")]`, and held to it by `check_ranges`.
    """

    interval: str

    def __contains__(self, value: float) -> bool:
        low, high = (float(end) for end in self._ends)
        above = value >= low if self.interval[0] == "[" else value > low
        return above and (value <= high if self.interval[-1] == "]" else value < high)

    def __str__(self) -> str:
        low, high = self._ends
        if high == "inf":
            return "finite" if low == "-inf" else f"{'at least' if self.interval[0] == '[' else 'more than'} {low}"
        return f"in {self.interval}"

    @property
    def _ends(self) -> list[str]:
        return self.interval[1:-1].split(", ")


Several = Annotated[int, Range("[2, inf)")]
Count = Annotated[int, Range("[1, inf)")]
CountOrZero = Annotated[int, Range("[0, inf)")]
Positive = Annotated[float, Range("(0, inf)")]
NotNegative = Annotated[float, Range("[0, inf)")]
Share = Annotated[float, Range("[0, 1)")]


def check_ranges(settings: Any) -> None:
    """For `__post_init__` of a dataclass; raises ValueError naming a field beyond its range, None being in any."""
    kind: type = type(settings)
    for name, within in _ranges(kind).items():
        value = getattr(settings, name)
        if value is not None and value not in within:
            raise ValueError(f"{name} is {value}; it must be {within}")


@cache
def _ranges(kind: type) -> dict[str, Range]:
    """By field; in a type such as `Positive | None` the range stands within."""
    ranges = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        for part in (*get_args(hint), *(part for choice in get_args(hint) for part in get_args(choice))):
            if isinstance(part, Range):
                ranges[name] = part
    return ranges
