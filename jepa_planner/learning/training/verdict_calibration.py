"""What a verdict is worth on held-out pairs: chances that are met, how sure it must be, and how often it errs."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from jepa_planner.core.arm_layout import GRIPPER, XYZ
from jepa_planner.learning.data.object_tracks import FREE, HELD, LOW
from jepa_planner.learning.training.verdict_training import PairSampler, opinion_of
from jepa_planner.model.verdict_head import VerdictHead
from jepa_planner.planning.verdict import VerdictSettings, chance_within, median_off_m

DRAWS = 12_000
FAR_M = 0.05
"""Things that are farther off must not be called done."""
LEAST_CERTAINTY, MOST_CERTAINTY = 0.5, 0.99
HANDS = {"free": FREE, "held": HELD, "pushing": LOW}


class Judged(NamedTuple):
    """Of held-out pairs, in float32 without a temperature: logits [P, classes], off_m and hand [P] as in
    `VerdictBatch`; tcp_m [P]: how far the tcp of the goal was misjudged, closure [P]: how far its commanded one was.
    """

    logits: Tensor
    off_m: Tensor
    hand: Tensor
    tcp_m: Tensor
    closure: Tensor

    def chances(self, temperature: float) -> Tensor:
        """Of the classes [P, classes]."""
        return (self.logits / temperature).softmax(-1)

    def unreachable(self, temperature: float) -> Tensor:
        """The chance that they are not the same things, or out of reach [P]."""
        return self.chances(temperature)[:, -1]

    def said(self, edges_m: tuple[float, ...], temperature: float, within_m: float) -> Tensor:
        """The chance that things lie as they should [P]."""
        return chance_within(self.chances(temperature), edges_m, within_m)


@torch.inference_mode()
def judged(head: VerdictHead, sampler: PairSampler) -> Judged:
    """What a head makes of pairs as they are drawn in training; those across a push, whose labels are vague, left
    out.
    """
    head.eval()
    parts = []
    for number in range(max(1, DRAWS // sampler.settings.batch)):
        batch = sampler.draw(number)
        opinion = opinion_of(head, batch)
        wrong = opinion.goal_states - batch.goal_states
        sure = batch.uncertainty_m == 0.0
        judgements = Judged(
            opinion.logits.float() * head.temperature, batch.off_m, batch.hand, wrong[:, XYZ].norm(dim=-1),
            wrong[:, GRIPPER].abs(),
        )  # fmt: skip
        parts.append([part[sure] for part in judgements])
    return Judged(*(torch.cat(judgements) for judgements in zip(*parts, strict=True)))


def met_temperature(judgements: Judged, edges_m: tuple[float, ...], within_m: float) -> float:
    """What logits are divided by, so that things are within reach as often as is said: of the greatest likelihood."""
    within = (judgements.off_m <= within_m).float()

    def surprise(temperature: float) -> float:
        said = judgements.said(edges_m, temperature, within_m).clamp(1e-6, 1 - 1e-6)
        return float(functional.binary_cross_entropy(said, within))

    return min((round(0.05 * step, 2) for step in range(8, 81)), key=surprise)


def least_certainty(said: Tensor, off_m: Tensor, false_alarms: float) -> float:
    """The least chance [P] from which on at most such a share of far things is called done."""
    far = said[off_m > FAR_M]
    if not len(far):
        return LEAST_CERTAINTY
    at = float(torch.quantile(far, 1.0 - false_alarms))
    return round(min(max(at + 0.005, LEAST_CERTAINTY), MOST_CERTAINTY), 2)


def least_unreachable(said: Tensor, off_m: Tensor, refusals: float) -> float:
    """The least chance [P] of being out of reach from which on at most such a share of what is not is called so."""
    at = float(torch.quantile(said[off_m.isfinite()], 1.0 - refusals))
    return round(min(max(at + 0.005, LEAST_CERTAINTY), MOST_CERTAINTY), 2)


def verdict_report(
    judgements: Judged, edges_m: tuple[float, ...], temperature: float, rule: VerdictSettings
) -> dict[str, object]:
    """In shares of 1, cm and counts: how often pairs are called done by how far off they are, and by what the hand
    does; said and met chances; how far off things are misjudged, and the arm in the goal; how often strange or
    unreachable things are called so, and others are.
    """
    off_m, within_m = judgements.off_m, rule.within_m
    said = judgements.said(edges_m, temperature, within_m)
    done = said >= rule.certainty
    guess_m = torch.tensor([median_off_m(row, edges_m) for row in judgements.chances(temperature)])

    def of(chosen: Tensor) -> dict[str, object]:
        bands = {"within": off_m <= within_m, "between": (off_m > within_m) & (off_m <= FAR_M), "beyond": off_m > FAR_M}
        called = {name: _share(done[chosen & band]) for name, band in bands.items()}
        near = chosen & (off_m <= 0.10)
        return {
            "pairs": int(chosen.sum()), "called_done": called,
            "off_error_cm": _median_cm((guess_m - off_m)[near].abs()),
            "goal_tcp_cm": _median_cm(judgements.tcp_m[chosen]),
            "goal_closure_wrong": _share(judgements.closure[chosen] > 0.5),
        }  # fmt: skip

    bins = torch.clamp((said * 10).long(), max=9)
    met = [
        {"said": round(float(said[bins == b].mean()), 3), "met": _share(off_m[bins == b] <= within_m),
         "pairs": int((bins == b).sum())}
        for b in range(10) if (bins == b).any()
    ]  # fmt: skip
    steps = [0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.10, float("inf")]
    by_off = {f"{100 * a:g} to {100 * b:g} cm": _share(done[(off_m >= a) & (off_m < b)]) for a, b in pairwise(steps)}
    everything = torch.ones_like(done)
    refused = judgements.unreachable(temperature) >= (rule.unreachable or math.inf)
    return {
        "certainty": rule.certainty, "temperature": temperature, **of(everything),
        "by_hand": {name: of(judgements.hand == hand) for name, hand in HANDS.items()},
        "called_done_by_off": by_off, "strangers_called_done": _share(done[off_m.isinf()]), "said_and_met": met,
        "called_unreachable": _share(refused[off_m.isinf()]), "refused": _share(refused[off_m.isfinite()]),
    }  # fmt: skip


def _share(of: Tensor) -> float | None:
    return round(float(of.float().mean()), 4) if len(of) else None


def _median_cm(of: Tensor) -> float | None:
    return round(100 * float(of.median()), 2) if len(of) else None
