"""What is drawn is what the planner's own model imagines, and what then came."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from harness import small_bundle

from jepa_planner.core.context import Context
from jepa_planner.core.observation import Observation
from jepa_planner.model.bundle import add_viewing_decoder, load_contract, load_viewing_decoder
from jepa_planner.model.pixel_decoder import PixelDecoder
from jepa_planner.model.preprocess import as_pictures
from jepa_planner.model.world_model import WorldModel
from jepa_planner.nodes.watch.imagination import Imagination

ACTIONS = np.random.default_rng(0).uniform(-0.05, 0.05, (4, 3, 7)).astype(np.float32)
VIEWS = ("front", "side")


@pytest.fixture(scope="module")
def drawing(tmp_path_factory) -> Path:
    """A bundle with a viewing decoder of random weights."""
    folder = Path(small_bundle(tmp_path_factory.mktemp("drawing")))
    torch.manual_seed(1)
    add_viewing_decoder(folder, folder, PixelDecoder(load_contract(folder).encoder))
    return folder


@pytest.fixture
def seen(drawing) -> Callable[[int], Observation]:
    model = WorldModel.load(drawing)

    def observed(number: int) -> Observation:
        pictures = np.random.default_rng(number).integers(0, 255, (1, 2, 32, 32, 3), dtype=np.uint8)
        state = torch.full((len(model.contract.state.channels),), 0.1 * number)
        return model.observe(pictures)[0].with_state(state)

    return observed


def drawn(folder: Path, latent: torch.Tensor) -> np.ndarray:
    decoder = load_viewing_decoder(folder)
    with torch.inference_mode():
        return as_pictures(decoder(latent)).numpy()


def test_what_is_drawn_is_the_rollout_of_the_plan_from_what_was_seen(drawing, seen):
    imagined = Imagination(drawing, VIEWS).follow(seen(1), ACTIONS[0])
    one = seen(1)
    context = Context(one.latent[None], one.arm_state[None], torch.zeros(0, 7))
    rollout = WorldModel.load(drawing).rollout(context, torch.from_numpy(ACTIONS[:1]))[0]
    assert np.array_equal(imagined.next_step, drawn(drawing, rollout[0]))
    assert np.array_equal(imagined.at_end, drawn(drawing, rollout[2]))
    assert imagined.came.shape == imagined.next_step.shape == (2, 32, 32, 3)
    assert imagined.expected is None and imagined.expected_off is None and imagined.copied_off is None


def test_what_was_imagined_stands_beside_what_came_and_a_model_without_pictures_draws_that(drawing, seen):
    imagination = Imagination(drawing, VIEWS)
    first = imagination.follow(seen(1), ACTIONS[0])
    second = imagination.follow(seen(2), ACTIONS[1])
    assert second.number == first.number + 1 and np.array_equal(second.expected, first.next_step)
    assert second.copied_off == pytest.approx(float((seen(1).latent - seen(2).latent).square().mean()))
    assert second.expected_off != second.copied_off
    assert second.came_drawn and np.array_equal(second.came, drawn(drawing, seen(2).latent))


def test_with_a_new_goal_what_was_seen_before_is_forgotten(drawing, seen):
    imagination = Imagination(drawing, VIEWS)
    imagination.follow(seen(1), ACTIONS[0])
    imagination.begin()
    again = imagination.follow(seen(2), ACTIONS[1])
    alone = Imagination(drawing, VIEWS).follow(seen(2), ACTIONS[1])
    assert again.expected is None and np.array_equal(again.at_end, alone.at_end)


def test_a_model_without_a_decoder_says_how_to_get_one(bundle):
    with pytest.raises(ValueError, match=r"no viewing decoder.*train --viewing-decoder-only"):
        Imagination(bundle, VIEWS)


def test_a_model_that_is_used_with_some_of_its_views_is_not_drawn(drawing):
    with pytest.raises(ValueError, match="where the model has all of its views, front, side"):
        Imagination(drawing, ("front",))
