"""Lost episodes are drawn, each with its goal and what failed."""

import numpy as np
import pytest
from PIL import Image

from studies.failures.failures import Cause
from studies.failures.gallery import GAP_PX, MOMENTS, PICTURE_PX, WORDS_PX, LostEpisode, draw_gallery


def _plain(shade: int) -> np.ndarray:
    return np.full((64, 64, 3), shade, np.uint8)


def test_a_gallery_shows_goal_first_and_last_moment_of_each_episode_in_a_row(tmp_path):
    episodes = [
        LostEpisode(1_000_001, Cause.SEARCH, _plain(10), [_plain(shade) for shade in range(50, 90)]),
        LostEpisode(1_000_002, Cause.ENERGY, _plain(20), [_plain(120), _plain(130)]),
    ]
    draw_gallery(tmp_path / "new" / "lost.png", "grasp", episodes)
    picture = np.asarray(Image.open(tmp_path / "new" / "lost.png"))

    def shade(row: int, column: int) -> int:
        middle = PICTURE_PX // 2
        step = PICTURE_PX + GAP_PX
        return picture[GAP_PX + row * step + middle, GAP_PX + WORDS_PX + column * step + middle, 0]

    assert [shade(0, column) for column in (0, 1, MOMENTS)] == [10, 50, 89]
    assert [shade(1, column) for column in range(4)] == [20, 120, 130, 250], "two steps are two pictures"
    words = picture[:, GAP_PX : GAP_PX + WORDS_PX].min(axis=(1, 2))
    assert (words[:PICTURE_PX] < 128).any() and (words[-PICTURE_PX:] < 128).any()


def test_nothing_lost_is_no_gallery(tmp_path):
    with pytest.raises(ValueError, match="at least one lost episode"):
        draw_gallery(tmp_path / "lost.png", "grasp", [])
    with pytest.raises(ValueError, match="at least one picture"):
        draw_gallery(tmp_path / "lost.png", "grasp", [LostEpisode(1, Cause.NONE, _plain(0), [])])
