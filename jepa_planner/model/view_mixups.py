"""Cameras that are swapped, turned or mirrored: pictures that show the arm where its joints say once that is undone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from jepa_planner.model.latent_statistics import LatentStatistics

SUSPICIOUS = 0.25
"""Share of the limit for the distance between the arm as shown and as felt; less need not be explained."""
BETTER = 2.0
"""So many times nearer it must be once a mix-up is undone."""
MOMENTS, AGREEING = 3, 2
"""So many of the last moments must agree, unless one is beyond the limit. Measured with the shipped bundles: see
test/model/test_view_mixups.py.
"""
Undo = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Mixup:
    """What may be wrong with pictures [V, H, W, 3], in words, and how it is undone."""

    words: str
    undo: Undo


def mixups(views: Sequence[str], is_square: bool) -> Iterator[Mixup]:
    """All that are looked for: two views swapped, or one turned or mirrored."""
    for left, right in combinations(range(len(views)), 2):
        order = list(range(len(views)))
        order[left], order[right] = right, left
        yield Mixup(f"{views[left]} and {views[right]} look swapped", partial(_in_order, order))
    for view, name in enumerate(views):
        for turn_deg in (90, 180, 270) if is_square else (180,):
            words = f"{name} looks turned; encoder_node's rotation {turn_deg} more would undo it"
            yield Mixup(words, partial(_changed, view, partial(np.rot90, k=-turn_deg // 90)))
        yield Mixup(f"{name} looks mirrored", partial(_changed, view, np.fliplr))


class MixupCheck:
    """Judges moments at which the arm rests, one after the other.

    encode: uint8 RGB [B, V, H, W, 3] to latents [B, N, D]. limit_m: beyond it pictures do not show the arm as it is.
    """

    def __init__(
        self, views: Sequence[str], encode: Callable[[np.ndarray], Tensor], statistics: LatentStatistics, limit_m: float
    ) -> None:
        self._views, self._encode, self._statistics, self._limit_m = tuple(views), encode, statistics, limit_m
        self._found: deque[str] = deque(maxlen=MOMENTS)

    def judge(self, pictures: np.ndarray, latent: Tensor, tcp_m: np.ndarray) -> str:
        """What is mixed up by this moment and those before, in words; empty where nothing is, or nobody knows.

        pictures: uint8 RGB [V, H, W, 3], and their latent [N, D]; tcp_m: where the arm says that it is, [3].
        """
        where = torch.as_tensor(tcp_m, dtype=torch.float32)
        error_m = float(self._statistics.arm_error_m(latent.cpu(), where))
        if not error_m > SUSPICIOUS * self._limit_m:
            self._found.append("")
            return ""
        candidates = list(mixups(self._views, pictures.shape[1] == pictures.shape[2]))
        undone = np.stack([candidate.undo(pictures) for candidate in candidates])
        errors_m = self._statistics.arm_error_m(self._encode(undone).cpu(), where)
        best = int(errors_m.argmin())
        words, best_m = candidates[best].words, float(errors_m[best])
        is_better = best_m * BETTER < error_m
        self._found.append(words if is_better else "")
        if not is_better or (error_m <= self._limit_m and self._found.count(words) < AGREEING):
            return ""
        return f"{words}: the arm is shown {error_m:.3f} m from where its joints say, and {best_m:.3f} m otherwise"


def _in_order(order: Sequence[int], pictures: np.ndarray) -> np.ndarray:
    return pictures[list(order)]


def _changed(view: int, change: Undo, pictures: np.ndarray) -> np.ndarray:
    changed = pictures.copy()
    changed[view] = change(pictures[view])
    return changed
