import numpy as np
import pytest

from jepa_planner.learning.data.alike_scenes import alike_scenes

PX, FRAMES = 64, 13


def filmed(rng: np.random.Generator, light: float = 1.0, aside_px: int = 0, left_lying_px: int = 0) -> np.ndarray:
    """An arm that goes across a table with an edge, a thing that it leaves alone, two cameras with a little noise."""
    table = np.full((FRAMES, 2, PX, PX, 3), 90.0)
    table[..., 40:, :] = (150.0, 120.0, 60.0)
    table[:, :, 50:57, 8 + left_lying_px : 15 + left_lying_px] = (20.0, 200.0, 20.0)
    for frame in range(FRAMES):
        table[frame, :, : 20 + 2 * (frame % 5), 3 * frame : 3 * frame + 9] = 30.0
    seen = np.roll(table, aside_px, axis=3) * light + rng.normal(0.0, 3.0, table.shape)
    return seen.clip(0, 255).astype(np.uint8)


def test_episodes_at_one_table_are_of_one_scene_wherever_the_arm_is():
    rng = np.random.default_rng(0)
    still, moving = filmed(rng), filmed(rng)
    assert alike_scenes(np.stack([still, moving[::-1], filmed(rng)])).tolist() == [0, 0, 0]


@pytest.mark.parametrize("otherwise", [{"light": 0.7}, {"aside_px": 6}, {"left_lying_px": 20}])
def test_another_lamp_another_camera_and_a_thing_that_lies_elsewhere_make_another_scene(otherwise):
    rng = np.random.default_rng(0)
    of_both = [filmed(rng), filmed(rng, **otherwise), filmed(rng), filmed(rng, **otherwise)]
    assert alike_scenes(np.stack(of_both)).tolist() == [0, 1, 0, 1]


def test_a_picture_in_which_nothing_stands_still_is_like_no_other():
    rng = np.random.default_rng(0)
    assert alike_scenes(rng.integers(0, 256, (2, FRAMES, 1, 64, 64, 3), dtype=np.uint8)).tolist() == [0, 1]
