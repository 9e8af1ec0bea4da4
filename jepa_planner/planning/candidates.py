"""Some of the candidates of a search, for people who want to see what was tried."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

PER_BATCH, SHOWN = 16, 24


@dataclass(frozen=True)
class Candidates:
    """Candidate sequences as they would be executed, of rising energy."""

    actions: Tensor
    """[K, H, A], K at most SHOWN."""
    energies: Tensor
    """[K]."""


class CandidateSample:
    """Of each batch of one search its best candidate and others at even distances."""

    def __init__(self) -> None:
        self._actions: list[Tensor] = []
        self._energies: list[Tensor] = []

    def note(self, actions: Tensor, energies: Tensor) -> None:
        """Takes in a batch: energies [K] of candidates [K, H, A]."""
        actions, energies = actions.detach(), energies.detach()
        step = max(1, len(actions) // PER_BATCH)
        best = int(energies.argmin())
        # Copies: a solver may use its buffers again.
        self._actions += [actions[best : best + 1].cpu().clone(), actions[::step].cpu().clone()]
        self._energies += [energies[best : best + 1].float().cpu().clone(), energies[::step].float().cpu().clone()]

    def shown(self) -> Candidates | None:
        """Those at even ranks of all that were kept, the best among them; None where nothing was searched."""
        if not self._actions:
            return None
        actions, energies = torch.cat(self._actions), torch.cat(self._energies)
        order = energies.argsort()
        ranks = torch.linspace(0, len(order) - 1, min(SHOWN, len(order))).round().long()
        return Candidates(actions[order[ranks]], energies[order[ranks]])
