"""Exact choices from rough energies: candidates that are barely chosen, or barely not, are looked at again."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jepa_planner.planning.solvers.settings import SearchSettings

REACH = 2
MARGIN_STDS = 4.0
ALL = sys.maxsize
"""The cut of searches in which every candidate counts by its energy: all must be exact."""


def cuts_of(search: SearchSettings) -> tuple[int, ...]:
    """After how many of the best a search draws lines: the best where it is the answer, elites that are kept, elites,
    starts of gradients.
    """
    if search.weighs_all:
        return (ALL,)
    cuts = {getattr(search, name, 0) for name in ("kept_elites", "elites", "starts")}
    if getattr(search, "answer", "best") == "best":
        cuts.add(1)
    return tuple(sorted(cuts - {0}))


def confirmed(rough: Tensor, cuts: Sequence[int], exact_of: Callable[[Tensor], Tensor]) -> Tensor:
    """Energies [K] whose m lowest, for every m of `cuts`, are those of exact energies; with a cut after the first, the
    lowest is exact.

    rough: energies [K] that are off by a bias and by noise; exact_of: exact energies of candidates by index. Candidates
    within `REACH` places of a cut come first. How far off they are says which others may be on the wrong side of a cut,
    and these follow until there are none. So it costs little where rough energies rank well, and as much as all exact
    ones where they do not.
    """
    cuts = [cut for cut in cuts if cut < len(rough)]
    if not cuts:
        return rough
    energies, is_exact = rough.clone(), torch.zeros(len(rough), dtype=torch.bool, device=rough.device)
    order = rough.argsort()
    chosen = torch.cat([order[max(0, cut - REACH) : cut + REACH] for cut in cuts]).unique()
    while len(chosen):
        energies[chosen], is_exact[chosen] = exact_of(chosen), True
        errors = (energies - rough)[is_exact]
        margin = MARGIN_STDS * errors.std() if len(errors) > 1 else 0.0
        energies = torch.where(is_exact, energies, rough + errors.mean())
        ascending = energies.sort().values
        may_be_chosen = (energies == ascending[0]) & (1 in cuts)
        for cut in cuts:
            may_be_chosen |= (energies - ascending[cut - 1 : cut + 1].mean()).abs() <= margin
        chosen = (may_be_chosen & ~is_exact).nonzero().flatten()
    return energies
