"""Which patches of a clip are hidden."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class MaskSettings:
    """Blocks as V-JEPA (arXiv 2404.08471) hides them, all frames of a clip alike."""

    hidden_share: float = 0.75
    """Share of the patches that is hidden, in (0, 1)."""
    block_share: float = 0.15
    """Share of the picture that one block covers, in (0, 1)."""
    aspect: float = 1.5
    """The most a block's height is of its width, and its width of its height; at least 1."""


def hidden_first(count: int, grid: tuple[int, int], settings: MaskSettings, generator: Generator) -> tuple[Tensor, int]:
    """For each of `count` clips an order [count, rows*columns] of a picture's patches, and how many of its first ones
    are hidden: as many in each clip, so that clips make a batch.
    """
    patches = grid[0] * grid[1]
    hidden = round(settings.hidden_share * patches)
    orders = [_order(grid, hidden, settings, generator) for _ in range(count)]
    return torch.stack(orders), hidden


def _order(grid: tuple[int, int], hidden: int, settings: MaskSettings, generator: Generator) -> Tensor:
    """Patches in the order in which random blocks cover them, those that none covers behind."""
    rows, columns = grid
    covered = torch.zeros(rows, columns, dtype=torch.bool, device="cpu")
    order: list[Tensor] = []
    number = torch.arange(rows * columns, device="cpu").view(rows, columns)
    seen = 0
    while seen < hidden:
        tall = math.exp((2 * _uniform(generator) - 1) * math.log(settings.aspect))
        side = math.sqrt(settings.block_share * rows * columns)
        height, width = (
            max(1, min(most, round(side * stretched))) for most, stretched in ((rows, tall**0.5), (columns, tall**-0.5))
        )
        top, left = (int(_uniform(generator) * (most - own + 1)) for most, own in ((rows, height), (columns, width)))
        block = (slice(top, top + height), slice(left, left + width))
        new = number[block][~covered[block]]
        order.append(new)
        seen += len(new)
        covered[block] = True
    return torch.cat([*order, number[~covered]])


def _uniform(generator: Generator) -> float:
    return float(torch.rand((), generator=generator, device="cpu"))
