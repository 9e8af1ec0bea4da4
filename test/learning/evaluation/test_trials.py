import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_model import SureHead, imagining, judging, tiny_head, tiny_model, tiny_planner

from jepa_planner.learning.evaluation.policies import (
    ExpertPolicy,
    NoopPolicy,
    PixelPolicy,
    RandomPolicy,
    WorldModelPolicy,
    baseline_policy,
)
from jepa_planner.learning.evaluation.scenes import make_scene
from jepa_planner.learning.evaluation.trials import Trial, TrialSettings, run_trial, run_trials
from jepa_planner.model.contract_sections import OutOfDistributionSpec
from jepa_planner.model.latent_statistics import LatentStatistics
from jepa_planner.planning.decision import DecisionKind, Reason, gave_up
from jepa_planner.planning.sub_goals import SubGoalSettings
from jepa_planner.planning.verdict import Verdict, VerdictSettings
from jepa_planner_sim.collect_settings import EVALUATION_SEED_START
from jepa_planner_sim.envs import GoalImageError, PandaTaskEnv
from jepa_planner_sim.tasks import HOLD_STEPS, TASKS

ALL_TASKS = sorted(TASKS)
IMAGINING = tiny_planner(sub_goals=SubGoalSettings())


class Enough(Exception):
    """Raised by a policy that has seen what the test wants to know."""


class SpyPolicy(NoopPolicy):
    """Looks at what each trial starts with; with `only_observe` it then breaks off."""

    def __init__(self, only_observe: bool = False) -> None:
        self.seeds: list[int] = []
        self._only_observe = only_observe

    def start(self, env: PandaTaskEnv, goals: Sequence[np.ndarray], seed: int) -> None:
        self.seeds.append(seed)
        self.env, self.goals, self.scene = env, goals, env.world.scene
        if self._only_observe:
            raise Enough


class StopAfter:
    """Lets a policy act so many times, and then breaks off."""

    def __init__(self, policy: WorldModelPolicy, acts: int) -> None:
        self._policy, self._left = policy, acts
        self.start, self.image_size_px, self.cameras = policy.start, policy.image_size_px, policy.cameras
        self.last = None

    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        if self._left == 0:
            raise Enough
        self._left -= 1
        return self._policy.act(observation)


def start_of_a_trial(task: str, **settings) -> SpyPolicy:
    spy = SpyPolicy(only_observe=True)
    with pytest.raises(Enough):
        trials(spy, task, **settings)
    return spy


def trials(policy, task: str = "reach", episodes: int = 1, **settings) -> list[Trial]:
    return list(run_trials(policy, TrialSettings(task, episodes, **settings)))


@pytest.mark.parametrize("task", ALL_TASKS)
def test_doing_nothing_never_solves_a_task(task):
    (trial,) = trials(NoopPolicy(), task, goal_images="one")
    assert not trial.success
    assert trial.steps == TASKS[task].max_steps
    assert trial.distance_m == pytest.approx(trial.start_distance_m, abs=0.005)


@pytest.mark.parametrize("task", ALL_TASKS)
def test_the_expert_as_a_policy_solves_every_task(task):
    (trial,) = trials(baseline_policy("expert"), task, goal_images="one", seed=4)
    assert trial.success
    assert trial.first_success < TASKS[task].max_steps == trial.steps
    assert trial.distance_m < 0.03


def test_the_same_seeds_give_the_same_trials_and_others_give_others():
    first = trials(RandomPolicy())
    assert trials(RandomPolicy()) == first
    assert trials(RandomPolicy(), seed=2) != first


def test_trials_do_not_depend_on_those_before_them():
    both = trials(RandomPolicy(), "grasp", episodes=2, seed=5, goal_images="one")
    assert trials(RandomPolicy(), "grasp", episodes=1, seed=6, goal_images="one") == both[1:]


def test_scenes_come_from_seeds_that_training_never_sees():
    spy = SpyPolicy()
    found = trials(spy, episodes=2, seed=3)
    assert [trial.seed for trial in found] == spy.seeds == [1_000_003, 1_000_004]
    assert TrialSettings("reach", 1).scene_seed(0) == EVALUATION_SEED_START == 1_000_000


@pytest.mark.parametrize(("kind", "count"), [("dense", len(TASKS["pick_place"].dense)), ("3", 3), ("one", 1)])
def test_the_policy_is_given_as_many_pictures_as_were_asked_for(kind, count):
    goals = start_of_a_trial("pick_place", goal_images=kind).goals
    assert [goal.shape for goal in goals] == [(2, 64, 64, 3)] * count


def test_scenes_are_varied_as_asked_and_only_then():
    assert len(start_of_a_trial("reach", vary=frozenset({"distractors"})).scene.objects) > 1
    assert len(start_of_a_trial("reach").scene.objects) == 1


def test_a_setup_is_the_same_in_all_scenes_and_another_number_another():
    one, same, other = (
        start_of_a_trial("reach", vary=frozenset({"camera", "table"}), setup=setup, seed=seed).scene
        for setup, seed in ((1, 0), (1, 5), (2, 0))
    )
    assert (one.camera_shifts, one.table_colour) == (same.camera_shifts, same.table_colour)
    assert one.objects != same.objects and other.camera_shifts != one.camera_shifts


def test_the_environment_is_closed_when_a_policy_fails():
    assert not start_of_a_trial("reach").env.world._bullet.isConnected()


def test_the_environment_is_closed_when_nobody_asks_for_more_trials():
    spy = SpyPolicy()
    running = run_trials(spy, TrialSettings("reach", 5))
    next(running)
    running.close()
    assert not spy.env.world._bullet.isConnected()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "juggle"}, r"unknown task 'juggle'; known are reach, grasp, push, pick_place"),
        ({"episodes": 0}, "at least 1 episode and a seed from 0 up, got 0"),
        ({"seed": -1}, "at least 1 episode and a seed from 0 up"),
        ({"setup": 1}, "setup 1 of scenes that vary nothing"),
        ({"setup": -1, "vary": frozenset({"camera"})}, "setup -1 of scenes that vary camera: expected a number from 0"),
    ],
)
def test_wrong_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        TrialSettings(**({"task": "reach", "episodes": 1} | changes))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"goal_images": "9"}, GoalImageError, "'dense', 'one' or a count of 1 to 1"),
        ({"vary": frozenset({"fog"})}, ValueError, "unknown perturbation fog; known are camera"),
    ],
)
def test_conditions_that_the_scenes_do_not_have_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        trials(NoopPolicy(), **changes)


def test_an_unknown_baseline_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown baseline 'lava'; known are noop, random, pixel, expert"):
        baseline_policy("lava")


def test_the_pixel_baseline_looks_ahead_and_leaves_the_world_as_it_was():
    env = PandaTaskEnv("reach")
    observation, _ = env.reset(seed=1_000_000, options={"goal_images": "one"})
    policy = PixelPolicy(candidates=6)
    policy.start(env, env.goal_images, 0)
    action = policy.act(observation)
    np.testing.assert_array_equal(env.world.state(), observation["state"])
    np.testing.assert_array_equal(env.world.render(), observation["images"])
    assert env.action_space.contains(action)
    after = env.step(action)[0]["images"]
    goal = env.goal_images[0].astype(float)
    assert np.mean((after - goal) ** 2) <= np.mean((observation["images"] - goal) ** 2)
    env.close()


def test_the_planner_acts_within_bounds_counts_its_plans_and_says_how_it_ended():
    policy = WorldModelPolicy(tiny_model(), tiny_planner(patience=0))
    (trial,) = trials(policy, "reach")
    assert trial.steps == len(policy.plan_seconds) == TASKS["reach"].max_steps
    assert all(seconds > 0 for seconds in policy.plan_seconds)
    assert trial.ended.startswith("the steps allowed are spent") and trial.reason == "BUDGET_SPENT"


@pytest.mark.parametrize(
    ("task", "goal_images", "mode", "imagined"),
    [
        ("pick_place", "one", "auto", True),
        ("pick_place", "3", "auto", True),
        ("grasp", "dense", "auto", False),
        ("grasp", "dense", "always", True),
        ("pick_place", "one", "never", False),
    ],
)
def test_sub_goals_are_imagined_where_pictures_are_few_or_it_is_asked_for(task, goal_images, mode, imagined):
    policy = WorldModelPolicy(imagining(tiny_model()), IMAGINING, sub_goal_head=tiny_head(), imagine_sub_goals=mode)
    running = run_trials(StopAfter(policy, 1), TrialSettings(task, 1, goal_images=goal_images))
    with pytest.raises(Enough):
        next(running)
    assert (policy.last.imagined is not None) == imagined
    assert ("sub-goal 1 (" in policy.last.message) == imagined


def test_goal_pictures_share_all_steps_where_sub_goals_are_imagined():
    """Two steps are the tiny model's own budget for each picture; a third of pick_place's 45 is fifteen."""
    found = {}
    for mode in ("auto", "never"):
        policy = WorldModelPolicy(imagining(tiny_model()), IMAGINING, sub_goal_head=tiny_head(), imagine_sub_goals=mode)
        with pytest.raises(Enough):
            next(run_trials(StopAfter(policy, 1), TrialSettings("pick_place", 1, goal_images="3")))
        found[mode] = policy.last.message.split(", ")[1]
    assert found == {"auto": "step 1 of 15", "never": "step 1 of 2"}


def test_a_model_that_imagines_nothing_is_not_asked_to():
    with pytest.raises(ValueError, match="the model imagines none"):
        trials(WorldModelPolicy(tiny_model(), tiny_planner(), imagine_sub_goals="always"), goal_images="one")


def test_the_planner_decides_the_same_for_the_same_scene():
    found = [trials(WorldModelPolicy(tiny_model(), tiny_planner()), "grasp", goal_images="3", seed=1) for _ in range(2)]
    assert found[0] == found[1]


def test_a_trial_with_an_goal_picture_out_of_distribution_moves_nothing_and_says_so():
    model = tiny_model()
    latents, states = torch.randn(300, 4, 3), torch.randn(300, 8)
    spec = OutOfDistributionSpec(latent_distance=1e-9, arm_error_m=1e6, surprise=1e6, data="a test")
    model.contract = replace(model.contract, out_of_distribution=spec)
    policy = WorldModelPolicy(model, tiny_planner(), latent_statistics=LatentStatistics.of(latents, states))
    (trial,) = trials(policy, "reach")
    assert (trial.success, trial.reason, policy.plan_seconds) == (False, "UNFAMILIAR_GOAL", [])
    assert "goal image 1 is unlike what the model was trained on" in trial.ended
    assert trial.distance_m == pytest.approx(trial.start_distance_m, abs=0.005)


def test_a_planner_that_believes_it_has_arrived_stays_where_it_is_and_is_wrong():
    policy = WorldModelPolicy(tiny_model(), tiny_planner(reached_energy=1e9))
    (trial,) = trials(policy, "reach")
    assert (trial.success, trial.reached, trial.steps) == (False, True, 0)
    assert policy.plan_seconds == []
    assert "the last goal image is reached" in trial.ended
    assert trial.distance_m == pytest.approx(trial.start_distance_m, abs=0.005)


class GoesAwayAgain(ExpertPolicy):
    """Solves the task, then leaves the goal."""

    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        return next(self._actions, np.array([0, 0, 0.05, 0, 0, 0, 0])).astype(np.float32)


class Says(ExpertPolicy):
    """Does what another policy does and ends at an observation by its number, for a reason."""

    def __init__(self, at_step: int, reason: Reason = Reason.REACHED, off_m: float = 0.012) -> None:
        self._at_step, self._reason, self._off_m = at_step, reason, off_m

    def start(self, env: PandaTaskEnv, goals: Sequence[np.ndarray], seed: int) -> None:
        super().start(env, goals, seed)
        self._steps, self.last = 0, gave_up(Reason.ON_THE_WAY, "")
        self.last = replace(self.last, kind=DecisionKind.MOVE)

    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        if self._steps == self._at_step:
            kind = DecisionKind.REACHED if self._reason is Reason.REACHED else DecisionKind.GAVE_UP
            verdict = Verdict(0.9, self._off_m, "")
            self.last = replace(self.last, kind=kind, reason=self._reason, message="so I say", verdict=verdict)
            return np.zeros(7, dtype=np.float32)
        self._steps += 1
        return super().act(observation)


def steps_of_the_expert(task: str, **settings) -> int:
    """Until the task is solved for the first time."""
    return trials(ExpertPolicy(), task, stop_at_success=True, **settings)[0].steps


def test_a_goal_that_was_left_again_counts_where_the_judge_ends_a_trial_and_not_at_the_end():
    (first,) = trials(GoesAwayAgain(), "reach", stop_at_success=True)
    (last,) = trials(GoesAwayAgain(), "reach")
    assert first.success and first.distance_m < 0.02
    assert not last.success and last.steps == TASKS["reach"].max_steps and last.distance_m > 0.02
    assert first.first_success == last.first_success == first.steps
    assert (last.was_solved, last.solved_at_end, last.true_since) == (True, False, None)


def test_a_goal_that_is_kept_counts_at_the_end_where_nothing_is_said():
    (trial,) = trials(ExpertPolicy(), "reach")
    assert trial.success and trial.steps == TASKS["reach"].max_steps
    assert trial.true_since == trial.first_success < trial.steps and not trial.reached


def test_a_trial_ends_when_the_planner_does_and_counts_if_it_was_right():
    needed = steps_of_the_expert("reach")
    (right,) = trials(Says(needed + 2), "reach")
    assert (right.success, right.reached, right.solved_at_end) == (True, True, True)
    assert (right.steps, right.first_success, right.true_since) == (needed + 2, needed, needed)
    assert (right.ended, right.reason, right.certainty, right.off_m) == ("so I say", "REACHED", 0.9, 0.012)
    (wrong,) = trials(Says(1), "reach")
    assert (wrong.success, wrong.reached, wrong.solved_at_end, wrong.steps) == (False, True, False, 1)
    assert wrong.was_solved is False and wrong.first_success is None


def test_what_is_true_and_not_said_is_no_success():
    needed = steps_of_the_expert("reach")
    (trial,) = trials(Says(needed + 1, Reason.STALLED, off_m=math.inf), "reach")
    assert (trial.success, trial.reached, trial.solved_at_end, trial.reason) == (False, False, True, "STALLED")
    assert trial.off_m is None, "JSON has no infinity"


def test_a_grasp_that_is_called_done_at_once_is_given_the_time_that_it_must_hold():
    needed = steps_of_the_expert("grasp", goal_images="one")
    (early,) = trials(Says(needed - HOLD_STEPS + 1), "grasp", goal_images="one")
    assert early.success and early.steps < needed == early.first_success
    assert early.true_since == early.steps, "it was held when it was called done"
    (too_early,) = trials(Says(needed - HOLD_STEPS - 3), "grasp", goal_images="one")
    assert too_early.reached and not too_early.success


def test_the_planner_looks_once_more_when_all_steps_are_spent():
    (trial,) = trials(Says(TASKS["reach"].max_steps), "reach")
    assert trial.success and trial.steps == TASKS["reach"].max_steps


def test_the_judge_ends_a_trial_only_where_that_is_asked_for():
    needed = steps_of_the_expert("reach")
    (trial,) = trials(Says(needed + 2), "reach", stop_at_success=True)
    assert (trial.success, trial.steps, trial.reason) == (True, needed, "ON_THE_WAY")
    (deaf,) = trials(Says(1), "reach", stop_at_success=True)
    assert not deaf.success and deaf.steps == TASKS["reach"].max_steps, "what the policy says of itself does not count"


def test_each_observation_is_told_with_the_steps_before_it():
    observations = []
    env = make_scene("reach", 64)
    try:
        trial = run_trial(
            env, Says(3), TrialSettings("reach", 1), 1_000_000, lambda *observation: observations.append(observation)
        )
    finally:
        env.close()
    assert [steps for steps, *_ in observations] == [0, 1, 2, 3] and trial.steps == 3
    assert all(observation[1] is env and set(observation[2]) == {"images", "state"} for observation in observations)


def test_a_models_verdict_head_ends_its_trials(tmp_path):
    model = judging(tiny_model())
    policy = WorldModelPolicy(model, tiny_planner(verdict=VerdictSettings()), verdict_head=SureHead())
    (trial,) = trials(policy, "reach")
    assert (trial.reason, trial.steps, trial.success) == ("REACHED", 0, False)
    assert trial.certainty == pytest.approx(1.0, abs=1e-3) and trial.off_m == pytest.approx(0.005, abs=1e-3)
