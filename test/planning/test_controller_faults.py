import math

import pytest
import torch
from controlled import FixedPlan, controller, goal, observe, run
from landscapes import PointWorld
from small_models import slot_predictor_config, small_contract, small_encoder, small_observation
from small_planner import ENERGY, small_planner

from jepa_planner.core.observation import Observation
from jepa_planner.model.predictor import ActionConditionedPredictor
from jepa_planner.model.sub_goal_head import Hypotheses
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.controller import ControllerSettings
from jepa_planner.planning.decision import DecisionKind, Goal, Reason
from jepa_planner.planning.factory import Asked, ControllerFactory
from jepa_planner.planning.rollout_cost import WorldModelCost
from jepa_planner.planning.solvers.table import SETTINGS, SOLVER_NAMES
from jepa_planner.planning.sub_goals import SubGoals, SubGoalSettings


class FailsOnce(PointWorld):
    """An imagination whose second call fails, as a remote one may."""

    def energies(self, context, goal, actions):
        energies = super().energies(context, goal, actions)
        if len(self.contexts) == 2:
            raise TimeoutError("no answer")
        return energies


def test_after_a_failed_rollout_the_step_can_be_tried_again():
    world = FailsOnce()
    control = controller(world, FixedPlan(), context_frames=2)
    control.start([goal(9.0, 0.0, 0.0)])
    control.step(observe((0.1, 0, 0)))
    with pytest.raises(TimeoutError):
        control.step(observe((0.2, 0, 0)))
    assert control.step(observe((0.3, 0, 0))).total_steps == 2
    assert world.contexts[-1].latents[:, 0, 0].tolist() == pytest.approx([0.1, 0.3])
    assert len(world.contexts[-1].actions) == 1


def test_there_is_nothing_to_forget_before_a_decision():
    control = controller()
    control.start([goal(1.0, 0.0, 0.0)])
    with pytest.raises(RuntimeError, match="no decided action"):
        control.forget_last_action()


def test_a_new_start_forgets_the_past():
    world = PointWorld()
    control = controller(world, FixedPlan(), context_frames=2)
    for _ in range(2):
        control.start([goal(9.0, 0.0, 0.0)])
        decision = control.step(observe((0, 0, 0)))
        assert decision.total_steps == 1
        assert (len(world.contexts[-1].latents), len(world.contexts[-1].actions)) == (1, 0)
        control.step(observe((0, 0, 0)))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_latent_that_is_not_finite_ends_the_work_by_name(bad):
    control = controller()
    control.start([goal(1.0, 0.0, 0.0)])
    decision = control.step(observe((0, bad, 0)))
    assert (decision.kind, decision.reason) == (DecisionKind.GAVE_UP, Reason.INVALID_LATENT)
    assert decision.action is None
    assert "NaN" in decision.message


def test_a_state_that_is_not_finite_ends_the_work_by_name():
    control = controller()
    control.start([goal(1.0, 0.0, 0.0)])
    seen = observe((0, 0, 0))
    seen.state[7] = math.nan
    assert control.step(seen).reason is Reason.INVALID_STATE


class BrokenWorld(PointWorld):
    def energies(self, context, goal, actions):
        return torch.full((len(actions),), math.nan)


def test_imagined_energies_that_are_not_finite_end_the_work_by_name():
    control = controller(BrokenWorld())
    control.start([goal(1.0, 0.0, 0.0)])
    decision = control.step(observe((0, 0, 0)))
    assert decision.reason is Reason.INVALID_ENERGY
    assert "100 of 100 energies" in decision.message


class Indifferent(PointWorld):
    """To which all actions are alike, but for the noise of rounding; also to the slope of the energies."""

    def __init__(self, energy: float, noise: float) -> None:
        super().__init__()
        self._energy, self._noise = energy, noise

    def energies(self, context, goal, actions):
        rounding = self._noise * torch.rand(len(actions), generator=torch.Generator().manual_seed(0))
        return self._energy * (1.0 + rounding) + 0.0 * actions.sum(dim=(1, 2))


@pytest.mark.parametrize(("energy", "noise"), [(0.5, 0.0), (0.0, 0.0), (3e4, 2e-7)], ids=["alike", "zero", "rounding"])
@pytest.mark.parametrize("answer", [*SOLVER_NAMES, "cem with the mean as its answer"])
def test_a_model_that_sees_no_difference_between_actions_moves_nothing(answer, energy, noise):
    changes = {"horizon": 2} if answer in SOLVER_NAMES else {"horizon": 2, "answer": "mean"}
    search = SETTINGS[answer.split()[0]](**changes)
    control = controller(Indifferent(energy, noise), search.solver(), seed=7)
    control.start([goal(1.0, 0.0, 0.0), goal(2.0, 0.0, 0.0)])
    decision = control.step(observe((0, 0, 0)))
    assert (decision.kind, decision.reason) == (DecisionKind.GAVE_UP, Reason.INVALID_ENERGY)
    assert (decision.action, decision.total_steps) == (None, 0)
    assert "the model sees no difference between actions" in decision.message
    assert "NaN" not in decision.message


def test_what_the_arm_alone_tells_does_not_hide_that_the_model_sees_no_difference():
    class ArmOnly:
        def __call__(self, now, goal):
            return Hypotheses(torch.full((1, 1, 1, 3), 5.0), torch.full((1, 1, 8), 0.2), torch.zeros(1, 1))

    sub_goal_settings = SubGoalSettings(arm_weight=100.0, near_goal=0.0, goal_distance=0.0)
    control = controller(Indifferent(0.5, 0.0), sub_goals=SubGoals(ArmOnly(), sub_goal_settings))
    control.start([goal(9.0, 9.0, 9.0)])
    decision = control.step(observe((0, 0, 0)))
    assert decision.reason is Reason.INVALID_ENERGY and "sees no difference" in decision.message


class Unsure(PointWorld):
    """NaN for one candidate, the same energy for all others."""

    def energies(self, context, goal, actions):
        energies = torch.full((len(actions),), 0.5)
        energies[-1] = math.nan
        return energies


def test_one_energy_that_is_not_finite_among_equal_ones_is_named_as_such():
    control = controller(Unsure())
    control.start([goal(1.0, 0.0, 0.0)])
    assert "1 of 100 energies are NaN or infinite" in control.step(observe((0, 0, 0))).message


def test_an_untrained_model_moves_nothing():
    """It predicts that nothing changes, whatever is done."""
    untrained = WorldModel(small_contract(), small_encoder(), ActionConditionedPredictor(slot_predictor_config()))
    factory = ControllerFactory(untrained.contract, small_planner(), WorldModelCost(untrained, ENERGY), ENERGY)
    control = factory.controller(factory.goals([small_observation(seed=9)], [Asked()]))
    assert "sees no difference" in control.step(small_observation()).message


def test_a_measured_energy_that_is_not_finite_ends_the_work_by_name():
    control = controller(solver=FixedPlan())
    control.start([goal(1e30, 0.0, 0.0)])
    assert control.step(observe((0, 0, 0))).reason is Reason.INVALID_ENERGY


@pytest.mark.parametrize("bad", [math.nan, 0.2], ids=["not finite", "beyond the bounds"])
def test_a_plan_that_is_not_safe_to_send_ends_the_work_by_name(bad):
    actions = torch.zeros(2, 7)
    actions[1, 0] = bad
    control = controller(solver=FixedPlan(actions))
    control.start([goal(1.0, 0.0, 0.0)])
    decision = control.step(observe((0, 0, 0)))
    assert (decision.reason, decision.action) == (Reason.INVALID_PLAN, None)


def test_after_its_end_work_needs_a_new_start():
    control = controller()
    with pytest.raises(RuntimeError, match="call start"):
        control.step(observe((0, 0, 0)))
    run(control, [goal(0.0, 0.0, 0.0)])
    with pytest.raises(RuntimeError, match="call start"):
        control.step(observe((0, 0, 0)))


def test_no_goals_are_refused():
    with pytest.raises(ValueError, match="at least one is needed"):
        controller().start([])


def test_a_latent_of_another_shape_than_the_goal_is_refused():
    control = controller()
    control.start([Goal(Observation(torch.zeros(2, 3)), 5, 0.1)])
    with pytest.raises(ValueError, match=r"shape \[1, 3\] given; the goal's is \[2, 3\]"):
        control.step(observe((0, 0, 0)))


@pytest.mark.parametrize(
    ("given", "name"),
    [((0, 0.1), "budget_steps"), ((5, -0.1), "tolerance"), ((5, math.nan), "tolerance")],
)
def test_impossible_goals_are_refused_by_name(given, name):
    with pytest.raises(ValueError, match=name):
        Goal(Observation(torch.zeros(1, 3)), *given)


def test_a_goal_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="goal's latent holds NaN"):
        goal(math.nan, 0.0, 0.0)


@pytest.mark.parametrize("given", [(0, 0), (1, -1), (1, 0, 0.0), (1, 0, math.nan)])
def test_impossible_controller_settings_are_refused(given):
    with pytest.raises(ValueError, match="context_frames >= 1, max_steps >= 0"):
        ControllerSettings(*given)


def test_every_reason_has_words():
    assert all(len(reason.value.split()) > 3 for reason in Reason)
