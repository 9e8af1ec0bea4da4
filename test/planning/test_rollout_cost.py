import pytest
import torch
from small_models import CHANNELS, SLOTS, small_actions, small_context, small_world_model
from small_planner import small_planner

from jepa_planner.planning.confirmation import cuts_of
from jepa_planner.planning.energy import LastStepMse
from jepa_planner.planning.rollout_cost import WorldModelCost
from jepa_planner.planning.solvers.mppi import MppiSettings


class RoughlyImagining:
    """A world model whose rollouts are off by a candidate's place in the list, unless they are asked to be exact."""

    device = torch.device("cpu")

    def __init__(self, dtype: str = "int8") -> None:
        self._model = small_world_model()
        self.contract = self._model.contract
        self.engine = type("Engine", (), {"dtype": dtype})
        self.exact_calls: list[int] = []

    def evaluate(self, context, actions, score, exact=False):
        energies = self._model.evaluate(context, actions, score)
        if exact:
            self.exact_calls.append(len(actions))
            return energies
        return energies + 1e-3 * torch.arange(1, len(actions) + 1)


def goal() -> torch.Tensor:
    return torch.zeros(SLOTS, CHANNELS)


@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_chunks_change_no_energy_and_each_candidate_meets_its_own_actions(chunk):
    def energy(predicted, target, given):
        return LastStepMse()(predicted, target, given) + 3.0 * given.square().mean(dim=(1, 2))

    model, context, actions = small_world_model(chunk=chunk), small_context(), small_actions(candidates=10)
    energies = WorldModelCost(model, energy).energies(context, goal(), actions)
    outcome = small_world_model().rollout(context, actions)[:, -1]
    expected = outcome.square().mean(dim=(1, 2)) + 3.0 * actions.square().mean(dim=(1, 2))
    assert torch.allclose(energies, expected, atol=1e-5)


def test_rough_energies_are_confirmed_at_the_cuts_of_the_search():
    model, context, actions = RoughlyImagining(), small_context(), small_actions(candidates=20)
    exact = WorldModelCost(small_world_model(), LastStepMse()).energies(context, goal(), actions)
    search = small_planner().cem
    given = WorldModelCost(model, LastStepMse(), cuts_of(search)).energies(context, goal(), actions)
    elites = search.elites
    assert sum(model.exact_calls) > 0
    chosen, expected = (set(x.topk(elites, largest=False).indices.tolist()) for x in (given, exact))
    assert chosen == expected
    assert given.min() == exact.min()


def test_as_few_candidates_as_are_cut_off_are_exact_at_once():
    model, context, actions = RoughlyImagining(), small_context(), small_actions(candidates=4)
    exact = WorldModelCost(small_world_model(), LastStepMse()).energies(context, goal(), actions)
    given = WorldModelCost(model, LastStepMse(), cuts=(5,)).energies(context, goal(), actions)
    assert model.exact_calls == [4]
    assert torch.allclose(given, exact, atol=1e-6)


def test_all_candidates_are_exact_where_each_one_counts():
    model = RoughlyImagining()
    WorldModelCost(model, LastStepMse(), cuts_of(MppiSettings())).energies(
        small_context(), goal(), small_actions(candidates=20)
    )
    assert model.exact_calls == [20]


@pytest.mark.parametrize(("dtype", "cuts"), [("float32", (4,)), ("int8", ())])
def test_nothing_is_confirmed_where_rollouts_are_exact_or_rough_ones_will_do(dtype, cuts):
    model = RoughlyImagining(dtype)
    cost = WorldModelCost(model, LastStepMse(), cuts)
    cost.energies(small_context(), goal(), small_actions(candidates=12))
    assert not model.exact_calls


def test_energies_carry_a_gradient_where_the_actions_require_one():
    actions = small_actions().requires_grad_()
    energies = WorldModelCost(small_world_model(), LastStepMse()).energies(small_context(), goal(), actions)
    energies.sum().backward()
    assert (actions.grad[..., :3].abs().sum(dim=(1, 2)) > 0).all()
