import math

import pytest
import torch
from controlled import FixedPlan, controller, goal, observe, run
from landscapes import PointWorld

from jepa_planner.planning.controller import ControllerSettings
from jepa_planner.planning.decision import DecisionKind, Goal, Reason


class FailsOnce(PointWorld):
    """An imagination whose second call fails, as a remote one may."""

    def energies(self, context, goal, actions):
        energies = super().energies(context, goal, actions)
        if len(self.contexts) == 2:
            raise TimeoutError("no answer")
        return energies


def test_after_a_failed_imagination_the_step_can_be_tried_again():
    world = FailsOnce()
    control = controller(world, FixedPlan(), context_frames=2)
    control.start([goal(9.0, 0.0, 0.0)])
    control.step(*observe((0.1, 0, 0)))
    with pytest.raises(TimeoutError):
        control.step(*observe((0.2, 0, 0)))
    assert control.step(*observe((0.3, 0, 0))).total_steps == 2
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
        decision = control.step(*observe((0, 0, 0)))
        assert decision.total_steps == 1
        assert (len(world.contexts[-1].latents), len(world.contexts[-1].actions)) == (1, 0)
        control.step(*observe((0, 0, 0)))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_latent_that_is_not_finite_ends_the_work_by_name(bad):
    control = controller()
    control.start([goal(1.0, 0.0, 0.0)])
    decision = control.step(*observe((0, bad, 0)))
    assert (decision.kind, decision.reason) == (DecisionKind.GAVE_UP, Reason.INVALID_LATENT)
    assert decision.action is None
    assert "NaN" in decision.message


def test_a_state_that_is_not_finite_ends_the_work_by_name():
    control = controller()
    control.start([goal(1.0, 0.0, 0.0)])
    latent, state = observe((0, 0, 0))
    state[7] = math.nan
    assert control.step(latent, state).reason is Reason.INVALID_STATE


class BrokenWorld(PointWorld):
    def energies(self, context, goal, actions):
        return torch.full((len(actions),), math.nan)


def test_imagined_energies_that_are_not_finite_end_the_work_by_name():
    control = controller(BrokenWorld())
    control.start([goal(1.0, 0.0, 0.0)])
    decision = control.step(*observe((0, 0, 0)))
    assert decision.reason is Reason.INVALID_ENERGY
    assert "100 of 100 energies" in decision.message


def test_a_measured_energy_that_is_not_finite_ends_the_work_by_name():
    control = controller(optimiser=FixedPlan())
    control.start([goal(1e30, 0.0, 0.0)])
    assert control.step(*observe((0, 0, 0))).reason is Reason.INVALID_ENERGY


@pytest.mark.parametrize("bad", [math.nan, 0.2], ids=["not finite", "beyond the bounds"])
def test_a_plan_that_is_not_safe_to_send_ends_the_work_by_name(bad):
    actions = torch.zeros(2, 7)
    actions[1, 0] = bad
    control = controller(optimiser=FixedPlan(actions))
    control.start([goal(1.0, 0.0, 0.0)])
    decision = control.step(*observe((0, 0, 0)))
    assert (decision.reason, decision.action) == (Reason.INVALID_PLAN, None)


def test_after_its_end_work_needs_a_new_start():
    control = controller()
    with pytest.raises(RuntimeError, match="call start"):
        control.step(*observe((0, 0, 0)))
    run(control, [goal(0.0, 0.0, 0.0)])
    with pytest.raises(RuntimeError, match="call start"):
        control.step(*observe((0, 0, 0)))


def test_no_goals_are_refused():
    with pytest.raises(ValueError, match="at least one is needed"):
        controller().start([])


def test_a_latent_of_another_shape_than_the_goal_is_refused():
    control = controller()
    control.start([Goal(torch.zeros(2, 3), 5, 0.1)])
    with pytest.raises(ValueError, match=r"shape \[1, 3\] given; the goal's latent is \[2, 3\]"):
        control.step(*observe((0, 0, 0)))


@pytest.mark.parametrize(
    ("given", "name"),
    [((0, 0.1), "budget_steps"), ((5, -0.1), "tolerance"), ((5, math.nan), "tolerance")],
)
def test_impossible_goals_are_refused_by_name(given, name):
    with pytest.raises(ValueError, match=name):
        Goal(torch.zeros(1, 3), *given)


def test_a_goal_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="goal's latent holds NaN"):
        goal(math.nan, 0.0, 0.0)


@pytest.mark.parametrize("given", [(0, 0), (1, -1), (1, 0, 0.0), (1, 0, math.nan)])
def test_impossible_controller_settings_are_refused(given):
    with pytest.raises(ValueError, match="context_frames >= 1, max_steps and latent_tokens >= 0"):
        ControllerSettings(*given)


def test_every_reason_has_words():
    assert all(len(reason.value.split()) > 3 for reason in Reason)
