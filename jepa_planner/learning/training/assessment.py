"""Whether a freshly trained bundle will work, in words: each part's numbers beside those of the shipped model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Report = Mapping[str, Any]


@dataclass(frozen=True)
class Measure:
    """A number by which a part of a bundle is judged.

    part, name: what is judged by what. read: takes it from a run's report; raises KeyError where it is not there, gives
    None where it could not be told. shipped: that of panda-tabletop. limit: what is worse than this is short.
    higher: whether more is better. mend: what to do then.
    """

    part: str
    name: str
    read: Callable[[Report], float | None]
    shipped: float
    limit: float
    higher: bool
    mend: str

    def is_short(self, value: float) -> bool:
        """Whether such a number is worse than the limit, or none."""
        return not (value >= self.limit if self.higher else value <= self.limit)


def _ratio(kind: str) -> Callable[[Report], float | None]:
    def read(report: Report) -> float | None:
        errors = report["prediction_error"]
        copied = sum(errors[f"{kind}_copy"])
        return sum(errors[kind]) / copied if copied else None

    return read


def _foreseen_tcp(report: Report) -> float:
    foresight = report["sub_goals"]["foresight"]
    return foresight["most_probable_tcp_cm"] / foresight["copy_tcp_cm"]


SHOW_MORE = "record more episodes in which things are taken, carried and put down all over the workspace"
SEE = "see that the workspace fills the pictures and things are at least 5 pixels wide, and train the encoder longer"
MEASURES = (
    Measure("data", "things taken or pushed", lambda r: r["work"]["contacts"], 4935, 150, True, SHOW_MORE),
    Measure(
        "encoder", "effective rank of latents", lambda r: r["collapse"]["effective_rank"], 23.4, 8.0, True,
        "record more that differs: places, heights, the gripper open and closed",
    ),
    Measure("encoder", "tcp read from latents, off by cm", lambda r: r["readouts"]["tcp"]["mlp_median"], 0.25, 2.5,
            False, SEE),
    Measure(
        "encoder", "fingers read from latents, off by cm of 8", lambda r: r["readouts"]["gripper_width"]["mlp_median"],
        0.09, 0.8, False, "let the gripper act more often, in view of a camera",
    ),
    Measure("predictor", "imagined beside copied, things move", _ratio("object_moves"), 0.038, 0.35, False, SHOW_MORE),
    Measure(
        "predictor", "imagined beside copied, only the arm moves", _ratio("arm_only"), 0.032, 0.3, False,
        "see `jepa-planner data check` on delays between camera and arm, and train longer",
    ),
    Measure(
        "sub-goals", "next moment's tcp, beside that now", _foreseen_tcp, 0.2, 0.8, False,
        "record one way of doing things, without pauses and detours",
    ),
    Measure(
        "verdict", "called done within 3 cm", lambda r: r["verdict"]["called_done"]["within"], 0.96, 0.75, True,
        "record things that are put down a little away from where they lay",
    ),
    Measure(
        "verdict", "called done beyond 5 cm", lambda r: r["verdict"]["called_done"]["beyond"], 0.001, 0.05, False,
        SHOW_MORE,
    ),
    Measure("verdict", "displacement off by cm", lambda r: r["verdict"]["off_error_cm"], 0.47, 1.5, False, SEE),
)  # fmt: skip
"""That of the sub-goals stands between models of which half of the goals came true (0.4 and 0.6) and one of which a
third did (1.1), see docs/reports/2026-11-30-recordings.md. The others are guesses, on the side of models that work.
"""


@dataclass(frozen=True)
class Judgement:
    """A measure and its value; None where there is none."""

    measure: Measure
    value: float | None

    @property
    def is_short(self) -> bool:
        return self.value is not None and self.measure.is_short(self.value)


def judged(report: Report) -> list[Judgement]:
    """Of all measures that a report of a training run has."""
    judgements = []
    for measure in MEASURES:
        try:
            judgements.append(Judgement(measure, measure.read(report)))
        except (KeyError, TypeError, ZeroDivisionError):  # a part that was not learned
            judgements.append(Judgement(measure, None))
    return judgements


def in_words(report: Report) -> str:
    """A table, and what follows from it."""
    judgements = judged(report)
    rows = [f"{'':10s}{'':45s}{'this':>9s}{'shipped':>9s}{'limit':>9s}"]
    for judgement in judgements:
        measure, value = judgement.measure, judgement.value
        told = "-" if value is None else f"{value:.3g}"
        mark = "  short" if judgement.is_short else ""
        rows.append(f"{measure.part:10s}{measure.name:45s}{told:>9s}{measure.shipped:9.3g}{measure.limit:9.3g}{mark}")
    return "\n".join([*rows, "", *_conclusion(judgements)])


def _conclusion(judgements: list[Judgement]) -> list[str]:
    short = [judgement.measure for judgement in judgements if judgement.is_short]
    missing = [
        part
        for part in ("sub-goals", "verdict")
        if all(judgement.value is None for judgement in judgements if judgement.measure.part == part)
    ]
    lines = [f"It has no {part}: the episodes show no work from which that is learned." for part in missing]
    if "verdict" in missing:
        lines.append("It ends goals by energy alone: give it pictures of each step on the way.")
    if not short:
        return [
            *lines,
            "No part is short of what models have that work: try jepa-planner check landscape.",
        ]
    parts = ", ".join(dict.fromkeys(measure.part for measure in short))
    lines.append(f"This bundle will hardly work yet. Short: {parts}.")
    return [*lines, *dict.fromkeys(f"- {measure.part}: {measure.mend}" for measure in short)]
