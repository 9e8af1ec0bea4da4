from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_models import small_world_model
from tiny_training import encoder, episodes, predictor

from jepa_planner.learning.data.episodes import write_shard
from jepa_planner.learning.evaluation.picture_pair import (
    PictureError,
    PicturePair,
    context_and_goal,
    pair_from_episodes,
    pair_from_files,
    pair_from_frames,
)
from jepa_planner.learning.training.recipe import Recipe, contract
from jepa_planner.model.contract import ContractError

STATE = [0.5, 0.1, 0.2, 3.0, 0.0, 0.5, 0.25]


def picture(path: Path, level: int = 100, width: int = 48, height: int = 32, mode: str = "RGB") -> Path:
    Image.new(mode, (width, height), level if mode == "L" else (level, 0, 255, 255)[: len(mode)]).save(path)
    return path


def frames_file(path: Path, views: tuple[int, ...] = (), **arrays: np.ndarray) -> Path:
    """Three frames whose grey level is 10 times their number; the arm moves 5 cm in x from one to the next."""
    levels = 10 * np.arange(3, dtype=np.uint8).reshape(1, 3, *(1,) * (len(views) + 3))
    states = np.tile(np.float32(STATE), (1, 3, 1))
    states[0, :, 0] += 0.05 * np.arange(3)
    given = {"observations": np.broadcast_to(levels, (1, 3, *views, 32, 48, 3)), "states": states, **arrays}
    np.savez(path, **given)
    return path


def test_pictures_are_read_as_rgb_with_one_leading_axis_for_views(tmp_path):
    now = [picture(tmp_path / "a.png"), picture(tmp_path / "a2.png", mode="L")]
    goal = [picture(tmp_path / "b.png", mode="RGBA"), picture(tmp_path / "b2.jpg")]
    pair = pair_from_files(now, goal, STATE)
    assert pair.image.shape == pair.goal.shape == (2, 32, 48, 3) and pair.image.dtype == np.uint8
    assert pair.image[0, 0, 0].tolist() == [100, 0, 255] and pair.image[1, 0, 0].tolist() == [100, 100, 100]
    assert pair.state.dtype == np.float32 and pair.true_action is None


def test_a_goal_state_tells_the_true_action(tmp_path):
    file = [picture(tmp_path / "a.png")]
    then = [0.53, 0.08, 0.2, 3.0, 0.0, 0.7, 1.0]
    np.testing.assert_allclose(
        pair_from_files(file, file, STATE, goal_state=then).true_action, [0.03, -0.02, 0, 0, 0, 0.2, 0.75], atol=1e-6
    )
    given = [0.01] * 7
    assert pair_from_files(file, file, STATE, true_action=given).true_action == pytest.approx(given)
    with pytest.raises(PictureError, match="one of them tells the other"):
        pair_from_files(file, file, STATE, then, given)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"goal": (64, 32)}, "48 x 32 pixels and the goal 64 x 32: both must be whole pictures of the same camera"),
        ({"second": (32, 32)}, "views have different sizes"),
        ({"state": [float("nan")] * 7}, "the state is .* expected finite"),
        ({"goal_state": STATE[:6]}, "states of 7 and 6 numbers"),
        ({"true_action": [0.1] * 6}, "a true action of 6 numbers given; expected 7"),
        ({"missing": True}, r"cannot read the picture .*nowhere\.png"),
        ({"no_picture": True}, r"cannot read the picture .*notes\.png"),
    ],
)
def test_what_does_not_go_together_is_refused_in_words(changes, says, tmp_path):
    now, goal = [picture(tmp_path / "a.png")], [picture(tmp_path / "b.png")]
    if size := changes.pop("goal", None):
        goal = [picture(tmp_path / "b.png", 100, *size)]
    if size := changes.pop("second", None):
        now.append(picture(tmp_path / "a2.png", 100, *size))
    if changes.pop("missing", False):
        goal = [tmp_path / "nowhere.png"]
    if changes.pop("no_picture", False):
        goal = [tmp_path / "notes.png"]
        goal[0].write_text("no picture")
    with pytest.raises(PictureError, match=says):
        pair_from_files(now, goal, **{"state": STATE, **changes})


def test_a_goal_of_another_resolution_of_the_same_camera_is_fine(tmp_path):
    pair = pair_from_files([picture(tmp_path / "a.png")], [picture(tmp_path / "b.png", 100, 96, 64)], STATE)
    assert pair.goal.shape == (1, 64, 96, 3)


@pytest.mark.parametrize(("chosen", "levels", "dx"), [((0, -1), (0, 20), 0.1), ((1, 0), (10, 0), -0.05)])
def test_frames_of_a_file_are_chosen_by_number(chosen, levels, dx, tmp_path):
    pair = pair_from_frames(frames_file(tmp_path / "f.npz"), *chosen)
    assert pair.image.shape == (1, 32, 48, 3)
    assert (pair.image.max(), pair.goal.max()) == levels
    np.testing.assert_allclose(pair.true_action, [dx, 0, 0, 0, 0, 0, 0], atol=1e-5)


def test_a_file_may_hold_several_views(tmp_path):
    assert pair_from_frames(frames_file(tmp_path / "f.npz", views=(2,))).goal.shape == (2, 32, 48, 3)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"observations": np.zeros((1, 3, 8, 8, 3), np.float32)}, "observations float32"),
        ({"observations": np.zeros((3, 8, 8, 3), np.uint8)}, r"expected uint8 \[1, T, H, W, 3\]"),
        ({"states": np.zeros((1, 2, 7), np.float32)}, r"states \[1, 2, 7\]"),
        ({"states": np.zeros((1, 3, 6), np.float32)}, "states of 6 and 6 numbers given; expected at least 7"),
        ({"states": np.array([{}], dtype=object)}, "cannot be loaded|can be read"),
    ],
)
def test_a_file_of_another_layout_is_refused_by_name(arrays, says, tmp_path):
    with pytest.raises(PictureError, match=says):
        pair_from_frames(frames_file(tmp_path / "f.npz", **arrays))


def test_a_frame_that_is_not_there_and_a_file_that_is_none_are_refused(tmp_path):
    with pytest.raises(PictureError, match="frame 3 was asked for; it has 3, counted from 0"):
        pair_from_frames(frames_file(tmp_path / "f.npz"), 3, 0)
    with pytest.raises(PictureError, match=r"nowhere\.npz has no arrays"):
        pair_from_frames(tmp_path / "nowhere.npz")
    (tmp_path / "text.npz").write_text("no arrays")
    with pytest.raises(PictureError, match=r"text\.npz has no arrays"):
        pair_from_frames(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", pictures=np.zeros(3))
    with pytest.raises(PictureError, match="'observations' and 'states'"):
        pair_from_frames(tmp_path / "other.npz")


def test_the_model_sees_the_image_as_context_and_the_goal_as_goal():
    model = small_world_model()
    rng = np.random.default_rng(0)
    image, goal = rng.integers(0, 256, (2, 2, 40, 40, 3), dtype=np.uint8)
    context, latent = context_and_goal(model, PicturePair(image, goal, np.full(8, 0.5, np.float32)))
    torch.testing.assert_close(context.latents, model.encode(image[None]))
    torch.testing.assert_close(latent, model.encode(goal[None])[0])
    assert context.states.tolist() == [[0.5] * 8] and context.actions.shape == (0, 7)


@pytest.mark.parametrize(
    ("views", "size", "channels", "says"),
    [
        (2, 40, 7, r"state\.channels: 7 given"),
        (1, 40, 8, r"image\.views: 1 given"),
        (2, 16, 8, r"16 x 16 given|at least"),
    ],
)
def test_what_does_not_fit_the_model_is_refused_by_name(views, size, channels, says):
    picture = np.zeros((views, size, size, 3), np.uint8)
    with pytest.raises(ContractError, match=says):
        context_and_goal(small_world_model(), PicturePair(picture, picture, np.zeros(channels, np.float32)))


def test_a_step_of_an_episode_is_a_pair_whose_action_is_known(tmp_path):
    some = episodes(count=2, steps=6)
    write_shard(tmp_path / "episodes-000000.h5", some)
    pair = pair_from_episodes(tmp_path, contract_of_two_views(), episode=1, first=2, last=4)
    np.testing.assert_array_equal(pair.image, some.images[1, 2])
    np.testing.assert_array_equal(pair.goal, some.images[1, 4])
    np.testing.assert_allclose(pair.state, some.states[1, 2])
    np.testing.assert_allclose(pair.true_action[:3], some.states[1, 4, :3] - some.states[1, 2, :3], atol=1e-6)
    with pytest.raises(PictureError, match="episode 2 was asked for; it has 2, counted from 0"):
        pair_from_episodes(tmp_path, contract_of_two_views(), episode=2)
    with pytest.raises(PictureError, match="frame 7 was asked for; episode 0 has 7, from 0 on"):
        pair_from_episodes(tmp_path, contract_of_two_views(), last=7)


def contract_of_two_views():
    return contract(encoder(), predictor(), episodes(count=2, steps=6), Recipe())
