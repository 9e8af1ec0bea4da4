"""Whether a camera's pictures stand a step of the model apart, or now more and now less."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from jepa_planner.learning.data.inspection.judgement import Judgement, Level

UNEVEN = 0.25
"""Share of a step by which pictures may stand closer or farther than that."""
NEARLY = 0.04
"""Share of a camera's period within which a step is a multiple of it."""


def period_s(times_ns: Sequence[np.ndarray]) -> float:
    """From one picture of a view to the next, gaps left out; nan where no two followed one another."""
    apart = np.concatenate([np.zeros(0), *(np.diff(each) for each in times_ns)])
    return float(apart[apart < 1.5 * np.median(apart)].mean()) * 1e-9 if len(apart) else float("nan")


def judge_evenness(views: Mapping[str, Sequence[np.ndarray]], time_step_s: float) -> Iterable[Judgement]:
    """Of each view, by the times (ns) of its pictures in each bag."""
    for view, times_ns in views.items():
        apart_s = period_s(times_ns)
        if not apart_s > 0.0:
            continue
        per_step = time_step_s / apart_s
        is_multiple = per_step > 0.5 and abs(per_step - round(per_step)) < NEARLY
        shortest_s, longest_s = (each * apart_s for each in (np.floor(per_step), np.ceil(per_step)))
        most_s = 0.0 if is_multiple else max(time_step_s - shortest_s, longest_s - time_step_s)
        topic, numbers = f"steps seen by {view}", {"period_s": apart_s, "uneven_s": float(most_s)}
        says = f"{1.0 / apart_s:.1f} pictures a second"
        if most_s <= UNEVEN * time_step_s:
            yield Judgement(topic, Level.GOOD, f"{says}, steps of {time_step_s:g} s", numbers=numbers)
            continue
        hz = 1.0 / time_step_s
        yield Judgement(
            topic, Level.WARNING,
            f"{says}: steps of {time_step_s:g} s show what is {shortest_s:.3f} to {longest_s:.3f} s apart",
            f"set the camera to a multiple of {hz:g} Hz, or to {hz / UNEVEN:g} Hz or more, or take another time_step_s",
            numbers,
        )  # fmt: skip
