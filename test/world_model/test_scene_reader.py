import pytest
import torch
from small_models import READER

from jepa_planner.world_model.scene_reader import SceneReader, SceneReaderConfig


def reader() -> SceneReader:
    torch.manual_seed(0)
    return SceneReader(READER, state_dim=8).eval()


def given(seed: int = 1) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in ((2, 8, 8), (2, 8, 8), (2, 8))]


@pytest.mark.parametrize("changed", [0, 1, 2], ids=["now", "goal", "state"])
def test_everything_that_is_given_counts(changed):
    seen = given()
    before = reader()(*seen)
    assert before.shape == (2, 12)
    seen[changed] = seen[changed] + torch.arange(8.0)
    assert (reader()(*seen) - before).abs().max() > 1e-3


def test_the_present_is_not_taken_for_the_goal_nor_a_patch_for_another():
    now, goal, states = given()
    read = reader()
    before = read(now, goal, states)
    assert (read(goal, now, states) - before).abs().max() > 1e-3
    assert (read(now.flip(1), goal.flip(1), states) - before).abs().max() > 1e-4


def test_tokens_of_one_view_are_read_as_that_views():
    now, goal, states = given()
    read = reader()
    first, second = (read.of_views([view])(now[:, :4], goal[:, :4], states) for view in (0, 1))
    assert (first - second).abs().max() > 1e-4
    assert read(now, goal, states).shape == (2, 12), "the reader itself still wants both"


def test_a_width_that_heads_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="not a multiple of heads"):
        SceneReaderConfig(views=2, tokens_per_view=4, channels=8, width=10, heads=4)
