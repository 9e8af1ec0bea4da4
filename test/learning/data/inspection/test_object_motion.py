"""Things that are moved are seen without labels, and an arm that moves alone is not taken for them."""

import numpy as np
import pytest

from jepa_planner.learning.data.inspection.arm_region import ArmRegion
from jepa_planner.learning.data.inspection.judgement import Level
from jepa_planner.learning.data.inspection.object_motion import judge_object_motion, object_motion
from jepa_planner.learning.data.inspection.seen import Seen

EPISODES, FRAMES, SIDE = 24, 33, 32


def seen(moved: bool, moving_camera: bool = False) -> tuple[Seen, np.ndarray]:
    """An arm that hangs into the picture, and a block that jumps to another place in the middle of half the episodes;
    which ones.
    """
    rng = np.random.default_rng(0)
    pictures, states, jumps = [], [], np.arange(EPISODES) % 2 == 0
    for number in range(EPISODES):
        columns = np.clip(np.cumsum(rng.integers(-3, 4, FRAMES)) + 16, 3, SIDE - 4)
        shown = np.full((FRAMES, 1, SIDE, SIDE, 3), 120, np.uint8)
        if moving_camera:
            shown[:] = rng.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
        first, then = rng.integers(2, 12), rng.integers(18, 28)
        for frame, column in enumerate(columns):
            at = then if moved and jumps[number] and frame >= FRAMES // 2 else first
            shown[frame, 0, 24:28, at : at + 4] = (200, 30, 30)
            shown[frame, 0, :22, column - 2 : column + 3] = 20
        pictures.append(shown)
        state = np.zeros((FRAMES, 8), np.float32)
        state[:, 1] = 0.02 * columns
        states.append(state)
    return Seen(np.arange(EPISODES), tuple(pictures), tuple(states), ("front",), 1.0), jumps


def test_episodes_in_which_a_block_jumps_are_told_from_the_others():
    looked, jumps = seen(moved=True)
    motion = object_motion(looked, ArmRegion.of(looked), 0.25)
    assert motion.told
    np.testing.assert_array_equal([windows.any() for windows in motion.moved], jumps)
    assert judge_object_motion(motion, 0.25).level is Level.GOOD


def test_an_arm_that_moves_alone_is_not_taken_for_things_that_move():
    looked, _ = seen(moved=False)
    motion = object_motion(looked, ArmRegion.of(looked), 0.25)
    judgement = judge_object_motion(motion, 0.25)
    assert motion.of_episodes == 0.0
    assert judgement.level is Level.WARNING and "will know the arm and nothing else" in judgement.says


@pytest.mark.parametrize("moved", [True, False])
def test_a_camera_that_stands_elsewhere_in_each_episode_is_not_judged(moved):
    looked, _ = seen(moved, moving_camera=True)
    motion = object_motion(looked, ArmRegion.of(looked), 0.25)
    assert not motion.told
    assert judge_object_motion(motion, 0.25).level is Level.GOOD
