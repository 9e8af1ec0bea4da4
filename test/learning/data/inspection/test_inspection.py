"""Each finding is there on data that are wrong in that way, and none on episodes as they should be."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from jepa_planner.core.arm_layout import GRIPPER, MEASURED
from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.inspection.action_use import judge_actions
from jepa_planner.learning.data.inspection.coverage import Coverage, judge_coverage
from jepa_planner.learning.data.inspection.dead_time import DeadTime, judge_dead_time
from jepa_planner.learning.data.inspection.exposure import judge_exposure
from jepa_planner.learning.data.inspection.gripper_use import GripperUse, judge_gripper
from jepa_planner.learning.data.inspection.judgement import Level
from jepa_planner.learning.data.inspection.seen import Seen
from jepa_planner.learning.training.action_bounds import action_max


def sound(count: int = 24, steps: int = 40) -> Episodes:
    """An arm that goes all over a table, takes something and puts it down, before a wall with a pattern."""
    rng = np.random.default_rng(0)
    states = np.zeros((count, steps + 1, 8), np.float32)
    states[:, 0, :3] = rng.uniform([0.35, -0.2, 0.02], [0.65, 0.2, 0.25], (count, 3))
    for step in range(steps):
        to = rng.uniform([0.35, -0.2, 0.02], [0.65, 0.2, 0.25], (count, 3))
        states[:, step + 1, :3] = states[:, step, :3] + np.clip(to - states[:, step, :3], -0.06, 0.06) * rng.random()
    states[:, 10:25, GRIPPER] = 1.0
    states[:, 11:25, MEASURED] = 0.5
    actions = np.diff(states[..., :7], axis=1)
    pattern = rng.integers(40, 200, (16, 16, 3), dtype=np.uint8).repeat(2, 0).repeat(2, 1)
    images = np.broadcast_to(pattern, (count, steps + 1, 1, 32, 32, 3)).copy()
    poses = np.zeros((count, steps + 1, 4), np.float32)
    return Episodes(images, states, actions, poses, ("",) * count, np.arange(count), ("front",), 0.25)


SOUND = sound()


def judged(episodes: Episodes) -> dict[str, tuple[Level, str]]:
    judgements = [
        judge_coverage(Coverage.of(episodes)),
        *judge_actions(episodes, action_max(episodes.actions)),
        judge_gripper(GripperUse.of(episodes)),
        judge_dead_time(DeadTime.of(episodes), episodes.time_step_s),
        *judge_exposure(Seen.of(episodes)),
    ]
    return {judgement.topic: (judgement.level, judgement.says) for judgement in judgements}


def with_states(change: Callable[[np.ndarray], object]) -> Episodes:
    states = SOUND.states.copy()
    change(states)
    return replace(SOUND, states=states, actions=np.diff(states[..., :7], axis=1))


def with_pictures(change: Callable[[np.ndarray], np.ndarray]) -> Episodes:
    return replace(SOUND, images=change(SOUND.images.astype(np.float32)).clip(0, 255).astype(np.uint8))


def one_half(states):
    states[..., 0] = np.where(states[..., 1] > -0.07, np.minimum(states[..., 0], 0.4), states[..., 0])


def a_narrow_strip(states):
    states[..., 1] *= 0.1


def resting(states):
    states[:, 12:] = states[:, 12:13]


def resting_always(states):
    states[:, 1:] = states[:, :1]


def never_closing(states):
    states[..., 6:] = np.linspace(0.0, 0.3, states.shape[1])[:, None]


def closing_on_nothing(states):
    states[:, 11:25, MEASURED] = 1.0


def closing_little_by_little(states):
    states[:, 8:13, GRIPPER] = np.linspace(0.0, 1.0, 5)
    states[:, 22:27, GRIPPER] = np.linspace(1.0, 0.0, 5)


def fingers_alone(states):
    states[..., GRIPPER] = states[..., MEASURED]


def a_slip(states):
    states[::2, 20:, 0] += 0.4


def darker(images):
    return images * 0.05


def overexposed(images):
    return images * 3.0 + 180.0


def blurred(images):
    flat = [cv2.GaussianBlur(image, (0, 0), 4.0) for image in images.reshape(-1, 32, 32, 3)]
    return np.stack(flat).reshape(images.shape)


def flickering(images):
    lamp = np.random.default_rng(0).uniform(-40.0, 40.0, images.shape[:2])
    return images + lamp[..., None, None, None, None]


def test_nothing_is_found_in_sound_episodes():
    assert {topic: found for topic, found in judged(SOUND).items() if found[0] is not Level.GOOD} == {}


def test_a_gripper_that_closes_little_by_little_takes_as_much():
    before, after = GripperUse.of(SOUND), GripperUse.of(with_states(closing_little_by_little))
    assert after.grasps.tolist() == before.grasps.tolist() and after.grasps.sum() == len(SOUND)
    assert judge_gripper(after).level is Level.GOOD


@pytest.mark.parametrize(
    ("change", "topic", "says"),
    [
        (one_half, "workspace", "Holes: middle"),
        (a_narrow_strip, "workspace", "narrower than 0.1 m"),
        (resting, "dead time", "learns mostly that nothing happens"),
        (never_closing, "gripper", "grasps are not learned from so few"),
        (closing_on_nothing, "gripper", "it mostly closes on nothing"),
        (fingers_alone, "gripper", "who closes it just so far holds without force"),
        (a_slip, "actions dx_m", "that of a few slips"),
    ],
)
def test_what_the_arm_does_not_do_is_told(change, topic, says):
    level, found = judged(with_states(change))[topic]
    assert level is Level.WARNING and says in found, found


def test_an_arm_that_never_moves_is_wrong():
    assert judge_dead_time(DeadTime.of(with_states(resting_always)), 0.25).level is Level.WRONG


@pytest.mark.parametrize(
    ("change", "says"),
    [(darker, "dark"), (overexposed, "overexposed"), (blurred, "blurred"), (flickering, "the light flickers")],
)
def test_light_and_focus_that_are_wrong_are_told(change, says):
    level, found = judged(with_pictures(change))["light in view front"]
    assert level is Level.WARNING and says in found, found


def test_what_fills_episodes_up_counts_for_nothing():
    states, lengths = SOUND.states.copy(), np.full(len(SOUND), 26)
    states[:, 27:] = [3.0, 3.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    filled = replace(SOUND, states=states, lengths=lengths)
    cut = replace(
        SOUND, states=SOUND.states[:, :27], actions=SOUND.actions[:, :26], images=SOUND.images[:, :27],
        object_pose=SOUND.object_pose[:, :27], lengths=lengths,
    )  # fmt: skip
    assert judge_coverage(Coverage.of(filled)) == judge_coverage(Coverage.of(cut))
    assert judge_dead_time(DeadTime.of(filled), 0.25) == judge_dead_time(DeadTime.of(cut), 0.25)
    np.testing.assert_array_equal(GripperUse.of(filled).grasps, GripperUse.of(cut).grasps)
    bounds = action_max(cut.actions)
    assert list(judge_actions(filled, bounds)) == list(judge_actions(cut, bounds))
    assert [len(pictures) for pictures in Seen.of(filled).pictures] == [27] * len(SOUND)


def test_a_model_with_wider_bounds_than_the_data_is_told():
    says = {judgement.topic: judgement.says for judgement in judge_actions(SOUND, [0.5] * 7, "tabletop")}
    assert "of which less than a quarter is used" in says["actions dx_m"]
    assert "0 throughout, but tabletop plans" in says["actions droll_rad"]
