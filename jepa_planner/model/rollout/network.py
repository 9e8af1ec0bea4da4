"""One time step of many candidates through a predictor of any kind: what every rollout consists of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from copy import copy
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor

from jepa_planner.model.predictor_kind import Predictor

StepLinear = Callable[[Tensor, int], Tensor]
"""Maps what enters at a step, whose number is given too."""
N = TypeVar("N", bound="StepNetwork")


class Memory(Protocol):
    """What candidates remember of their time steps, written in place."""

    def begin_with(self, past: Any, steps: int) -> None:
        """Makes so many steps of a memory of one candidate the first ones of all."""


M = TypeVar("M", bound=Memory)


class StepNetwork(ABC, Generic[M]):
    """A predictor's `step` and `normalise_output`, without gradients, over memories M written in place.

    Matrix products run in dtype. parts: what those are made by; `with_parts` gives the same network other ones.
    """

    tokens_per_step: int
    """Rows of each candidate that enter a product."""
    parts: Any

    def __init__(self, predictor: Predictor, dtype: torch.dtype) -> None:
        self._predictor, self.config, self.dtype = predictor, predictor.config, dtype

    def with_parts(self: N, parts: Any) -> N:
        """The same network with other parts."""
        other = copy(self)
        other.parts = parts
        return other

    @abstractmethod
    def new_memory(self, candidates: int, steps: int) -> M:
        """Room for so many candidates and steps."""

    @abstractmethod
    def candidate_bytes(self, steps: int, eight_bits: bool) -> int:
        """Most memory that one candidate takes while so many steps, shared ones included, are held and one is run."""

    @abstractmethod
    def observe(self, latent: Tensor, action: Tensor, state: Tensor, step: int, memory: M) -> None:
        """Adds a step to the memory whose outcome is known."""

    @abstractmethod
    def predict(self, latent: Tensor, action: Tensor, state: Tensor, step: int, memory: M) -> Tensor:
        """The next latent [C, N, D] float32, normalised.

        latent [C, N, D], or [1, N, D] where all candidates share it; action [C, A]; state [C, S]. step counts from
        the first one in the memory, which grows.
        """
