"""Which imagined sub-goal is planned for, with a head that says what the test wants it to say."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from jepa_planner.core.observation import Observation
from jepa_planner.model.sub_goal_head import Hypotheses
from jepa_planner.planning.sub_goals import GRIPPER_M, YAW_M, SubGoal, SubGoals, SubGoalSettings, imagines

SETTINGS = SubGoalSettings(
    arrived_distance=0.01, max_observations=3, back_distance=0.05, goal_distance=0.0, near_goal=0.0
)
GOAL = torch.full((1, 2), 9.0)


class ScriptedHead:
    """Guesses places on a line: at each call the next list of (place, logit), the last one from then on."""

    def __init__(self, *answers: Sequence[tuple[float, float]]) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[torch.Tensor, ...]] = []

    def __call__(self, now: Observation, goal: Observation) -> Hypotheses:
        self.asked.append((now.latent, now.state, goal.latent))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        places = torch.tensor([place for place, _ in answer])
        tcp = torch.nn.functional.pad(places[:, None], (0, 7))
        return Hypotheses(
            places[None, :, None, None].expand(1, -1, 1, 2),
            tcp[None],
            torch.tensor([[logit for _, logit in answer]]),
        )


def observe(sub_goals: SubGoals, place: float, goal: torch.Tensor = GOAL, tcp_m: float | None = None) -> SubGoal:
    state = torch.tensor([place if tcp_m is None else tcp_m] + 7 * [0.0])
    return sub_goals.target(Observation(torch.full((1, 2), place), state=state), Observation(goal))


def place_of(sub_goal: SubGoal) -> float:
    return sub_goal.latent[0, 0].item()


def followed(head: ScriptedHead, places: Sequence[float], settings: SubGoalSettings = SETTINGS) -> list[SubGoal]:
    sub_goals = SubGoals(head, settings)
    return [observe(sub_goals, place) for place in places]


def test_the_most_probable_guess_is_planned_for():
    (target,) = followed(ScriptedHead([(1.0, 0.0), (2.0, 1.0), (3.0, 0.5)]), [0.0])
    assert (target.hypothesis, place_of(target), target.state[0].item()) == (1, 2.0, 2.0)
    assert (target.number, target.observations) == (1, 1)


def test_of_pictures_that_show_each_keyframe_the_likely_guess_nearest_to_the_picture_is_planned_for():
    answer, goal = [(1.0, 2.0), (8.5, 0.0), (9.0, -3.0)], GOAL
    for goals, place in ((3, 1.0), (4, 8.5)):
        sub_goals = SubGoals(ScriptedHead(answer), replace(SETTINGS, sparse_goal_images=3), goals)
        assert place_of(observe(sub_goals, 0.0, goal)) == place, "the nearest of all is too unlikely"


def test_the_head_is_asked_at_every_observation_with_observation_and_goal():
    head = ScriptedHead([(1.0, 0.0)])
    followed(head, [0.0, 0.5])
    latents, states, goals = head.asked[1]
    assert latents.shape == (1, 1, 2) and latents[0, 0, 0] == 0.5 and states[0, 0] == 0.5
    assert torch.equal(goals[0], GOAL)


def test_the_guess_nearest_to_what_was_committed_to_refines_it_whatever_is_more_probable_by_then():
    head = ScriptedHead([(1.0, 1.0), (5.0, 0.0)], [(5.0, 9.0), (1.2, 0.0)], [(1.5, 0.0), (0.9, 9.0)])
    targets = followed(head, [0.0, 0.3, 0.6])
    assert [place_of(target) for target in targets] == pytest.approx([1.0, 1.2, 1.5])
    assert [target.hypothesis for target in targets] == [0, 1, 0]
    assert [(target.number, target.observations) for target in targets] == [(1, 1), (1, 2), (1, 3)]


def test_a_sub_goal_that_is_reached_makes_way_for_the_next():
    head = ScriptedHead([(1.0, 1.0), (2.0, 0.0)])
    targets = followed(head, [0.0, 0.95, 1.0])
    assert [place_of(target) for target in targets] == [1.0, 2.0, 2.0]
    assert [(target.number, target.observations) for target in targets] == [(1, 1), (2, 1), (2, 2)]


def test_a_guess_that_is_reached_already_is_not_chosen_unless_all_are():
    head = ScriptedHead([(0.05, 9.0), (2.0, 0.0), (3.0, 1.0)])
    assert place_of(followed(head, [0.0])[0]) == 3.0
    assert place_of(followed(ScriptedHead([(0.05, 1.0), (0.02, 2.0)]), [0.0])[0]) == pytest.approx(0.02)


def test_a_sub_goal_is_done_too_where_the_arm_stands_as_imagined_but_not_with_another_gripper():
    sub_goals = SubGoals(ScriptedHead([(1.0, 1.0), (2.0, 0.0)]), SETTINGS)
    assert [place_of(observe(sub_goals, 0.5, tcp_m=tcp_m)) for tcp_m in (0.5, 0.98, 0.995)] == [1.0, 1.0, 2.0]
    open_hand = SubGoals(ScriptedHead([(1.0, 0.0)]), SETTINGS)
    closed_hand = torch.tensor([1.0] + 5 * [0.0] + [1.0, 1.0])
    seen = Observation(torch.full((1, 2), 0.5), state=closed_hand)
    targets = [open_hand.target(seen, Observation(GOAL)) for _ in range(2)]
    assert [target.number for target in targets] == [1, 1]


def test_the_work_is_not_led_back_to_where_it_stood_before_unless_there_is_no_other_way():
    head = ScriptedHead([(1.0, 1.0), (2.0, 0.0)], [(0.1, 1.0), (2.0, 0.0)])
    assert [place_of(target) for target in followed(head, [0.0, 1.0])] == [1.0, 2.0]
    assert place_of(followed(head, [0.0, 1.0], replace(SETTINGS, back_sub_goals=0))[1]) == pytest.approx(0.1)
    only_back = ScriptedHead([(1.0, 1.0)], [(0.1, 1.0)])
    assert place_of(followed(only_back, [0.0, 1.0])[1]) == pytest.approx(0.1)


def test_a_sub_goal_that_is_observed_too_often_is_given_up_for_the_most_probable():
    head = ScriptedHead([(1.0, 1.0), (5.0, 0.0)], [(1.0, 0.0), (5.0, 1.0)])
    targets = followed(head, [0.0] * 5)
    assert [place_of(target) for target in targets] == [1.0, 1.0, 1.0, 5.0, 5.0]
    assert [target.observations for target in targets] == [1, 2, 3, 1, 2]


def test_energy_and_way_to_go_are_measured_from_the_observation():
    target = followed(ScriptedHead([(1.0, 0.0)]), [0.8])[0]
    assert target.energy == pytest.approx(0.04) and target.tolerance == 0.01
    assert target.tcp_away_m == pytest.approx(0.2)
    assert str(target) == "sub-goal 1 (imagined), observation 1, energy 0.04 (tolerance 0.01), tcp 20.0 cm from there"


def test_the_goal_picture_takes_the_place_of_a_guess_that_is_nearly_the_same():
    head, near = ScriptedHead([(8.9, 1.0), (5.0, 0.0)]), replace(SETTINGS, goal_distance=0.02)
    exact, guessed = followed(head, [0.0], near)[0], followed(head, [0.0])[0]
    assert exact.is_goal and place_of(exact) == 9.0 and exact.energy == pytest.approx(81.0)
    assert "the goal picture itself" in str(exact)
    assert not guessed.is_goal and place_of(guessed) == pytest.approx(8.9)


def test_near_the_goal_picture_guesses_do_not_count():
    head, near = ScriptedHead([(5.0, 1.0), (2.0, 0.0)]), replace(SETTINGS, near_goal=1.0)
    far_off, close_by = followed(head, [7.5], near)[0], followed(head, [8.5], near)[0]
    assert not far_off.is_goal and place_of(far_off) == 5.0
    assert close_by.is_goal and place_of(close_by) == 9.0


@pytest.mark.parametrize("goals", [1, 4])
def test_where_things_lie_elsewhere_the_picture_is_neither_near_nor_next_whatever_latents_say(goals):
    near = replace(SETTINGS, near_goal=1.0, sparse_goal_images=3)
    sub_goals = SubGoals(ScriptedHead([(5.0, 1.0), (8.9, 0.0)]), near, goals)
    seen = Observation(torch.full((1, 2), 8.5), state=torch.zeros(8))
    target = sub_goals.target(seen, Observation(GOAL), elsewhere=True)
    assert not target.is_goal and place_of(target) == 5.0


def test_another_goal_picture_begins_anew():
    sub_goals = SubGoals(ScriptedHead([(1.0, 1.0), (2.0, 0.0)], [(1.0, 0.0), (2.0, 1.0)]), SETTINGS)
    observe(sub_goals, 0.0)
    sub_goals.forget()
    target = observe(sub_goals, 0.0)
    assert (place_of(target), target.number, target.observations) == (2.0, 1, 1)


def test_targets_hold_no_gradients_but_may_enter_a_search_by_gradients():
    layer = torch.nn.Linear(1, 1)

    def head(now: Observation, goal: Observation) -> Hypotheses:
        return Hypotheses(layer(now.latent[..., None])[:, None, ..., 0], now.state[:, None], torch.zeros(1, 1))

    target = observe(SubGoals(head, SETTINGS), 1.0).latent
    action = torch.ones(1, 2, requires_grad=True)
    (target * action).sum().backward()
    assert not target.requires_grad and torch.equal(action.grad, target)


@pytest.mark.parametrize(
    ("mode", "settings", "goals", "expected"),
    [
        ("auto", SETTINGS, 3, True),
        ("auto", SETTINGS, 4, False),
        ("auto", None, 1, False),
        ("always", SETTINGS, 9, True),
        ("never", SETTINGS, 1, False),
        ("never", None, 1, False),
    ],
)
def test_few_goal_pictures_are_what_sub_goals_are_imagined_for(mode, settings, goals, expected):
    assert imagines(mode, settings, goals) is expected


def test_what_cannot_be_imagined_is_refused_in_words():
    with pytest.raises(ValueError, match="the model imagines none: add them to it with `jepa-planner train"):
        imagines("always", None, 1)
    with pytest.raises(ValueError, match="'on'; choose one of auto, always, never"):
        imagines("on", SETTINGS, 1)


@pytest.mark.parametrize(
    ("goals", "max_steps", "steps"), [(1, 0, 45), (3, 0, 15), (3, 30, 10), (1, 15, 15), (50, 0, 1)]
)
def test_goal_pictures_share_the_steps_evenly(goals, max_steps, steps):
    assert SETTINGS.steps_per_goal_image(goals, max_steps) == steps


@pytest.mark.parametrize(
    "changes",
    [
        {"arrived_distance": -0.1},
        {"arrived_distance": float("nan")},
        {"goal_distance": -1.0},
        {"arrived_m": float("nan")},
        {"back_sub_goals": -1},
        {"max_observations": 0},
        {"max_goal_images": 0},
        {"sparse_goal_images": -1},
        {"steps": 0},
    ],
)
def test_impossible_settings_are_refused(changes):
    with pytest.raises(ValueError, match=f"^{next(iter(changes))} is"):
        replace(SETTINGS, **changes)


def some_sub_goal(arm_weight: float = 1.0) -> SubGoal:
    """One whose arm is 10 cm ahead along x, turned by 1 rad and closed."""
    state = torch.tensor([0.1, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    return SubGoal(torch.zeros(1, 2), state, 0, 1, 1, 0.0, 0.0, 0.0, arm_weight=arm_weight)


def test_actions_that_bring_the_arm_to_where_it_is_imagined_have_less_energy():
    actions = torch.zeros(4, 2, 7)
    actions[1, 0, 0], actions[2, 0, 5], actions[3, 0, 6] = 0.1, 1.0, 1.0
    stays, goes, turns, closes = some_sub_goal().arm_energy(torch.zeros(8), actions).tolist()
    assert stays == pytest.approx(2 * (0.01 + YAW_M**2 + GRIPPER_M**2))
    assert stays - goes == pytest.approx(2 * 0.01)
    assert stays - turns == pytest.approx(2 * YAW_M**2)
    assert stays - closes == pytest.approx(2 * GRIPPER_M**2)
    assert some_sub_goal(arm_weight=0.0).arm_energy(torch.zeros(8), actions).tolist() == [0.0] * 4


def test_a_wrist_that_goes_past_half_a_turn_is_as_near_as_it_is():
    goal, state = some_sub_goal(), torch.tensor([0.1, 0.0, 0.0, 0.0, 0.0, 3.0, 1.0, 1.0])
    goal.state[5] = -3.0
    (stays,) = goal.arm_energy(state, torch.zeros(1, 1, 7)).tolist()
    assert stays == pytest.approx((YAW_M * (2 * math.pi - 6.0)) ** 2, rel=1e-4)


def test_a_gripper_cannot_be_more_than_closed():
    actions = torch.zeros(2, 1, 7)
    actions[1, 0, 6] = 1.0
    closed = torch.tensor([0.0] * 6 + [1.0, 1.0])
    once, twice = some_sub_goal().arm_energy(closed, actions).tolist()
    assert once == twice


def test_the_arm_counts_on_the_way_to_an_imagined_sub_goal_and_not_to_the_picture_itself():
    weighty = replace(SETTINGS, arm_weight=7.0)
    (imagined,) = followed(ScriptedHead([(1.0, 0.0)]), [0.0], weighty)
    (picture,) = followed(ScriptedHead([(1.0, 0.0)]), [0.0], replace(weighty, near_goal=1e9))
    assert (imagined.arm_weight, picture.arm_weight) == (7.0, 0.0)
    with pytest.raises(ValueError, match=r"arm_weight is -1\.0; it must be at least 0"):
        SubGoalSettings(arm_weight=-1.0)


def test_where_the_arm_stood_leads_back_too_where_that_is_asked_for():
    """Down at a place, to lift again is to stand where the arm stood before it came down."""
    high, low, aside = (torch.tensor([x, 0.0, z] + 5 * [0.0]) for x, z in ((0.0, 0.1), (0.0, 0.0), (0.3, 0.0)))

    class Lifts:
        def __call__(self, now: Observation, goal: Observation) -> Hypotheses:
            places = torch.stack([low if now.state[0, 2] > 0.05 else high, aside])
            return Hypotheses(torch.full((1, 2, 1, 2), 7.0), places[None], torch.tensor([[1.0, 0.0]]))

    for back_m, then in ((0.0, high), (0.03, aside)):
        sub_goals = SubGoals(Lifts(), replace(SETTINGS, back_m=back_m))
        seen_high, seen_low = (Observation(torch.zeros(1, 2), state=state) for state in (high, low))
        sub_goals.target(seen_high, Observation(GOAL))
        assert torch.equal(sub_goals.target(seen_low, Observation(GOAL)).state, then)
