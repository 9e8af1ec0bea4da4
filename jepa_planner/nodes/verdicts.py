"""Verdicts as numbers of a message, and in words."""

from __future__ import annotations

import math
from typing import Protocol

from jepa_planner.planning.verdict import Verdict


class Judged(Protocol):
    """Feedback, a result or statistics: the chance that objects lie as shown, and how far off they are thought to be.

    Both NaN where nothing was judged; the distance is infinite where objects are elsewhere, or not the same ones.
    """

    certainty: float
    object_offset_m: float


def verdict_numbers(verdict: Verdict | None) -> dict[str, float]:
    """A verdict as the fields of `Judged`."""
    if verdict is None:
        return {"certainty": math.nan, "object_offset_m": math.nan}
    return {"certainty": verdict.certainty, "object_offset_m": verdict.off_m}


def verdict_in_words(message: Judged, missing: str = "") -> str:
    """As `Verdict` says it, and what is missing where that is something else; empty where nothing was judged."""
    if math.isnan(message.certainty):
        return ""
    said = str(Verdict(message.certainty, message.object_offset_m, missing=""))
    return said if said.startswith(missing) else f"{said}; {missing}"
