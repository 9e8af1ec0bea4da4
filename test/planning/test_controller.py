import numpy as np
import pytest
import torch
from controlled import FixedPlan, controller, goal, observe, run
from landscapes import SPACE, PointWorld

from jepa_planner.model.world_model import Context
from jepa_planner.planning.controller import ControllerSettings, RecedingHorizonController
from jepa_planner.planning.decision import DecisionKind, Reason
from jepa_planner.planning.energy import SummedMse


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
    decision = control.step(observe((0, 0, 0)))
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
    decision = control.step(observe((0, 0, 0)))
    assert (decision.kind, decision.sub_goal, decision.sub_goals_reached) == (DecisionKind.MOVE, 2, 2)
    assert "goal image 1 reached" in decision.message and "goal image 2 reached" in decision.message


def test_an_intermediate_goal_is_left_when_its_budget_is_spent():
    control = controller(solver=FixedPlan())
    control.start([goal(9.0, 9.0, 9.0, budget_steps=2), goal(5.0, 5.0, 5.0, budget_steps=3)])
    decisions = [control.step(observe((0, 0, 0))) for _ in range(6)]
    assert [d.sub_goal for d in decisions] == [0, 0, 1, 1, 1, 1]
    assert [d.steps_in_sub_goal for d in decisions] == [1, 2, 1, 2, 3, 3]
    assert "goal image 1 left after its step budget" in decisions[2].message
    assert decisions[-1].kind is DecisionKind.GAVE_UP
    assert decisions[-1].reason is Reason.BUDGET_SPENT
    assert (decisions[-1].total_steps, decisions[-1].sub_goals_reached) == (5, 0)


def test_a_goal_reached_with_its_last_step_counts():
    control = controller(solver=FixedPlan())
    control.start([goal(1.0, 0.0, 0.0, budget_steps=1)])
    control.step(observe((0, 0, 0)))
    assert control.step(observe((1.0, 0, 0))).kind is DecisionKind.REACHED


def test_the_limit_over_all_goals_ends_the_work():
    control = controller(solver=FixedPlan(), max_steps=3)
    control.start([goal(9.0, 0.0, 0.0, budget_steps=2), goal(9.0, 1.0, 0.0, budget_steps=9)])
    decisions = [control.step(observe((0, 0, 0))) for _ in range(4)]
    assert [d.kind for d in decisions] == [DecisionKind.MOVE] * 3 + [DecisionKind.GAVE_UP]
    assert decisions[-1].reason is Reason.BUDGET_SPENT


def test_the_same_seed_gives_the_same_decisions():
    first, second = controller(seed=3), controller(seed=3)
    goals = [goal(0.25, -0.15, 0.1)]
    actions = [[d.action.tolist() for d in run(c, goals)[0][:-1]] for c in (first, first, second)]
    assert actions[0] == actions[1] == actions[2]
    assert actions[0] != [d.action.tolist() for d in run(controller(seed=4), goals)[0][:-1]]


def test_the_rest_of_a_plan_is_the_next_warm_start_until_the_goal_changes():
    solver = FixedPlan(torch.full((2, 7), 0.05))
    solver.actions[:, 3:6] = 0.0
    control = controller(solver=solver)
    control.start([goal(9.0, 0.0, 0.0, budget_steps=2), goal(8.0, 0.0, 0.0)])
    for _ in range(3):
        control.step(observe((0, 0, 0)))
    first, second, third = solver.proposals
    assert len(first) == len(third) == 0
    assert torch.equal(second, torch.stack([solver.actions[1], torch.zeros(7)])[None])


def test_proposals_of_a_source_come_after_the_rest_of_the_plan_before():
    asked = []

    def source(context: Context, goal: torch.Tensor, horizon: int) -> torch.Tensor:
        asked.append((context.latents[-1], goal, horizon))
        return torch.full((3, horizon, 7), 0.03)

    solver = FixedPlan()
    control = controller(solver=solver, proposals=source)
    control.start([goal(9.0, 0.0, 0.0)])
    for _ in range(2):
        control.step(observe((0.1, 0, 0)))
    assert [len(given) for given in solver.proposals] == [3, 4]
    assert (solver.proposals[1][0] == 0).all() and (solver.proposals[1][1:] == 0.03).all()
    latent, wanted, horizon = asked[0]
    assert (latent[0, 0].item(), wanted[0, 0].item(), horizon) == (pytest.approx(0.1), 9.0, 2)


def test_the_deadline_is_handed_to_the_search():
    solver = FixedPlan()
    control = RecedingHorizonController(
        PointWorld(), solver, SPACE, SummedMse(), ControllerSettings(deadline_s=0.2), seed=0
    )
    control.start([goal(9.0, 0.0, 0.0)])
    control.step(observe((0, 0, 0)))
    assert solver.deadlines_s == [0.2]


def test_history_grows_to_the_context_and_pairs_states_with_the_actions_between():
    world, solver = PointWorld(), FixedPlan(torch.tensor([[0.01, 0, 0, 0, 0, 0, 0.0]] * 2))
    control = controller(world, solver, context_frames=3)
    control.start([goal(9.0, 0.0, 0.0)])
    for step in range(5):
        solver.actions = solver.actions.clone()
        solver.actions[0, 0] = 0.01 * step
        control.step(observe((float(step), 0, 0)))
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
        control.step(observe((0, 0, 0)))
        control.note_executed(np.full(7, 0.5))
    control.step(observe((0, 0, 0)))
    assert [c.actions.tolist() for c in world.contexts[1:]] == [[[0.5] * 7]] * 2


def test_a_refused_action_is_no_step_and_leaves_no_trace():
    world = PointWorld()
    control = controller(world, FixedPlan(), context_frames=2)
    control.start([goal(9.0, 0.0, 0.0)])
    control.step(observe((0.1, 0, 0)))
    control.step(observe((0.2, 0, 0)))
    control.forget_last_action()
    decision = control.step(observe((0.3, 0, 0)))
    assert (decision.steps_in_sub_goal, decision.total_steps) == (2, 2)
    assert world.contexts[-1].latents[:, 0, 0].tolist() == pytest.approx([0.1, 0.3])
    assert len(world.contexts[-1].actions) == 1
