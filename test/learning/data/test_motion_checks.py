"""Each kind of wrong number is found in episodes of an arm that is like a real one, and nothing in sound ones."""

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from moving_arm import moved

from jepa_planner.core.poses import roll_pitch_yaw, rotation_matrix
from jepa_planner.learning.data.episode_checks import check_episodes
from jepa_planner.learning.data.episodes import Episodes

SOUND = moved()
STATES, ACTIONS = SOUND.states, SOUND.actions
Z, YAW, GRIPPER = 2, 5, 6


def said_of(episodes: Episodes) -> list[tuple[bool, str]]:
    return [(finding.certain, finding.says) for finding in check_episodes(episodes)]


def states(change: Callable[[np.ndarray], object]) -> Episodes:
    changed = STATES.copy()
    change(changed)
    return replace(SOUND, states=changed)


def actions(change: Callable[[np.ndarray], object]) -> Episodes:
    changed = ACTIONS.copy()
    change(changed)
    return replace(SOUND, actions=changed)


def scale(part: slice | int, by: float) -> Callable[[np.ndarray], object]:
    def change(array: np.ndarray) -> None:
        array[..., part] *= by

    return change


def turned(degrees: float) -> Callable[[np.ndarray], object]:
    def change(array: np.ndarray) -> None:
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        array[..., :2] = array[..., :2] @ np.array([[c, s], [-s, c]], np.float32)

    return change


def hand_that_turns() -> Episodes:
    """Its angles are any, and its actions turn it about all axes of the base."""
    rng = np.random.default_rng(0)
    asked = ACTIONS.copy()
    asked[..., 3:6] = rng.uniform(-0.1, 0.1, asked[..., 3:6].shape)
    hand = STATES.copy()
    hand[:, 0, 3:6] = rng.uniform(-1.2, 1.2, (len(hand), 3))
    for step in range(asked.shape[1]):
        turned = rotation_matrix(torch.from_numpy(asked[:, step, 3:6])) @ rotation_matrix(
            torch.from_numpy(hand[:, step, 3:6])
        )
        hand[:, step + 1, 3:6] = roll_pitch_yaw(turned).numpy()
    return replace(SOUND, states=hand, actions=asked)


TURNING = hand_that_turns()


def quaternions() -> np.ndarray:
    """x, y, z, w of the hand that turns, the last not negative."""
    roll, pitch, yaw = (TURNING.states[..., axis] / 2 for axis in (3, 4, 5))
    cr, sr, cp, sp, cy, sy = (f(angle) for angle in (roll, pitch, yaw) for f in (np.cos, np.sin))
    found = np.stack(
        [
            sr * cp * cy - cr * sp * sy, cr * sp * cy + sr * cp * sy, cr * cp * sy - sr * sp * cy,
            cr * cp * cy + sr * sp * sy,
        ],
        axis=-1,
    )  # fmt: skip
    return found * np.where(found[..., 3:] < 0, -1, 1)


def angles(values: np.ndarray) -> Episodes:
    changed = TURNING.states.copy()
    changed[..., 3 : 3 + values.shape[-1]] = values
    return replace(TURNING, states=changed)


def rotation_vectors() -> np.ndarray:
    found = quaternions()
    size = np.linalg.norm(found[..., :3], axis=-1, keepdims=True)
    return found[..., :3] / size * 2 * np.arctan2(size, found[..., 3:])


def differences_of_angles() -> Episodes:
    changed = TURNING.actions.copy()
    changed[..., 3:6] = (np.diff(TURNING.states[..., 3:6], axis=1) + np.pi) % (2 * np.pi) - np.pi
    return replace(TURNING, actions=changed)


def of_one(number: int, change: Callable[[np.ndarray], object]) -> Callable[[np.ndarray], object]:
    return lambda array: change(array[number])


def from_the_first(array: np.ndarray) -> None:
    array[..., :3] -= array[:, :1, :3].copy()


def held_closed() -> Episodes:
    """A gripper that is told to close, or to open, in every step."""
    rng = np.random.default_rng(1)
    asked, hand = ACTIONS.copy(), STATES.copy()
    closed = np.repeat(rng.random((len(hand), 4)) < 0.7, 4, axis=1)
    asked[..., GRIPPER] = np.where(closed, 1.0, -1.0)
    hand[:, 0, 6:], hand[:, 1:, 6] = 0.0, closed
    hand[:, 1:, 7] = np.minimum(closed, 0.45)
    return replace(SOUND, states=hand, actions=asked)


def in_tcp_frame() -> Episodes:
    """Of a tcp whose z axis points down, as a Panda's flange does."""
    down = STATES.copy()
    down[..., 3] = np.pi
    base_of_tcp = rotation_matrix(torch.from_numpy(down[:, :-1, 3:6])).numpy()
    changed = ACTIONS.copy()
    changed[..., :3] = np.einsum("etji,etj->eti", base_of_tcp, changed[..., :3])
    return replace(SOUND, states=down, actions=changed)


def exchange(array: np.ndarray) -> None:
    array[..., [0, 1]] = array[..., [1, 0]]


def inverted(array: np.ndarray) -> None:
    array[..., 6:] = 1.0 - array[..., 6:]


def absolute_gripper(array: np.ndarray) -> None:
    array[..., GRIPPER] = STATES[:, 1:, GRIPPER]


@pytest.mark.parametrize(
    "sound",
    [
        SOUND,
        moved(reach=0.4),
        moved(noise_m=0.003),
        moved(steps=90, largest_m=0.004, time_step_s=1 / 15),
        replace(SOUND, actions=ACTIONS * 0, states=STATES[:, :1].repeat(STATES.shape[1], 1)),
        moved(count=2, steps=3),
        TURNING,
        held_closed(),
        moved(largest_m=0.001),
    ],
    ids=[
        "as the simulator", "a slow arm", "noisy states", "15 Hz", "at rest", "few", "any turns", "told to stay closed",
        "a millimetre",
    ],
)  # fmt: skip
def test_nothing_is_found_in_sound_episodes(sound):
    assert said_of(sound) == []


@pytest.mark.parametrize(
    ("episodes", "says"),
    [
        (states(scale(slice(0, 3), 1000.0)), r"states: x \d+\S* m, expected at most 3 m .* in millimetres"),
        (states(scale(slice(0, 3), 100.0)), r"states: x \d+\S* m, expected at most 3 m .* in centimetres"),
        (states(scale(slice(3, 6), 57.3)), r"states: yaw -?\d+\S* rad, expected at most 6.28: is it in degrees"),
        (states(scale(slice(6, 8), 100.0)), r"states: closure_commanded 100, expected 0 \(open\) to 1 .* percent"),
        (states(scale(slice(6, 8), 0.08)), r"closure_commanded stays within 0 to 0.08 while .* in metres"),
        (states(inverted), r"closure_commanded goes the other way than dclosure: r -1.00, expected about 1"),
        (states(lambda s: s.__setitem__((..., 7), 1 - s[..., 7])), "closure_measured goes the other way"),
        (actions(scale(GRIPPER, -1.0)), "closure_commanded goes the other way than dclosure"),
        (actions(scale(slice(0, 3), 1000.0)), r"dx_m reaches \d+\S* in a step, expected changes of at most 0.5"),
        (actions(scale(slice(0, 3), 0.01)), r"x_m changes by \d+\S* for each 1 of dx_m, expected about 1"),
        (actions(scale(YAW, 20.0)), r"yaw_rad changes by 0.05 for each 1 of dyaw_rad, expected about 1"),
        (actions(scale(Z, -1.0)), r"dz_m runs against z_m: r -\S+, expected about 1: is its sign wrong"),
        (actions(exchange), r"dx_m moves y_m \(r \S+\), not x_m .*: are axes swapped"),
        (actions(turned(45.0)), r"in a frame that is turned by 4\d degrees: .* r 0.\d+ as they are and 0.9\d"),
        (in_tcp_frame(), r"actions are in the frame of the tcp, expected that of the base"),
        (replace(SOUND, actions=STATES[:, 1:, :7].copy()), r"actions are absolute, expected changes .*: dx_m is 0"),
        (actions(absolute_gripper), r"actions are absolute, .*: dclosure is 0 from the state"),
        (replace(SOUND, actions=np.roll(ACTIONS, 1, axis=1)), r"actions come 1 step after what they did: .* earlier"),
        (angles(quaternions()), r"roll, pitch, yaw and closure_commanded have together a length of 1 .* quater"),
        (angles(quaternions()[..., :3]), r"roll, pitch and yaw are x, y and z of a quaternion, expected angles"),
        (angles(rotation_vectors()), r"roll, pitch and yaw are a rotation vector .* have r 0.\d+ as they are and 1.00"),
        (angles(TURNING.states[..., 5:2:-1]), r"roll, pitch and yaw are yaw, pitch and roll, in that order"),
        (differences_of_angles(), r"dyaw_rad are differences of the angles, expected those of the turn"),
        (states(from_the_first), r"x, y and z are 0 at the beginning of each episode, .* relative to the first one"),
        (states(of_one(7, scale(slice(0, 3), 1000.0))), r"in millimetres\? \(in 1 of 12 episodes, the first is 7\)"),
        (replace(SOUND, time_step_s=250.0), r"time_step_s is 250, expected at most 10 s: is it in milliseconds"),
        (replace(SOUND, time_step_s=15.0), r"time_step_s is 15, expected at most 10 s: .* or a rate"),
        (replace(SOUND, time_step_s=0.00025), r"the arm moves at \d+ m/s, expected less than 2: is time_step_s right"),
    ],
)  # fmt: skip
def test_what_is_surely_wrong_is_refused_by_channel_with_what_was_expected(episodes, says):
    found = said_of(episodes)
    assert [line for certain, line in found if certain and re.search(says, line)], found


@pytest.mark.parametrize(
    ("episodes", "says"),
    [
        (replace(SOUND, actions=np.roll(ACTIONS, -1, axis=1)), "what actions ask for is done 1 step later"),
        (replace(SOUND, actions=ACTIONS[::-1, ::-1].copy()), "have nothing to do with each other"),
        (actions(scale(YAW, 0.0)), "dyaw_rad is 0 throughout, while yaw_rad changes by up to"),
        (actions(scale(GRIPPER, 0.0)), "dclosure is 0 throughout, while closure_commanded changes"),
        (replace(states(inverted), actions=ACTIONS * np.float32([1, 1, 1, 1, 1, 1, -1])), "is closure inverted"),
        (replace(SOUND, time_step_s=4.0), "time_step_s is 4 s, expected less than 2 s: is it a rate"),
        (states(of_one(7, scale(1, -1.0))), "asked, the first is episode 7: dy_m and the changes of y_m have r -0.9"),
        (actions(of_one(7, lambda a: a.__setitem__(slice(None), ACTIONS[8]))), "asked, the first is episode 7: d"),
        (
            replace(SOUND.part(np.arange(13) % 12), motions=np.arange(13)),
            "1 of 13 episodes are there twice, the first is episode 12, the same as 0",
        ),
        (states(lambda s: s.__setitem__((3, slice(9, None), 0), s[3, 9:, 0] + 2.0)), "states jump by up to 2 m"),
    ],
)  # fmt: skip
def test_what_may_be_meant_is_said_and_not_refused(episodes, says):
    found = said_of(episodes)
    assert [line for certain, line in found if says in line and not certain], found
    assert not any(certain for certain, _ in found)
