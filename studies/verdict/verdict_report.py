"""How good a verdict is by itself: shares called done by distance, and whether its certainty is what is met."""

from __future__ import annotations

from collections.abc import Sequence

from jepa_planner.learning.evaluation.statistics import wilson_interval
from studies.verdict.verdict_pairs import OFF_M, Pair

NEAR_M, FAR_M = 0.03, 0.05
HALF_WAY_M = (NEAR_M + FAR_M) / 2
"""What is off by at most the one should be said to be nearer than half way to the other, and what is off by at least
that not.
"""
BINS = 10


def summarise_pairs(pairs: Sequence[Pair], within_m: float) -> dict[str, object]:
    """All numbers as plain JSON types; within_m: where objects count as lying as shown."""
    arms = dict.fromkeys(pair.arm for pair in pairs)
    return {
        "rows": [_row(arm, [pair for pair in pairs if pair.arm == arm and not pair.drawn]) for arm in arms],
        "calibration": calibration(pairs, within_m),
        "within_m": within_m,
    }


def calibration(pairs: Sequence[Pair], within_m: float) -> list[dict[str, object]]:
    """Of each of BINS ranges of certainty: drawn pairs in it, mean certainty, and the share that lies within_m."""
    bins: list[list[Pair]] = [[] for _ in range(BINS)]
    for pair in (pair for pair in pairs if pair.drawn):
        bins[min(int(pair.certainty * BINS), BINS - 1)].append(pair)
    return [
        {
            "from": number / BINS,
            "to": (number + 1) / BINS,
            "pairs": len(in_bin),
            "mean_certainty": round(sum(p.certainty for p in in_bin) / len(in_bin), 4) if in_bin else None,
            "share_within": round(sum(p.off_m <= within_m for p in in_bin) / len(in_bin), 4) if in_bin else None,
        }
        for number, in_bin in enumerate(bins)
    ]


def _row(arm: str, pairs: Sequence[Pair]) -> dict[str, object]:
    at = {off_m: [pair for pair in pairs if pair.off_m == off_m] for off_m in OFF_M}
    near = [pair for pair in pairs if pair.off_m <= NEAR_M]
    far = [pair for pair in pairs if pair.off_m >= FAR_M]
    right = sum(pair.said_m < HALF_WAY_M for pair in near) + sum(pair.said_m >= HALF_WAY_M for pair in far)
    low, high = wilson_interval(right, len(near) + len(far))
    return {
        "arm": arm,
        "called_done": [
            {"off_m": off_m, "pairs": len(pairs_at), "called_done": sum(p.called_done for p in pairs_at)}
            for off_m, pairs_at in at.items()
        ],
        "told_apart": {
            "right": right,
            "pairs": len(near) + len(far),
            "share": round(right / (len(near) + len(far)), 4),
            "wilson_low": round(low, 4),
            "wilson_high": round(high, 4),
        },
    }


def in_words(summary: dict[str, object]) -> str:
    """Two tables in Markdown: what was called done by distance, and the calibration."""
    heads = [f"{100 * off_m:.0f} cm" for off_m in OFF_M]
    apart = f"{100 * NEAR_M:.0f} cm and less apart from {100 * FAR_M:.0f} cm and more"
    lines = [f"| called done; arm now | {' | '.join(heads)} | {apart} |", "|---" * (len(heads) + 2) + "|"]
    for row in summary["rows"]:
        shares = [f"{cell['called_done'] / cell['pairs']:.0%}" for cell in row["called_done"]]
        told = row["told_apart"]
        interval = f"{told['share']:.1%} ({told['wilson_low']:.1%} to {told['wilson_high']:.1%})"
        lines.append(f"| {row['arm']} | {' | '.join(shares)} | {interval} |")
    within = f"lies within {100 * summary['within_m']:.0f} cm"
    lines += ["", f"| certainty | pairs | mean certainty | {within} |", "|---|---|---|---|"]
    for found in summary["calibration"]:
        cells = [f"{found[name]:.1%}" if found["pairs"] else "" for name in ("mean_certainty", "share_within")]
        lines.append(f"| {found['from']:.0%} to {found['to']:.0%} | {found['pairs']} | {' | '.join(cells)} |")
    return "\n".join(lines)
