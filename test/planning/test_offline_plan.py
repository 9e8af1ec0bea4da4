from dataclasses import replace

import pytest
import torch
from small_models import (
    slot_predictor_config,
    small_context,
    small_observation,
    small_sub_goal_head,
    small_sub_goal_spec,
    small_world_model,
    sub_goal_head_config,
)
from small_planner import ENERGY, small_planner

from jepa_planner.core.observation import Observation
from jepa_planner.model.contract_sections import TrainingSpec, VerdictSpec
from jepa_planner.model.predictor import ActionConditionedPredictor
from jepa_planner.model.verdict_head import Opinion, VerdictHeadConfig
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.energy import SummedMse, distance_to_goal
from jepa_planner.planning.factory import ControllerFactory
from jepa_planner.planning.offline_plan import NoPlanError, OfflinePlan, plan_offline
from jepa_planner.planning.rollout_cost import WorldModelCost
from jepa_planner.planning.sub_goals import SubGoalSettings
from jepa_planner.planning.verdict import VerdictSettings

MODEL, PLANNER = small_world_model(), small_planner()
GOAL = small_context(1, seed=9).latents[0]
SHOWN = Observation(GOAL)


def factory(**given) -> ControllerFactory:
    return ControllerFactory(MODEL.contract, PLANNER, WorldModelCost(MODEL, ENERGY), ENERGY, **given)


def plan(seed: int = 0, now: Observation | None = None, goal: torch.Tensor = GOAL, **settings) -> OfflinePlan:
    cem = replace(PLANNER.cem, **settings)
    made = factory(solver=cem.solver(), seed=seed)
    return plan_offline(MODEL, now or small_observation(), Observation(goal), made)


def test_the_same_seed_gives_the_same_plan_and_another_seed_another():
    one, same, other = plan(3), plan(3), plan(4)
    assert torch.equal(one.actions, same.actions) and one.energies_after == same.energies_after
    assert not torch.equal(one.actions, other.actions)


def test_the_plan_obeys_the_contract():
    actions = plan(samples=64).actions
    assert actions.shape == (3, 7)
    assert (actions.abs() <= torch.tensor(MODEL.contract.action.max_abs) + 1e-6).all()


def test_the_energies_are_those_of_the_imagined_way():
    context = small_context(1)
    found = plan(now=small_observation())
    imagined = MODEL.rollout(context, found.actions[None])[0]
    assert found.energies_after == pytest.approx([distance_to_goal(SummedMse(), x, GOAL, 7) for x in imagined])
    assert found.energy_now == pytest.approx(distance_to_goal(SummedMse(), context.latents[0], GOAL, 7))


def test_settings_of_the_search_are_those_that_were_asked_for():
    assert len(plan(horizon=2).actions) == 2


def test_a_goal_that_looks_like_now_needs_no_plan():
    context = small_context(1)
    found = plan(now=small_observation(), goal=context.latents[0])
    assert found.actions.shape == (0, 7) and found.energies_after == () and found.energy_now == 0.0


def test_a_model_that_sees_no_difference_between_actions_gives_no_plan():
    untrained = WorldModel(MODEL.contract, MODEL.encoder, ActionConditionedPredictor(slot_predictor_config()))
    blind = ControllerFactory(untrained.contract, PLANNER, WorldModelCost(untrained, ENERGY), ENERGY)
    with pytest.raises(NoPlanError, match=r"INVALID_ENERGY: .*the model sees no difference between actions"):
        plan_offline(untrained, small_observation(), SHOWN, blind)


def test_with_sub_goals_the_energies_are_those_to_what_is_planned_for():
    context, head = small_context(1), small_sub_goal_head()
    imagining = replace(
        factory(sub_goal_head=head),
        contract=replace(MODEL.contract, sub_goals=small_sub_goal_spec()),
        planner_settings=small_planner(sub_goals=SubGoalSettings(goal_distance=0.0, near_goal=0.0)),
    )
    found = plan_offline(MODEL, small_observation(), SHOWN, imagining)
    target = head(small_observation()[None], SHOWN[None]).latents[0, found.imagined.hypothesis]
    assert torch.allclose(found.imagined.latent, target)
    assert found.energy_ahead == pytest.approx(distance_to_goal(SummedMse(), context.latents[0], target, 7))
    imagined = MODEL.rollout(context, found.actions[None])[0]
    assert found.energies_after == pytest.approx([distance_to_goal(SummedMse(), x, target, 7) for x in imagined])
    assert found.energy_now == pytest.approx(distance_to_goal(SummedMse(), context.latents[0], GOAL, 7))


def sure(now: Observation, goal: Observation) -> Opinion:
    """Objects lie as shown, and so does the arm."""
    certain = torch.nn.functional.one_hot(torch.zeros(1, dtype=int), JUDGED.head.classes)
    return Opinion(certain * 40.0, now.state.clone())


SIZES = sub_goal_head_config()
JUDGED = VerdictSpec(
    head=VerdictHeadConfig(
        latent_tokens=SIZES.latent_tokens, latent_channels=SIZES.latent_channels, state_dim=SIZES.state_dim
    ),
    training=TrainingSpec(data="none", command="none"),
)


@pytest.mark.parametrize("goal", [GOAL, small_context(1).latents[0]])
def test_a_pair_is_judged_and_planned_for_all_the_same(goal):
    contract, planner_settings = replace(MODEL.contract, verdict=JUDGED), small_planner(verdict=VerdictSettings())
    judged = replace(factory(), contract=contract, planner_settings=planner_settings)
    without, given = (
        plan_offline(MODEL, small_observation(), Observation(goal), replace(judged, verdict_head=head))
        for head in (None, sure)
    )
    assert without.verdict is None and torch.equal(given.actions, without.actions)
    assert given.verdict.done and given.verdict.objects_hold and given.verdict.certainty == pytest.approx(1.0)
    assert given.verdict.off_m == pytest.approx(0.005)


@pytest.mark.parametrize("part", ["latent", "state"])
def test_a_broken_observation_gives_no_plan_and_says_why(part):
    broken = replace(small_observation(), **{part: torch.full_like(getattr(small_observation(), part), torch.nan)})
    with pytest.raises(NoPlanError, match="NaN or infinite"):
        plan(now=broken)
