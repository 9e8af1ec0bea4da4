"""Whether a model tells actions apart at all: where it does not, the best of a search is a random one."""

from __future__ import annotations

import math

from torch import Tensor

ROUNDING = 1e-6
"""Energies that differ by no more than this share of their size differ by rounding alone."""


class Contrast:
    """Least and largest energy of all candidates of one search."""

    def __init__(self) -> None:
        self._first: Tensor | None = None
        self._differ = False
        self._count, self._least, self._most = 0, math.inf, -math.inf

    def note(self, actions: Tensor, energies: Tensor) -> None:
        """Takes in a batch: the model's energies [K] of candidates [K, H, A], as they would be executed.

        Those that carry a gradient are passed over: they may be computed in another type than the rest.
        """
        if actions.requires_grad:
            return
        if self._first is None:
            self._first = actions[0]
        self._differ = self._differ or bool((actions != self._first).any())
        self._count += len(actions)
        self._least = min(self._least, energies.min().item())
        self._most = max(self._most, energies.max().item())

    @property
    def is_flat(self) -> bool:
        """Whether candidates that differ all have the same energy; never where energies are not finite."""
        spread, size = self._most - self._least, max(abs(self._least), abs(self._most))
        return self._differ and 0.0 <= spread <= ROUNDING * size < math.inf

    def __str__(self) -> str:
        return (
            f"the model sees no difference between actions: the energies of {self._count} candidates are all "
            f"{self._most:.4g}; is it trained, and on this arm? `jepa-planner check landscape` draws what it sees"
        )
