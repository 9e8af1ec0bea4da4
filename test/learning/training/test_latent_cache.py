import json

import numpy as np
import pytest

from jepa_planner.learning.training.latent_cache import cached_latents

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 20, 2, 8, 8, 3), dtype=np.uint8)


class Encoder:
    """Latents [1, 2]: the mean of the first view and the number of views; counts the frames it was given."""

    def __init__(self, fails_after: int = 10**9) -> None:
        self.frames, self._fails_after = 0, fails_after

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        self.frames += len(frames)
        if self.frames > self._fails_after:
            raise KeyboardInterrupt
        means = frames[:, 0].mean(axis=(1, 2, 3))
        return np.stack([means, np.full(len(frames), frames.shape[1])], axis=-1)[:, None].astype(np.float32)


def test_latents_stand_where_their_pictures_do(tmp_path):
    latents = cached_latents(Encoder(), IMAGES, [1, 0], "key", tmp_path)
    assert latents.shape == (4, 20, 1, 2) and latents.dtype == np.float32
    np.testing.assert_allclose(latents[..., 0, 0], IMAGES[:, :, 1].mean(axis=(2, 3, 4)), rtol=1e-5)
    assert (latents[..., 0, 1] == 2).all()
    assert (cached_latents(Encoder(), IMAGES, [0], "other", tmp_path)[..., 0, 1] == 1).all()


def test_what_was_encoded_is_never_encoded_again(tmp_path):
    first = np.array(cached_latents(Encoder(), IMAGES, [0], "key", tmp_path))
    again = Encoder()
    np.testing.assert_array_equal(cached_latents(again, IMAGES, [0], "key", tmp_path), first)
    assert again.frames == 0


def test_an_interruption_loses_one_episode_at_most(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        cached_latents(Encoder(fails_after=50), IMAGES, [0], "key", tmp_path)
    rest = Encoder()
    latents = cached_latents(rest, IMAGES, [0], "key", tmp_path)
    assert rest.frames == 40
    np.testing.assert_array_equal(latents, cached_latents(Encoder(), IMAGES, [0], "key", tmp_path / "whole"))


def test_another_key_and_a_damaged_note_begin_again(tmp_path):
    cached_latents(Encoder(), IMAGES, [0], "key", tmp_path)
    other = Encoder()
    cached_latents(other, IMAGES[:2], [0], "other", tmp_path)
    assert other.frames == 40
    (tmp_path / "latents.json").write_text("{")
    damaged = Encoder()
    assert cached_latents(damaged, IMAGES, [0], "other", tmp_path).shape[0] == 4
    assert damaged.frames == 80
    assert json.loads((tmp_path / "latents.json").read_text()) == {"key": "other", "episodes": 4}
