"""Camera pixels to encoder input; training, running and goal images all pass through here."""

from collections.abc import Sequence
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor

from jepa_planner.model.picture_warp import UNMOVED, Warp, matrices, warped

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def preprocess(
    images: Tensor,
    size: tuple[int, int],
    mean: tuple[float, float, float] = IMAGENET_MEAN,
    std: tuple[float, float, float] = IMAGENET_STD,
    crop_aspect: float | None = None,
    warps: Sequence[Warp] = (),
) -> Tensor:
    """Centre crop, bilinear resize without antialiasing, and normalisation.

    images: uint8 RGB [.., H, W, 3]; size: (height, width) in pixels; crop_aspect: width over height of the crop, that
    of `size` by default. warps: of each view, where images are [.., V, H, W, 3]; none: they stay as they are. Returns
    float32 [.., 3, height, width] of (pixel - 255*mean) / (255*std), as V-JEPA 2-AC does at run time. Raises ValueError
    for any other input.
    """
    if images.dtype != torch.uint8 or images.ndim < 3 or images.shape[-1] != 3:
        raise ValueError(f"images are {images.dtype} {list(images.shape)}; expected uint8 RGB [.., H, W, 3]")
    height, width = size
    aspect = Fraction(width, height) if crop_aspect is None else Fraction(crop_aspect).limit_denominator(1000)
    rows = min(images.shape[-3], images.shape[-2] // aspect)
    columns = min(images.shape[-2], images.shape[-3] * aspect // 1)
    if rows < 1 or columns < 1:
        raise ValueError(f"images are {list(images.shape)}; nothing is left of them in the aspect {aspect}")
    top, left = (images.shape[-3] - rows) // 2, (images.shape[-2] - columns) // 2
    x = images[..., top : top + rows, left : left + columns, :].movedim(-1, -3).float()
    if warps:
        return _normalised(_warped_views(x, warps, size), mean, std)
    if (rows, columns) != (height, width):
        x = F.interpolate(x.reshape(-1, 3, rows, columns), size=size, mode="bilinear", align_corners=False)
        x = x.reshape(*images.shape[:-3], 3, height, width)
    return _normalised(x, mean, std)


def _warped_views(x: Tensor, warps: Sequence[Warp], size: tuple[int, int]) -> Tensor:
    """Each view of pictures [.., V, 3, H, W] by its warp; raises ValueError where there are not as many."""
    if x.ndim < 4 or x.shape[-4] != len(warps):
        raise ValueError(f"pictures are {list(x.shape)}; expected {['..', len(warps), 3, 'H', 'W']}, a warp for each")
    views = []
    for view, warp in enumerate(warps):
        seen = x[..., view, :, :, :].flatten(0, -4) if x.ndim > 4 else x[view][None]
        if tuple(warp) == UNMOVED and tuple(seen.shape[-2:]) == tuple(size):
            views.append(seen)
        else:
            views.append(warped(seen, matrices(torch.tensor(warp)), size))
    return torch.stack(views, dim=1).reshape(*x.shape[:-2], *size)


def _normalised(x: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    shift = torch.tensor(mean, device=x.device).view(3, 1, 1) * 255.0
    scale = torch.tensor(std, device=x.device).view(3, 1, 1) * 255.0
    return (x - shift) / scale


def as_pictures(
    pixels: Tensor, mean: tuple[float, float, float] = IMAGENET_MEAN, std: tuple[float, float, float] = IMAGENET_STD
) -> Tensor:
    """What `preprocess` normalised, for people: float [.., 3, H, W] -> uint8 RGB [.., H, W, 3], clipped."""
    shift, scale = (torch.tensor(part, device=pixels.device).view(3, 1, 1) * 255.0 for part in (mean, std))
    return (pixels * scale + shift).round().clamp(0, 255).to(torch.uint8).movedim(-3, -1)
