"""Where a planner's energies come from; a service can stand in for the model behind the same call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from jepa_planner.planning.confirmation import confirmed

if TYPE_CHECKING:
    import torch

    from jepa_planner.core.context import Context
    from jepa_planner.model.rollout.engine import Rollouts, Score
    from jepa_planner.planning.energy import Energy


class RolloutCost(Protocol):
    """Energies of candidate actions after a context, toward a goal."""

    def energies(self, context: Context, goal: Tensor, actions: Tensor) -> Tensor:
        """actions [K, H, A], goal [N, D] -> energies [K]."""
        ...


class RolloutModel(Protocol):
    """What a cost asks of a model in this process; see `WorldModel`."""

    @property
    def device(self) -> torch.device: ...

    @property
    def engine(self) -> Rollouts: ...

    def evaluate(self, context: Context, actions: Tensor, score: Score, exact: bool = False) -> Tensor: ...


class WorldModelCost:
    """A world model in this process; only one chunk of imagined latents per thread is held at a time.

    Where the model runs rollouts in a rougher type than float32, energies near the `cuts` of the search (see `cuts_of`)
    are computed again in float32, so that it takes the turns that it would take in float32: see `confirmed`. No cuts:
    rough energies. Energies carry a gradient where the actions require one.
    """

    def __init__(self, model: RolloutModel, energy: Energy, cuts: Sequence[int] = ()) -> None:
        self._model, self._energy, self._cuts = model, energy, cuts

    def energies(self, context: Context, goal: Tensor, actions: Tensor) -> Tensor:
        model, goal = self._model, goal.to(self._model.device)

        def score(predicted: Tensor, actions: Tensor) -> Tensor:
            return self._energy(predicted, goal, actions)

        if actions.requires_grad or not self._cuts or model.engine.dtype == "float32":
            return model.evaluate(context, actions, score)
        if len(actions) <= max(self._cuts):
            return model.evaluate(context, actions, score, exact=True)
        rough = model.evaluate(context, actions, score)
        return confirmed(rough, self._cuts, lambda chosen: model.evaluate(context, actions[chosen], score, exact=True))
