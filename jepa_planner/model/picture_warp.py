"""A moved camera's picture as it would be from where the camera stood before: a homography of each view.

Places in a picture are x to the right and y down, from -1 to 1 between its edges, whatever its size in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Warp = tuple[float, float, float, float, float, float, float, float]
"""A 3x3 matrix row by row, without its last number, which is 1: it takes places of the picture that a model sees to
those of the camera's picture.
"""
UNMOVED: Warp = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
LEAST_DEPTH = 0.2
"""Of the corners, in units of the middle's: what is seen from farther aside is hardly a picture."""
CORNERS = ((-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0))


def check_warp(warp: Sequence[float]) -> None:
    """Raises ValueError unless a warp is finite, mirrors nothing, and takes each corner to what a camera could see."""
    a, b, c, d, e, f, g, h = warp
    determinant = a * (e - f * h) - b * (d - f * g) + c * (d * h - e * g)
    depths = [1.0 + g * x + h * y for x, y in CORNERS]
    if not (all(map(math.isfinite, warp)) and determinant > 0.0 and min(depths) >= LEAST_DEPTH):
        raise ValueError(
            f"warp is {list(warp)}; expected the first 8 numbers of a 3x3 matrix, finite, of a positive determinant "
            f"({determinant:.3g}) and with depths of at least {LEAST_DEPTH} at the corners ({min(depths):.3g})"
        )


def matrices(warps: Tensor) -> Tensor:
    """Warps [.., 8] as matrices [.., 3, 3]."""
    return torch.cat([warps, torch.ones_like(warps[..., :1])], dim=-1).unflatten(-1, (3, 3))


def warped(pictures: Tensor, matrix: Tensor, size: tuple[int, int]) -> Tensor:
    """Pictures float [B, C, H, W], all warped by a matrix [3, 3], with size (height, width); bilinear.

    What a picture does not show repeats its edge. Gradients flow to the matrix.
    """
    rows, columns = ((2.0 * torch.arange(n, device=pictures.device) + 1.0) / n - 1.0 for n in size)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    moved = torch.stack([x, y, torch.ones_like(x)], dim=-1) @ matrix.to(pictures).T
    places = moved[..., :2] / moved[..., 2:].clamp(min=LEAST_DEPTH / 2)
    grid = places.expand(len(pictures), *places.shape)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)
