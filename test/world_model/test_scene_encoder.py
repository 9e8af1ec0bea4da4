import pytest
import torch
from small_models import SCENE, small_encoder, small_scene_encoder

from jepa_planner.world_model.scene_encoder import SceneEncoder, SceneEncoderConfig


def pictures(count: int = 3) -> torch.Tensor:
    return torch.randn(count, 2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_each_patch_of_each_view_gives_a_token_of_mean_0_and_variance_1():
    tokens = small_scene_encoder()(pictures())
    assert tokens.shape == (3, SCENE.tokens, 8) == (3, 2 * 4, 8)
    torch.testing.assert_close(tokens.mean(-1), torch.zeros(3, 8), atol=1e-4, rtol=0)
    torch.testing.assert_close(tokens.std(-1, unbiased=False), torch.ones(3, 8), atol=1e-2, rtol=0)


@pytest.mark.parametrize("view", [0, 1])
def test_a_view_alone_has_its_own_tokens_and_nothing_stands_in_for_the_other(view):
    scene, seen = small_scene_encoder(), pictures()
    alone = scene.of_views([view])
    tokens = alone(seen[:, [view]])
    assert tokens.shape == (3, 4, 8)
    other = seen.clone()
    other[:, 1 - view] = 0.0
    assert torch.equal(alone(other[:, [view]]), tokens)
    with pytest.raises(ValueError, match=r"images are \[3, 2, 3, 32, 32\]; expected \['B', 1, 3, 'H', 'W'\]"):
        alone(seen)
    assert scene(seen).shape == (3, 8, 8), "the encoder itself still wants both"


def test_views_are_told_apart_even_where_they_show_the_same():
    same = pictures()[:, :1]
    scene = small_scene_encoder()
    assert (scene.of_views([0])(same) - scene.of_views([1])(same)).abs().max() > 0.1


def test_it_begins_with_what_an_encoder_of_latents_knows():
    encoder = small_encoder()
    config = SceneEncoderConfig.beside(encoder.config)
    assert (config.image_size, config.views, config.width) == ((32, 32), 2, 24)
    scene = SceneEncoder(config)
    before = scene.readout.weight.clone()
    scene.begin_with(encoder)
    for name in ("patch_embed.0.weight", "blocks.1.attn.qkv.weight", "view_embed", "norm.weight"):
        assert torch.equal(scene.state_dict()[name], encoder.state_dict()[name])
    assert torch.equal(scene.readout.weight, before), "what is read out is of another size"


@pytest.mark.parametrize(
    ("changes", "says"), [({"image_size": (40, 32)}, "multiples of 16"), ({"channels": 0}, "sizes of at least 1")]
)
def test_impossible_sizes_are_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        SceneEncoderConfig(**{"image_size": (32, 32), "views": 2, **changes})
