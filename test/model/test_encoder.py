import pytest
import torch
from small_models import slot_encoder_config, small_encoder

from jepa_planner.model.encoder import EncoderConfig, VideoEncoder


def images(batch: int = 3, views: int = 2, size: int = 32, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, views, 3, size, size, generator=torch.Generator().manual_seed(seed))


def patch_config(**changes) -> EncoderConfig:
    return EncoderConfig(image_size=(32, 48), width=24, depth=2, heads=2, mlp_hidden=32, **changes)


def test_patch_tokens_of_all_views_are_the_latents():
    encoder = VideoEncoder(patch_config(views=2))
    latents = encoder(torch.randn(3, 2, 3, 32, 48))
    assert latents.shape == (3, encoder.config.latent_tokens, encoder.config.latent_channels) == (3, 12, 24)
    assert encoder.config.latent_grid == (4, 3)


def test_patch_latents_are_normalised_over_channels():
    latents = VideoEncoder(patch_config())(torch.randn(2, 1, 3, 32, 48))
    assert torch.allclose(latents.mean(dim=-1), torch.zeros(2, 6), atol=1e-5)
    assert torch.allclose(latents.std(dim=-1, unbiased=False), torch.ones(2, 6), atol=1e-3)


def test_slots_are_the_latents_and_standardised_over_the_batch():
    encoder = small_encoder().train()
    latents = encoder(images(batch=16))
    assert latents.shape == (16, 3, 4)
    assert torch.allclose(latents.mean(dim=0), torch.zeros(3, 4), atol=1e-4)
    assert torch.allclose(latents.std(dim=0, unbiased=False), torch.ones(3, 4), atol=0.05)


def test_in_eval_mode_a_frame_is_encoded_alone():
    encoder = small_encoder().eval()
    batch = images(batch=4)
    assert torch.allclose(encoder(batch)[:1], encoder(batch[:1]), atol=1e-5)


def test_views_are_told_apart():
    encoder = small_encoder().eval()
    batch = images(batch=1)
    assert not torch.allclose(encoder(batch), encoder(batch.flip(1)), atol=1e-3)


def test_gradients_reach_every_parameter():
    encoder = small_encoder().train()
    (encoder(images()) * torch.randn(3, 3, 4)).sum().backward()
    assert [name for name, parameter in encoder.named_parameters() if parameter.grad is None] == []


def test_attention_gives_the_same_numbers_with_and_without_gradients():
    encoder = small_encoder().eval()
    with torch.no_grad():
        without = encoder(images())
    assert torch.allclose(encoder(images()), without, atol=1e-5)


@pytest.mark.parametrize("wrong", [images(views=1), images(size=48), images()[0]], ids=["views", "size", "no batch"])
def test_images_of_another_shape_are_refused(wrong):
    with pytest.raises(ValueError, match=r"images are .* expected"):
        VideoEncoder(slot_encoder_config())(wrong)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"image_size": (30, 32)}, "image_size"),
        ({"stem": "magic"}, "stem"),
        ({"patch_size": 8}, "patch_size"),
        ({"slot_channels": 0}, "slot_channels"),
    ],
)
def test_impossible_sizes_are_refused_by_name(changes, name):
    with pytest.raises(ValueError, match=name):
        slot_encoder_config(**changes)


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="multiple of heads"):
        VideoEncoder(slot_encoder_config(heads=5))


def any_view_encoder() -> VideoEncoder:
    torch.manual_seed(0)
    return VideoEncoder(slot_encoder_config(any_view=True)).eval().requires_grad_(False)


@pytest.mark.parametrize("view", [0, 1])
def test_a_missing_view_leaves_nothing_in_its_place(view):
    encoder = any_view_encoder()
    alone, given = encoder.of_views([view]), images()
    assert alone.config.views == 1 and not alone.training
    latents = alone(given[:, [view]])
    torch.testing.assert_close(latents, encoder.normalise(encoder.read(encoder.embed(given)[:, [view]])))
    assert not torch.allclose(latents, encoder(given), atol=1e-3)
    assert not torch.allclose(latents, encoder.of_views([1 - view])(given[:, [view]]), atol=1e-3), (
        "views are told apart"
    )


@pytest.mark.parametrize("views", [[], [2], [0, 1]])
def test_only_some_of_the_views_can_stand_alone(views):
    with pytest.raises(ValueError, match="not trained for some alone"):
        any_view_encoder().of_views(views)


def test_an_encoder_that_needs_all_views_cannot_do_with_one():
    with pytest.raises(ValueError, match="not trained for some alone"):
        small_encoder().of_views([0])
    with pytest.raises(ValueError, match="any_view needs slots"):
        patch_config(any_view=True)
