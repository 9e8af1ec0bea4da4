import pytest
import torch

from jepa_planner.model.preprocess import IMAGENET_MEAN, IMAGENET_STD, preprocess


def test_an_image_of_the_right_size_is_only_normalised():
    pixels = torch.randint(0, 256, (8, 8, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected = (pixels / 255.0 - torch.tensor(IMAGENET_MEAN)) / torch.tensor(IMAGENET_STD)
    assert torch.allclose(preprocess(pixels, (8, 8)), expected.movedim(-1, 0), atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 20), (20, 8)])
def test_the_centre_of_the_longer_side_is_kept(shape):
    pixels = torch.zeros(*shape, 3, dtype=torch.uint8)
    pixels[shape[0] // 2 - 4 : shape[0] // 2 + 4, shape[1] // 2 - 4 : shape[1] // 2 + 4] = 255
    white = preprocess(torch.full((8, 8, 3), 255, dtype=torch.uint8), (8, 8))
    assert torch.equal(preprocess(pixels, (8, 8)), white)


@pytest.mark.parametrize(
    ("shape", "aspect", "crop"), [((72, 128), 1.35, (72, 97)), ((72, 96), 4 / 3, (72, 96)), ((90, 90), 1.5, (60, 90))]
)
def test_a_crop_of_another_aspect_is_squeezed_into_the_size(shape, aspect, crop):
    pixels = torch.randint(0, 256, (*shape, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    top, left = (shape[0] - crop[0]) // 2, (shape[1] - crop[1]) // 2
    cropped = pixels[top : top + crop[0], left : left + crop[1]].movedim(-1, 0)[None].float()
    squeezed = torch.nn.functional.interpolate(cropped, (8, 8), mode="bilinear")[0].round().byte().movedim(0, -1)
    given = preprocess(pixels, (8, 8), crop_aspect=aspect)
    assert torch.allclose(given, preprocess(squeezed, (8, 8)), atol=0.5 / 255 / min(IMAGENET_STD) + 1e-4)


def test_leading_dimensions_are_kept():
    pixels = torch.zeros(2, 5, 16, 24, 3, dtype=torch.uint8)
    assert preprocess(pixels, (8, 8)).shape == (2, 5, 3, 8, 8)


@pytest.mark.parametrize(
    "images",
    [torch.zeros(8, 8, 3), torch.zeros(8, 8, 4, dtype=torch.uint8), torch.zeros(0, 8, 3, dtype=torch.uint8)],
    ids=["float", "four channels", "empty"],
)
def test_anything_but_rgb_bytes_is_refused(images):
    with pytest.raises(ValueError, match="images are"):
        preprocess(images, (8, 8))
