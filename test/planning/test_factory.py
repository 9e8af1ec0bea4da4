from dataclasses import replace

import pytest
import torch
from small_models import (
    small_contract,
    small_observation,
    small_sub_goal_head,
    small_sub_goal_spec,
    small_verdict_head,
    small_verdict_spec,
    small_world_model,
)
from small_planner import ENERGY, small_planner

from jepa_planner.core.observation import Observation
from jepa_planner.model.contract_sections import OutOfDistributionSpec
from jepa_planner.model.latent_statistics import LatentStatistics
from jepa_planner.planning.confirmation import cuts_of
from jepa_planner.planning.controller import RecedingHorizonController
from jepa_planner.planning.decision import DecisionKind, Reason
from jepa_planner.planning.factory import Asked, ControllerFactory
from jepa_planner.planning.out_of_distribution import MonitoredController, OutOfDistributionGoalError
from jepa_planner.planning.progress import ProgressSettings
from jepa_planner.planning.rollout_cost import WorldModelCost
from jepa_planner.planning.sub_goals import SubGoalSettings
from jepa_planner.planning.verdict import VerdictSettings

MODEL, PLANNER = small_world_model(), small_planner()
IMAGINING = {
    "contract": replace(MODEL.contract, sub_goals=small_sub_goal_spec()),
    "planner_settings": small_planner(sub_goals=SubGoalSettings(steps=6, goal_distance=0.0, near_goal=0.0)),
}
FAR = Observation(torch.full((3, 4), 9.0))
NEAR = Observation(torch.zeros(3, 4))
GENEROUS = {"latent_distance": 1e6, "arm_error_m": 1e6, "surprise": 1e6}


def factory(contract=MODEL.contract, planner_settings=PLANNER, **given) -> ControllerFactory:
    cuts = cuts_of(planner_settings.search())
    return ControllerFactory(contract, planner_settings, WorldModelCost(MODEL, ENERGY, cuts), ENERGY, **given)


def monitored(**limits: float) -> ControllerFactory:
    generator = torch.Generator().manual_seed(0)
    latents, states = torch.randn(500, 3, 4, generator=generator), torch.randn(500, 8, generator=generator)
    spec = OutOfDistributionSpec(**{**GENEROUS, **limits}, data="a test")
    return factory(small_contract(out_of_distribution=spec), latent_statistics=LatentStatistics.of(latents, states))


def budgets(made: ControllerFactory, goals: int, max_steps: int = 0, **asked: int) -> list[int]:
    found = made.goals([FAR] * goals, [Asked(**asked)] * goals, max_steps)
    return [goal.budget_steps for goal in found]


def test_a_goal_image_has_the_steps_that_the_settings_recommend():
    assert budgets(factory(), 3) == [5, 5, 5]
    assert budgets(factory(**IMAGINING, sub_goal_head=small_sub_goal_head()), 3) == [2, 2, 2]
    assert budgets(factory(**IMAGINING, imagine_sub_goals="never"), 3) == [5, 5, 5]


def test_the_last_goal_image_has_all_the_steps_that_are_allowed():
    assert budgets(factory(), 3, max_steps=45) == [5, 5, 45]
    assert budgets(factory(), 1, max_steps=15) == [15]


def test_what_is_asked_for_is_not_replaced():
    assert budgets(factory(), 2, max_steps=45, budget_steps=7) == [7, 7]
    goals = factory().goals([FAR, FAR], [Asked(tolerance=0.3), Asked()])
    assert [goal.tolerance for goal in goals] == [0.3, 0.2]


def test_goal_images_share_the_steps_of_all():
    made = factory()
    controller = made.controller(made.goals([FAR] * 2, [Asked()] * 2, max_steps=3), max_steps=3)
    seen = small_observation()
    decisions = [controller.step(seen) for _ in range(4)]
    assert [decision.kind for decision in decisions] == [DecisionKind.MOVE] * 3 + [DecisionKind.GAVE_UP]
    assert decisions[-1].reason is Reason.BUDGET_SPENT


@pytest.mark.parametrize(("mode", "imagined"), [("auto", True), ("never", False)])
def test_sub_goals_are_imagined_where_the_model_can_and_it_is_not_told_otherwise(mode, imagined):
    made = factory(**IMAGINING, sub_goal_head=small_sub_goal_head(), imagine_sub_goals=mode)
    seen = small_observation()
    decision = made.controller(made.goals([FAR], [Asked()])).step(seen)
    assert (decision.imagined is not None) == imagined


def test_a_model_that_tells_when_the_work_is_done_is_asked_by_the_rule_of_its_contract():
    seen = small_observation()
    for certainty, objects_hold in ((1e-9, True), (0.99, False)):
        lenient = small_planner(verdict=VerdictSettings(certainty=certainty, kept_certainty=1e-9))
        judged = replace(MODEL.contract, verdict=small_verdict_spec())
        made = factory(judged, lenient, verdict_head=small_verdict_head())
        decision = made.controller(made.goals([FAR], [Asked()])).step(seen)
        assert decision.verdict.objects_hold is objects_hold
    made = replace(made, verdict_head=None)
    assert made.controller(made.goals([FAR], [Asked()])).step(seen).verdict is None


def test_patience_is_that_of_the_settings():
    impatient = small_planner(progress=ProgressSettings(patience=1, energy_gain=0.9))
    made, seen = factory(planner_settings=impatient), small_observation()
    controller = made.controller(made.goals([FAR], [Asked()]))
    reasons = [controller.step(seen).reason for _ in range(2)]
    assert reasons == [Reason.ON_THE_WAY, Reason.STALLED]


def test_goals_are_judged_one_by_one_and_the_first_one_out_of_distribution_is_named():
    taken = []

    def pictures():
        for shown in (NEAR, FAR, NEAR):
            taken.append(shown)
            yield shown

    with pytest.raises(
        OutOfDistributionGoalError, match="goal image 2 is unlike what the model was trained on: distance"
    ):
        monitored(latent_distance=3.0).goals(pictures(), [Asked()] * 3)
    assert len(taken) == 2


def test_with_statistics_of_the_training_data_a_controller_is_monitored_and_without_it_is_not():
    strict = monitored(arm_error_m=1e-9)
    seen = small_observation()
    controller = strict.controller(strict.goals([FAR], [Asked()]))
    assert isinstance(controller, MonitoredController)
    assert controller.step(seen).reason is Reason.UNFAMILIAR_IMAGE
    trusting = replace(strict, latent_statistics=None)
    assert isinstance(trusting.controller(trusting.goals([FAR], [Asked()])), RecedingHorizonController)
