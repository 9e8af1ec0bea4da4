"""Goals that cannot be reached: what the planner is shown of them, and what counts as right."""

from collections.abc import Sequence

import numpy as np
import pytest

from jepa_planner.cli.main import main
from jepa_planner.learning.evaluation.policies import NoopPolicy
from jepa_planner.learning.evaluation.report import in_words, summarise
from jepa_planner.learning.evaluation.trials import WITHIN_STEPS, Trial, TrialSettings, run_trial, run_trials
from jepa_planner.planning.decision import DecisionKind, Reason, gave_up
from jepa_planner_sim.envs import PandaTaskEnv
from jepa_planner_sim.scene_draws import PERTURBATIONS
from jepa_planner_sim.unreachable import OUTSIDE_M, set_up_unreachable

SEED = 1_000_000


@pytest.fixture(scope="module")
def env():
    env = PandaTaskEnv("pick_place")
    yield env
    env.close()


def set_up(env: PandaTaskEnv, kind: str, goal_images: str = "one", **options):
    return set_up_unreachable(
        env, kind, {"vary": frozenset(), "strength": 1.0, "goal_images": goal_images} | options, SEED
    )


def reds(picture: np.ndarray) -> int:
    """Pixels of the standard cube."""
    return int(((picture[..., 0] > 120) & (picture[..., 1] < 60)).sum())


def test_another_scene_needs_a_seed_to_be_another_than(env):
    with pytest.raises(ValueError, match="without a seed"):
        env.reset(options={"unreachable": "other-scene", "vary": (), "goal_images": "one"})


def test_a_missing_object_is_in_the_goal_pictures_alone_and_other_things_stay(env):
    observation, info, goals = set_up(env, "missing")
    assert reds(observation["images"]) == 0 < reds(goals[-1])
    set_up(env, "missing", vary=frozenset({"distractors"}))
    assert len(env.world.scene.objects) > 1 and env.world.object_pose(1)[0][2] > 0.0 > env.world.object_pose(0)[0][2]
    assert info["distance_m"] >= 0.10, "that of the scene before"


def test_an_object_that_is_shown_outside_is_seen_there_by_every_camera_and_the_scene_is_as_it_was(env):
    expected, _ = env.reset(seed=SEED, options={"goal_images": "3"})
    drawn = env.goal_images
    observation, _, goals = set_up(env, "outside", "3")
    np.testing.assert_array_equal(observation["images"], expected["images"])
    np.testing.assert_array_equal(env.world.render(), expected["images"])
    assert len(goals) == 3 and all((goal == same).all() for goal, same in zip(goals[:2], drawn[:2], strict=True))
    assert all(reds(view) > 3 for view in goals[-1])


def test_the_object_is_shown_beyond_one_side_of_the_box(env, monkeypatch):
    low, high = (
        np.array(corner)[:2] for corner in (env.world.limits.workspace_min_m, env.world.limits.workspace_max_m)
    )
    places, place_object = [], env.world.place_object
    monkeypatch.setattr(
        env.world, "place_object", lambda n, xyz_m, yaw: (places.append(xyz_m), place_object(n, xyz_m, yaw))
    )
    set_up(env, "outside")
    assert places[0][2] < -1.0, "first a picture without it, to tell how much of it is seen"
    for place in places[1:]:
        beyond_m = np.maximum(low - place[:2], place[:2] - high)
        assert OUTSIDE_M[0] <= beyond_m.max() <= OUTSIDE_M[1] and beyond_m.min() <= 0.0


def test_pictures_of_another_scene_show_other_things_and_the_scene_is_that_of_its_seed(env):
    expected, _ = env.reset(seed=SEED, options={"goal_images": "one"})
    drawn = env.goal_images[-1]
    observation, _, goals = set_up(env, "other-scene")
    np.testing.assert_array_equal(observation["images"], expected["images"])
    assert env.world.scene.table_texture_seed is None
    assert (goals[-1] != drawn).any(axis=-1).mean() > 0.5, "another table"


class EndsAt(NoopPolicy):
    """Ends after so many steps, for a reason."""

    def __init__(self, steps: int, reason: Reason) -> None:
        self._left, self._reason = steps, reason

    def start(self, env: PandaTaskEnv, goals: Sequence[np.ndarray], seed: int) -> None:
        self.last = None

    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        if self._left == 0:
            self.last = gave_up(self._reason, "")
            assert self.last.kind is not DecisionKind.MOVE
        self._left -= 1
        return super().act(observation)


@pytest.mark.parametrize(
    ("steps", "reason", "right"),
    [
        (0, Reason.UNFAMILIAR_GOAL, True),
        (3, Reason.SURPRISED, True),
        (WITHIN_STEPS, Reason.STALLED, True),
        (WITHIN_STEPS + 1, Reason.STALLED, False),
        (3, Reason.REACHED, False),
        (3, Reason.INVALID_PLAN, False),
    ],
)
def test_right_is_to_end_as_stalled_or_as_out_of_distribution_in_time(env, steps, reason, right):
    settings = TrialSettings("pick_place", 1, goal_images="one", unreachable="missing")
    trial = run_trial(env, EndsAt(steps, reason), settings, SEED)
    assert (trial.success, trial.steps, trial.solved_at_end) == (right, steps, False)


def test_what_cannot_be_reached_is_never_true(env, monkeypatch):
    monkeypatch.setattr("jepa_planner_sim.envs.achieved_now", lambda task, world, goal_m: True)
    trial = run_trial(env, EndsAt(2, Reason.REACHED), TrialSettings("pick_place", 1, unreachable="outside"), SEED)
    assert (trial.was_solved, trial.solved_at_end, trial.reached, trial.true_since) == (False, False, True, None)


def test_the_report_counts_what_was_right_how_they_ended_and_what_was_called_done():
    done = [
        Trial(1, True, 9, 0.2, 0.2, "", reason="STALLED"), Trial(2, True, 0, 0.2, 0.2, "", reason="UNFAMILIAR_GOAL"),
        Trial(3, False, 20, 0.2, 0.2, "", reason="STALLED"), Trial(4, False, 9, 0.2, 0.2, "", reason="REACHED"),
    ]  # fmt: skip
    report = summarise(done, TrialSettings("push", 4, unreachable="outside"), [], "models/x", "none")
    assert (report["successes"], report["reached_and_false"], report["unreachable"]) == (2, 1, "outside")
    words = in_words(report)
    assert "push (dense goal images, unreachable: outside), models/x" in words
    assert (
        "2/4 right = 50%, 95 % interval 15% to 85% (ended as stalled or as out of distribution within 15 steps)"
        in words
    )
    assert 'said "reached", which is false: 1; ended as REACHED 1, STALLED 2, UNFAMILIAR_GOAL 1' in words


@pytest.mark.parametrize(
    "changes", [{"unreachable": "far"}, {"stop_at_success": True}, {"task": "jepa_planner_sim.panda_gym:Push"}]
)
def test_what_cannot_be_made_unreachable_is_refused(changes):
    with pytest.raises(ValueError, match="expected one of missing, outside, other-scene, a task of the simulator"):
        TrialSettings(**({"task": "push", "episodes": 1, "unreachable": "missing"} | changes))


@pytest.mark.parametrize(
    ("more", "says"),
    [(["--baseline", "noop"], "baselines never end by themselves: leave out --unreachable"),
     (["--ros"], "sim_node sets no such goals up: leave out --unreachable"),
     (["--stop-at-success"], "trials that the planner ends")],
)  # fmt: skip
def test_the_verb_refuses_what_makes_no_sense(more, says, capsys):
    assert main(["eval", "--task", "push", "--unreachable", "missing", *more]) == 2
    assert says in capsys.readouterr().err


def test_another_scene_is_drawn_for_each_trial():
    seen = []

    class Look(NoopPolicy):
        def start(self, env, goals, seed):
            seen.append(goals[-1])
            self.last = gave_up(Reason.STALLED, "")

    settings = TrialSettings("push", 2, goal_images="one", unreachable="other-scene", vary=frozenset(PERTURBATIONS))
    assert all(trial.success for trial in run_trials(Look(), settings))
    assert (seen[0] != seen[1]).any()
