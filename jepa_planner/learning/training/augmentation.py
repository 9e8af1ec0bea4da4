"""Pictures of a scene as other cameras, lamps and paints would have them: more tables than were recorded."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

TURN_RAD, STRETCH, SHIFT = math.radians(4.0), 0.06, 0.05
"""A camera turned about its axis, nearer or farther, and turned aside, as a share of the picture's width."""
GAIN, OFFSET = 0.2, 0.2
"""Of each colour, in standardised brightness."""
SWAP_SHARE = 0.5
"""Share of scenes in which red, green and blue change places."""


def augment(pixels: Tensor, windows_per_scene: int, generator: Generator) -> Tensor:
    """Standardised pictures [B, T, V, 3, H, W], changed; all windows of a scene, which follow one another, alike.

    So what changes is as constant in a scene as its table is, and what the arm does to things stays as it was.
    """
    scenes, views = len(pixels) // windows_per_scene, pixels.shape[2]
    seen = pixels.unflatten(0, (scenes, windows_per_scene))
    return _repainted(_seen_from_elsewhere(seen, views, generator), generator).flatten(0, 1)


def _seen_from_elsewhere(seen: Tensor, views: int, generator: Generator) -> Tensor:
    """Each view [S, B, T, V, 3, H, W] turned, stretched and shifted; what lies outside repeats the edge."""
    scenes = len(seen)
    turn = TURN_RAD * _either_way(generator, scenes, views)
    stretch = 1 + STRETCH * _either_way(generator, scenes, views)
    cos, sin = stretch * turn.cos(), stretch * turn.sin()
    shift = 2 * SHIFT * _either_way(generator, scenes, views, 2)  # the picture is 2 wide
    moved = torch.stack([torch.stack([cos, -sin, shift[..., 0]], -1), torch.stack([sin, cos, shift[..., 1]], -1)], -2)
    count, height, width = seen.shape[1] * seen.shape[2], *seen.shape[-2:]
    frames = seen.permute(0, 3, 1, 2, 4, 5, 6).reshape(scenes * views, count * 3, height, width)
    grid = functional.affine_grid(moved.flatten(0, 1).to(seen), list(frames.shape), align_corners=False)
    drawn = functional.grid_sample(frames, grid, padding_mode="border", align_corners=False)
    back = drawn.reshape(scenes, views, *seen.shape[1:3], 3, height, width)
    return back.permute(0, 2, 3, 1, 4, 5, 6)


def _repainted(seen: Tensor, generator: Generator) -> Tensor:
    """Colours [S, B, T, V, 3, H, W] that change places, and are stronger or weaker."""
    scenes = len(seen)
    swapped = torch.rand(scenes, generator=generator) < SWAP_SHARE
    order = torch.where(swapped[:, None], torch.rand(scenes, 3, generator=generator).argsort(1), torch.arange(3))
    index = order.to(seen.device)[:, None, None, None, :, None, None].expand_as(seen)
    shape = (scenes, 1, 1, 1, 3, 1, 1)
    gain, offset = 1 + GAIN * _either_way(generator, *shape), OFFSET * _either_way(generator, *shape)
    return seen.gather(4, index) * gain.to(seen) + offset.to(seen)


def _either_way(generator: Generator, *shape: int) -> Tensor:
    """Evenly from -1 to 1."""
    return torch.rand(shape, generator=generator) * 2 - 1
