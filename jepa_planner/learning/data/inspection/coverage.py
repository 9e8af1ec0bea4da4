"""Where the tcp was: how much of its own box it visited, and where the holes are, in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jepa_planner.core.arm_layout import XYZ
from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.inspection.judgement import Judgement, Level
from jepa_planner.learning.data.inspection.recorded import recorded_frames

CELLS = (6, 6, 4)
"""Of the box, along x, y and z."""
WITHIN = (0.005, 0.995)
"""Quantiles between which the box lies: single slips do not widen it."""
FEW_OF_PLANE, FEW_LOW = 0.7, 0.4
SMALL_M = 0.1
"""A box that is narrower along x or y than this holds no tabletop."""
NAMES_X, NAMES_Y = ("near", "middle", "far"), ("right", "middle", "left")
"""Thirds of the box as one sees them who stands behind the base: x ahead, y to the left."""


@dataclass(frozen=True)
class Coverage:
    """Box low_m and high_m [3] (m, base frame) and counts int [6, 6, 4] of the frames in each of its cells."""

    low_m: np.ndarray
    high_m: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, episodes: Episodes) -> Coverage:
        """From all recorded frames."""
        tcp = episodes.states[..., XYZ][recorded_frames(episodes)]
        low, high = np.quantile(tcp, WITHIN, axis=0)
        inside = tcp[((tcp >= low) & (tcp <= high)).all(axis=1)]
        bounds = [(one, max(other, one + 1e-3)) for one, other in zip(low, high, strict=True)]
        return cls(low, high, np.histogramdd(inside, bins=CELLS, range=bounds)[0].astype(int))

    @property
    def of_plane(self) -> float:
        """Share of the cells of the plane that were visited at some height."""
        return float((self.counts.sum(axis=2) > 0).mean())

    @property
    def of_low(self) -> float:
        """Share of the cells of the plane that were visited in the lowest quarter."""
        return float((self.counts[..., 0] > 0).mean())

    @property
    def of_box(self) -> float:
        """Share of all cells that were visited."""
        return float((self.counts > 0).mean())

    @property
    def evenness(self) -> float:
        """1 where all cells of the plane were visited equally often, 0 where one alone was."""
        share = self.counts.sum(axis=2).ravel() / max(1, self.counts.sum())
        share = share[share > 0]
        return float(-(share * np.log(share)).sum() / np.log(CELLS[0] * CELLS[1]))

    def holes(self) -> list[str]:
        """Ninths of the plane of which less than half was visited at all, or low down."""
        found: list[str] = []
        for layer, what in ((self.counts.sum(axis=2) > 0, ""), (self.counts[..., 0] > 0, ", low down")):
            share = layer.reshape(3, 2, 3, 2).mean(axis=(1, 3))
            found += [
                f"{self._place(*ninth)}{what}" for ninth in np.argwhere(share < 0.5) if not self._told(found, ninth)
            ]
        return found

    def _place(self, along: int, aside: int) -> str:
        edges = [np.linspace(low, high, 4) for low, high in zip(self.low_m[:2], self.high_m[:2], strict=True)]
        (x, next_x), (y, next_y) = edges[0][along : along + 2], edges[1][aside : aside + 2]
        name = " ".join(dict.fromkeys((NAMES_X[along], NAMES_Y[aside])))
        return f"{name} (x {x:.2f} to {next_x:.2f}, y {y:+.2f} to {next_y:+.2f} m)"

    def _told(self, found: list[str], ninth: np.ndarray) -> bool:
        return self._place(*ninth) in found


def judge_coverage(coverage: Coverage) -> Judgement:
    """Whether the arm was everywhere that its own box promises."""
    low, high = coverage.low_m, coverage.high_m
    box = ", ".join(f"{axis} {a:+.2f} to {b:+.2f}" for axis, a, b in zip("xyz", low, high, strict=True))
    says = (
        f"the tcp was within {box} m; of this box {coverage.of_box:.0%} was visited, of the plane "
        f"{coverage.of_plane:.0%} and low down {coverage.of_low:.0%}, evenness {coverage.evenness:.2f} of 1"
    )
    numbers = {
        "low_m": np.round(low, 3).tolist(), "high_m": np.round(high, 3).tolist(), "of_box": round(coverage.of_box, 3),
        "of_plane": round(coverage.of_plane, 3), "of_low": round(coverage.of_low, 3),
        "evenness": round(coverage.evenness, 3), "holes": coverage.holes(),
    }  # fmt: skip
    topic = "workspace"
    if (high - low)[:2].min() < SMALL_M:
        return Judgement(
            topic, Level.WARNING, f"{says}: narrower than {SMALL_M} m, so nothing is learned of motions beyond",
            "record where the work will be, from one end to the other", numbers,
        )  # fmt: skip
    if coverage.of_plane < FEW_OF_PLANE or coverage.of_low < FEW_LOW:
        return Judgement(
            topic, Level.WARNING, f"{says}. Holes: {'; '.join(coverage.holes()[:5])}",
            "record motions there, or keep the workspace box of the limits file out of it", numbers,
        )  # fmt: skip
    return Judgement(topic, Level.GOOD, says, "", numbers)
