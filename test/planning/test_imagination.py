from collections.abc import Iterator

import pytest
import torch

from jepa_planner.planning.energy import ActionEffort, LastStepMse, WeightedSum
from jepa_planner.planning.imagination import WorldModelImagination
from jepa_planner.world_model.world_model import Context


class AddingModel:
    """Stands in for a world model: the latent [1, 7] is the sum of all actions."""

    device = torch.device("cpu")

    def __init__(self, chunk: int) -> None:
        self._chunk = chunk

    def rollout_chunks(self, context: Context, actions: torch.Tensor) -> Iterator[torch.Tensor]:
        for part in actions.split(self._chunk):
            yield context.latents[-1] + part.cumsum(dim=1)[:, :, None]


@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_chunks_change_no_energy_and_each_candidate_meets_its_own_actions(chunk):
    energy = WeightedSum((1.0, LastStepMse()), (3.0, ActionEffort((1.0,) * 7)))
    actions = torch.randn(10, 2, 7, generator=torch.Generator().manual_seed(0))
    context = Context(torch.ones(1, 1, 7), torch.zeros(1, 8), torch.zeros(0, 7))
    goal = torch.full((1, 7), 0.5)
    energies = WorldModelImagination(AddingModel(chunk), energy).energies(context, goal, actions)
    expected = (1.0 + actions.sum(dim=1) - 0.5).square().mean(dim=1) + 3.0 * actions.square().mean(dim=(1, 2))
    assert torch.allclose(energies, expected, atol=1e-6)
