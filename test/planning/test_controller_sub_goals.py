import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from controlled import REACHED_ENERGY, FixedPlan, controller, goal, observe, run

from jepa_planner.core.observation import Observation
from jepa_planner.model.sub_goal_head import Hypotheses
from jepa_planner.model.world_model import Context
from jepa_planner.planning.decision import DecisionKind, Reason
from jepa_planner.planning.sub_goals import SubGoals, SubGoalSettings

CORNER = (0.2, 0.0, 0.0)


class AroundTheCorner:
    """A head whose first guess is a corner, until that lies behind, and then the goal; the other is far away."""

    def __init__(self) -> None:
        self.goals: list[torch.Tensor] = []

    def __call__(self, now: Observation, goal: Observation) -> Hypotheses:
        self.goals.append(goal.latent[0])
        turned = now.latent[0, 0, 0] > 0.18
        next_moment = goal.latent[0] if turned else torch.tensor([CORNER])
        places = torch.stack([next_moment, torch.full((1, 3), 5.0)])[None]
        return Hypotheses(places, torch.nn.functional.pad(places[:, :, 0], (0, 5)), torch.tensor([[1.0, 0.0]]))


def around_the_corner(head=None, **settings) -> SubGoals:
    return SubGoals(
        head or AroundTheCorner(),
        SubGoalSettings(
            **{"arrived_distance": 1e-4, "max_observations": 9, "goal_distance": 0.0, "near_goal": 0.0, **settings}
        ),
    )


def test_plans_lead_to_imagined_sub_goals_and_the_goal_picture_ends_the_goal():
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


def test_a_decision_says_which_sub_goal_is_pursued_and_how_near_it_is():
    control = controller(sub_goals=around_the_corner())
    control.start([goal(0.2, 0.2, 0.0)])
    decision = control.step(observe((0.1, 0, 0)))
    assert decision.message.startswith("goal image 1 of 1, step 1 of 10, energy 0.01667 (tolerance 0.0001)")
    assert (
        "; sub-goal 1 (imagined), observation 1, energy 0.003333 (tolerance 0.0001), tcp 10.0 cm from there"
        in decision.message
    )
    assert decision.energy == pytest.approx((0.1**2 + 0.2**2) / 3), "that to the goal picture"
    assert torch.equal(decision.imagined.latent, torch.tensor([CORNER]))


def test_observations_after_which_the_arm_refused_to_move_do_not_count_toward_leaving_a_sub_goal():
    control = controller(sub_goals=around_the_corner(max_observations=2))
    control.start([goal(0.2, 0.2, 0.0)])
    observations = []
    for refused in (True, True, False, True, False, False):
        imagined = control.step(observe((0.1, 0, 0))).imagined
        observations.append((imagined.number, imagined.observations))
        if refused:
            control.forget_last_action()
    assert observations == [(1, 1), (1, 1), (1, 1), (1, 2), (1, 2), (2, 1)]


def test_without_sub_goals_nothing_is_imagined():
    control = controller()
    control.start([goal(0.2, 0.2, 0.0)])
    decision = control.step(observe((0, 0, 0)))
    assert decision.imagined is None and "moment" not in decision.message


def test_sub_goals_are_imagined_toward_each_goal_picture_in_turn_and_anew_for_each():
    head = AroundTheCorner()
    control = controller(solver=FixedPlan(), sub_goals=around_the_corner(head))
    control.start([goal(8.0, 0.0, 0.0, budget_steps=2), goal(9.0, 0.0, 0.0)])
    decisions = [control.step(observe((0, 0, 0))) for _ in range(3)]
    assert [wanted[0, 0].item() for wanted in head.goals] == [8.0, 8.0, 9.0]
    assert [(d.imagined.number, d.imagined.observations) for d in decisions] == [(1, 1), (1, 2), (1, 1)]
    control.start([goal(8.0, 0.0, 0.0)])
    assert control.step(observe((0, 0, 0))).imagined.observations == 1


def test_proposals_are_asked_for_toward_the_imagined_sub_goal():
    asked = []

    def source(context: Context, goal: torch.Tensor, horizon: int) -> torch.Tensor:
        asked.append(goal)
        return torch.zeros(1, horizon, 7)

    control = controller(solver=FixedPlan(), proposals=source, sub_goals=around_the_corner())
    control.start([goal(0.2, 0.2, 0.0)])
    control.step(observe((0, 0, 0)))
    assert torch.equal(asked[0], torch.tensor([CORNER]))


def test_a_head_that_imagines_no_numbers_ends_the_goal_by_name():
    def broken(now: Observation, goal: Observation) -> Hypotheses:
        nothing = torch.full((1, 2, *now.latent.shape[1:]), math.nan)
        return Hypotheses(nothing, now.state[:, None].expand(-1, 2, -1), torch.zeros(1, 2))

    control = controller(sub_goals=SubGoals(broken, SubGoalSettings(near_goal=0.0)))
    control.start([goal(0.2, 0.2, 0.0)])
    decision = control.step(observe((0, 0, 0)))
    assert (decision.kind, decision.reason) == (DecisionKind.GAVE_UP, Reason.INVALID_ENERGY)


class Sees:
    """A head that notes what it is given and guesses that the goal comes next."""

    def __init__(self) -> None:
        self.given: list[tuple[int, ...]] = []

    def __call__(self, now: Observation, goal: Observation) -> Hypotheses:
        self.given = now.images, goal.images
        places = goal.latent[:, None, :1]
        return Hypotheses(places, torch.nn.functional.pad(places[:, :, 0], (0, 5)), torch.zeros(1, 1))


def test_pictures_reach_the_head_and_neither_energy_nor_rollouts():
    head, way = Sees(), goal(0.2, 0.2, 0.0)
    plain = controller(sub_goals=around_the_corner(Sees()))
    plain.start([way])
    expected = plain.step(observe((0.1, 0, 0)))
    control = controller(sub_goals=around_the_corner(head))
    images = torch.full((1, 3, 2, 2), 50.0)
    control.start([replace(way, shown=replace(way.shown, images=images))])
    decision = control.step(replace(observe((0.1, 0, 0)), images=-images))
    assert torch.equal(head.given[0], -images[None]) and torch.equal(head.given[1], images[None])
    assert decision.energy == expected.energy
    assert np.array_equal(decision.action, expected.action)


def test_an_observation_of_other_shapes_than_the_goals_is_refused():
    control, seen = controller(), observe((0.1, 0, 0))
    control.start([goal(0.2, 0.2, 0.0)])
    with pytest.raises(ValueError, match=r"images: shape \[1, 3, 2, 2\] given; the goal's is None"):
        control.step(replace(seen, images=torch.zeros(1, 3, 2, 2)))
    with pytest.raises(ValueError, match="has no arm state"):
        control.step(replace(seen, state=None))
