import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from landscapes import SPACE, PointWorld, settings

from jepa_planner.planning.cem import CrossEntropyMethod
from jepa_planner.planning.controller import (
    ControllerSettings,
    Decision,
    DecisionKind,
    Goal,
    Reason,
    RecedingHorizonController,
)
from jepa_planner.planning.energy import SummedMse
from jepa_planner.planning.plan import Plan
from jepa_planner.planning.sub_goals import SubGoals, SubGoalSettings
from jepa_planner.world_model.sub_goal_head import Hypotheses
from jepa_planner.world_model.world_model import Context

REACHED_ENERGY = 1e-4


def goal(*xyz: float, budget_steps: int = 10, tolerance: float = REACHED_ENERGY) -> Goal:
    return Goal(torch.tensor([xyz]), budget_steps, tolerance)


def controller(
    imagination=None,
    optimiser=None,
    context_frames: int = 1,
    max_steps: int = 0,
    seed: int = 0,
    proposals=None,
    sub_goals=None,
    **search,
) -> RecedingHorizonController:
    return RecedingHorizonController(
        imagination or PointWorld(),
        optimiser or CrossEntropyMethod(settings(**{"samples": 100, "iterations": 6, "elites": 8, **search})),
        SPACE,
        SummedMse(),
        ControllerSettings(context_frames, max_steps),
        seed,
        proposals,
        sub_goals,
    )


def observe(xyz: Sequence[float]) -> tuple[torch.Tensor, torch.Tensor]:
    latent = torch.tensor([list(xyz)], dtype=torch.float32)
    return latent, torch.cat([latent[0], torch.zeros(5)])


def run(
    control: RecedingHorizonController, goals: Sequence[Goal], most: int = 100
) -> tuple[list[Decision], np.ndarray]:
    """Obeys every decision in a world that does what it is told; returns the decisions and the last position."""
    control.start(goals)
    position, decisions = np.zeros(3), []
    for _ in range(most):
        decisions.append(control.step(*observe(position)))
        if decisions[-1].kind is not DecisionKind.MOVE:
            return decisions, position
        position = position + decisions[-1].action[:3]
    raise AssertionError(f"no end after {most} steps")


class FixedPlan:
    """`Optimiser` that always gives the same actions and records what it was given; moves nothing by default."""

    def __init__(self, actions: torch.Tensor | None = None) -> None:
        self.actions = torch.zeros(2, 7) if actions is None else actions
        self.proposals: list[torch.Tensor | None] = []
        self.deadlines_s: list[float] = []
        self.horizon = len(self.actions)

    def plan(self, energy_of, action_space, proposals, noise, deadline_s=math.inf) -> Plan:
        self.proposals.append(proposals)
        self.deadlines_s.append(deadline_s)
        energy_of(self.actions[None])
        return Plan(self.actions, energy=1.0, evaluations=1, seconds=0.0)


def test_a_goal_within_reach_is_reached():
    decisions, position = run(controller(), [goal(0.25, -0.15, 0.1)])
    assert decisions[-1].kind is DecisionKind.REACHED
    assert decisions[-1].reason is Reason.REACHED
    assert np.abs(position - [0.25, -0.15, 0.1]).max() < 0.03
    assert decisions[-1].total_steps == len(decisions) - 1
    assert decisions[-1].action is None and decisions[-1].plan is None


def test_the_action_is_the_first_of_the_plan():
    control = controller()
    control.start([goal(0.3, 0.0, 0.0)])
    decision = control.step(*observe((0, 0, 0)))
    assert decision.action.dtype == np.float32
    assert decision.action.tolist() == decision.plan.actions[0].tolist()
    assert decision.reason is Reason.ON_THE_WAY


def test_a_goal_that_is_already_there_needs_no_step():
    decisions, _ = run(controller(), [goal(0.0, 0.0, 0.0)])
    assert len(decisions) == 1
    assert decisions[0].kind is DecisionKind.REACHED


def test_sub_goals_are_pursued_in_order():
    goals = [goal(0.2, 0.0, 0.0), goal(0.2, 0.2, 0.0), goal(0.0, 0.2, 0.0)]
    decisions, position = run(controller(), goals)
    assert decisions[-1].kind is DecisionKind.REACHED
    assert [d.sub_goal for d in decisions] == sorted(d.sub_goal for d in decisions)
    assert {d.sub_goal for d in decisions} == {0, 1, 2}
    assert decisions[-1].sub_goals_reached == 3
    assert np.abs(position - [0.0, 0.2, 0.0]).max() < 0.03


def test_several_goals_reached_at_once_are_passed_in_one_step():
    control = controller()
    control.start([goal(0.0, 0.0, 0.0), goal(0.0, 0.0, 0.0), goal(0.5, 0.0, 0.0)])
    decision = control.step(*observe((0, 0, 0)))
    assert (decision.kind, decision.sub_goal, decision.sub_goals_reached) == (DecisionKind.MOVE, 2, 2)
    assert "goal image 1 reached" in decision.message and "goal image 2 reached" in decision.message


def test_an_intermediate_goal_is_left_when_its_budget_is_spent():
    control = controller(optimiser=FixedPlan())
    control.start([goal(9.0, 9.0, 9.0, budget_steps=2), goal(5.0, 5.0, 5.0, budget_steps=3)])
    decisions = [control.step(*observe((0, 0, 0))) for _ in range(6)]
    assert [d.sub_goal for d in decisions] == [0, 0, 1, 1, 1, 1]
    assert [d.steps_in_sub_goal for d in decisions] == [1, 2, 1, 2, 3, 3]
    assert "goal image 1 left after its step budget" in decisions[2].message
    assert decisions[-1].kind is DecisionKind.GAVE_UP
    assert decisions[-1].reason is Reason.BUDGET_SPENT
    assert (decisions[-1].total_steps, decisions[-1].sub_goals_reached) == (5, 0)


def test_a_goal_reached_with_its_last_step_counts():
    control = controller(optimiser=FixedPlan())
    control.start([goal(1.0, 0.0, 0.0, budget_steps=1)])
    control.step(*observe((0, 0, 0)))
    assert control.step(*observe((1.0, 0, 0))).kind is DecisionKind.REACHED


def test_the_limit_over_all_goals_ends_the_work():
    control = controller(optimiser=FixedPlan(), max_steps=3)
    control.start([goal(9.0, 0.0, 0.0, budget_steps=2), goal(9.0, 1.0, 0.0, budget_steps=9)])
    decisions = [control.step(*observe((0, 0, 0))) for _ in range(4)]
    assert [d.kind for d in decisions] == [DecisionKind.MOVE] * 3 + [DecisionKind.GAVE_UP]
    assert decisions[-1].reason is Reason.BUDGET_SPENT


def test_the_same_seed_gives_the_same_decisions():
    first, second = controller(seed=3), controller(seed=3)
    goals = [goal(0.25, -0.15, 0.1)]
    actions = [[d.action.tolist() for d in run(c, goals)[0][:-1]] for c in (first, first, second)]
    assert actions[0] == actions[1] == actions[2]
    assert actions[0] != [d.action.tolist() for d in run(controller(seed=4), goals)[0][:-1]]


def test_the_rest_of_a_plan_is_the_next_warm_start_until_the_goal_changes():
    optimiser = FixedPlan(torch.full((2, 7), 0.05))
    optimiser.actions[:, 3:6] = 0.0
    control = controller(optimiser=optimiser)
    control.start([goal(9.0, 0.0, 0.0, budget_steps=2), goal(8.0, 0.0, 0.0)])
    for _ in range(3):
        control.step(*observe((0, 0, 0)))
    first, second, third = optimiser.proposals
    assert len(first) == len(third) == 0
    assert torch.equal(second, torch.stack([optimiser.actions[1], torch.zeros(7)])[None])


def test_proposals_of_a_source_come_after_the_rest_of_the_plan_before():
    asked = []

    def source(context: Context, goal: torch.Tensor, horizon: int) -> torch.Tensor:
        asked.append((context.latents[-1], goal, horizon))
        return torch.full((3, horizon, 7), 0.03)

    optimiser = FixedPlan()
    control = controller(optimiser=optimiser, proposals=source)
    control.start([goal(9.0, 0.0, 0.0)])
    for _ in range(2):
        control.step(*observe((0.1, 0, 0)))
    assert [len(given) for given in optimiser.proposals] == [3, 4]
    assert (optimiser.proposals[1][0] == 0).all() and (optimiser.proposals[1][1:] == 0.03).all()
    latent, wanted, horizon = asked[0]
    assert (latent[0, 0].item(), wanted[0, 0].item(), horizon) == (pytest.approx(0.1), 9.0, 2)


def test_the_deadline_is_handed_to_the_search():
    optimiser = FixedPlan()
    control = RecedingHorizonController(
        PointWorld(), optimiser, SPACE, SummedMse(), ControllerSettings(deadline_s=0.2), seed=0
    )
    control.start([goal(9.0, 0.0, 0.0)])
    control.step(*observe((0, 0, 0)))
    assert optimiser.deadlines_s == [0.2]


def test_history_grows_to_the_context_and_pairs_states_with_the_actions_between():
    world, optimiser = PointWorld(), FixedPlan(torch.tensor([[0.01, 0, 0, 0, 0, 0, 0.0]] * 2))
    control = controller(world, optimiser, context_frames=3)
    control.start([goal(9.0, 0.0, 0.0)])
    for step in range(5):
        optimiser.actions = optimiser.actions.clone()
        optimiser.actions[0, 0] = 0.01 * step
        control.step(*observe((float(step), 0, 0)))
    sizes = [(len(c.latents), len(c.states), len(c.actions)) for c in world.contexts]
    assert sizes == [(1, 1, 0), (2, 2, 1), (3, 3, 2), (3, 3, 2), (3, 3, 2)]
    last = world.contexts[-1]
    assert last.latents[:, 0, 0].tolist() == [2.0, 3.0, 4.0]
    assert last.states[:, 0].tolist() == [2.0, 3.0, 4.0]
    assert last.actions[:, 0].tolist() == pytest.approx([0.02, 0.03])
    assert last.actions.shape == (2, 7)


def test_an_action_reported_as_executed_replaces_the_decided_one():
    world = PointWorld()
    control = controller(world, FixedPlan(), context_frames=2)
    control.start([goal(9.0, 0.0, 0.0)])
    for _ in range(2):
        control.step(*observe((0, 0, 0)))
        control.note_executed(np.full(7, 0.5))
    control.step(*observe((0, 0, 0)))
    assert [c.actions.tolist() for c in world.contexts[1:]] == [[[0.5] * 7]] * 2


def test_a_refused_action_is_no_step_and_leaves_no_trace():
    world = PointWorld()
    control = controller(world, FixedPlan(), context_frames=2)
    control.start([goal(9.0, 0.0, 0.0)])
    control.step(*observe((0.1, 0, 0)))
    control.step(*observe((0.2, 0, 0)))
    control.forget_last_action()
    decision = control.step(*observe((0.3, 0, 0)))
    assert (decision.steps_in_sub_goal, decision.total_steps) == (2, 2)
    assert world.contexts[-1].latents[:, 0, 0].tolist() == pytest.approx([0.1, 0.3])
    assert len(world.contexts[-1].actions) == 1


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
    with pytest.raises(ValueError, match="context_frames >= 1, max_steps >= 0 and deadline_s > 0"):
        ControllerSettings(*given)


def test_every_reason_has_words():
    assert all(len(reason.value.split()) > 3 for reason in Reason)


CORNER = (0.2, 0.0, 0.0)


class AroundTheCorner:
    """A head whose first guess is a corner, until that lies behind, and then the goal; the other is far away."""

    def __init__(self) -> None:
        self.goals: list[torch.Tensor] = []

    def __call__(self, latents: torch.Tensor, states: torch.Tensor, goals: torch.Tensor) -> Hypotheses:
        self.goals.append(goals[0])
        turned = latents[0, 0, 0] > 0.18
        next_moment = goals[0] if turned else torch.tensor([CORNER])
        places = torch.stack([next_moment, torch.full((1, 3), 5.0)])[None]
        return Hypotheses(places, torch.nn.functional.pad(places[:, :, 0], (0, 5)), torch.tensor([[1.0, 0.0]]))


def around_the_corner(head=None, **settings) -> SubGoals:
    return SubGoals(
        head or AroundTheCorner(), SubGoalSettings(**{"arrived_distance": 1e-4, "max_looks": 9, **settings})
    )


def test_plans_lead_to_imagined_moments_and_the_goal_picture_ends_the_goal():
    way = [goal(0.2, 0.2, 0.0)]
    straight, _ = run(controller(), way)
    decisions, position = run(controller(sub_goals=around_the_corner()), way)
    assert all(abs(decision.action[1]) < 0.02 for decision in decisions[:2]), "first to the corner"
    assert straight[0].action[1] > 0.05
    assert decisions[-1].kind is DecisionKind.REACHED and decisions[-1].energy <= REACHED_ENERGY
    assert np.abs(position - [0.2, 0.2, 0.0]).max() < 0.03
    numbers = [decision.imagined.number for decision in decisions[:-1]]
    assert numbers == sorted(numbers) and numbers[0] == 1 and numbers[-1] == 2
    assert decisions[-1].imagined is None


def test_a_decision_says_which_moment_is_pursued_and_how_near_it_is():
    control = controller(sub_goals=around_the_corner())
    control.start([goal(0.2, 0.2, 0.0)])
    decision = control.step(*observe((0.1, 0, 0)))
    assert decision.message.startswith("goal image 1 of 1, step 1 of 10, energy 0.01667 (tolerance 0.0001)")
    assert (
        "; moment 1 (imagined), look 1, energy 0.003333 (tolerance 0.0001), tcp 10.0 cm from there" in decision.message
    )
    assert decision.energy == pytest.approx((0.1**2 + 0.2**2) / 3), "that to the goal picture"
    assert torch.equal(decision.imagined.latent, torch.tensor([CORNER]))


def test_without_sub_goals_nothing_is_imagined():
    control = controller()
    control.start([goal(0.2, 0.2, 0.0)])
    decision = control.step(*observe((0, 0, 0)))
    assert decision.imagined is None and "moment" not in decision.message


def test_moments_are_imagined_toward_each_goal_picture_in_turn_and_anew_for_each():
    head = AroundTheCorner()
    control = controller(optimiser=FixedPlan(), sub_goals=around_the_corner(head))
    control.start([goal(8.0, 0.0, 0.0, budget_steps=2), goal(9.0, 0.0, 0.0)])
    decisions = [control.step(*observe((0, 0, 0))) for _ in range(3)]
    assert [wanted[0, 0].item() for wanted in head.goals] == [8.0, 8.0, 9.0]
    assert [(d.imagined.number, d.imagined.looks) for d in decisions] == [(1, 1), (1, 2), (1, 1)]
    control.start([goal(8.0, 0.0, 0.0)])
    assert control.step(*observe((0, 0, 0))).imagined.looks == 1


def test_proposals_are_asked_for_toward_the_imagined_moment():
    asked = []

    def source(context: Context, goal: torch.Tensor, horizon: int) -> torch.Tensor:
        asked.append(goal)
        return torch.zeros(1, horizon, 7)

    control = controller(optimiser=FixedPlan(), proposals=source, sub_goals=around_the_corner())
    control.start([goal(0.2, 0.2, 0.0)])
    control.step(*observe((0, 0, 0)))
    assert torch.equal(asked[0], torch.tensor([CORNER]))


def test_a_head_that_imagines_no_numbers_ends_the_goal_by_name():
    def broken(latents: torch.Tensor, states: torch.Tensor, goals: torch.Tensor) -> Hypotheses:
        nothing = torch.full((1, 2, *latents.shape[1:]), math.nan)
        return Hypotheses(nothing, states[:, None].expand(-1, 2, -1), torch.zeros(1, 2))

    control = controller(sub_goals=SubGoals(broken, SubGoalSettings()))
    control.start([goal(0.2, 0.2, 0.0)])
    decision = control.step(*observe((0, 0, 0)))
    assert (decision.kind, decision.reason) == (DecisionKind.GAVE_UP, Reason.INVALID_ENERGY)
