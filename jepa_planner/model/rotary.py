"""Rotary position tables for tokens that live at (time, row, column)."""

import torch
from torch import Tensor


def rotary_tables(positions: Tensor, head_size: int, paired: bool = False) -> tuple[Tensor, Tensor]:
    """Cosine and signed sine of every rotation angle, for `rotate`.

    positions: [N, 3] time, row and column of each token. A coordinate of 0 leaves its channels unrotated, so
    a token without a place in the image has row = column = 0. Returns two [N, head_size] float32 tables.

    The head is split into three parts of d = 2*((head_size//3)//2) channels; what remains is not rotated.
    Released V-JEPA 2 weights rely on a quirk kept here: the d/2 angles are tiled (a0, a1, .., a0, a1, ..)
    although the rotated pairs are adjacent channels, so the two channels of a pair turn by different angles. With
    `paired`, as V-JEPA 2.1 has it, they turn by the same one (a0, a0, a1, a1, ..).
    """
    half = (head_size // 3) // 2
    if half == 0:
        raise ValueError(f"head_size is {head_size}; rotary positions need at least 6 channels per head")
    frequencies = 10000.0 ** (-torch.arange(half, dtype=torch.float64, device="cpu") / half)
    angles = positions.to(torch.float64)[:, :, None] * frequencies
    turned = (angles.repeat_interleave(2, dim=-1) if paired else angles.repeat(1, 1, 2)).flatten(1)
    rest = turned.new_zeros(len(positions), head_size - turned.shape[1])
    turned = torch.cat([turned, rest], dim=1)
    sine = turned.sin()
    sine[:, 0::2] *= -1.0  # the first channel of a pair receives -x1, the second +x0
    return turned.cos().float(), sine.float()


def grid_positions(time: int, rows: int, columns: int) -> Tensor:
    """Positions [rows*columns, 3] of one frame's patch tokens at one time, row by row."""
    axes = [torch.arange(n, device="cpu") for n in (rows, columns)]
    row, column = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([torch.full_like(row, time), row, column], dim=-1).reshape(-1, 3)


def rotate(x: Tensor, cosine: Tensor, signed_sine: Tensor) -> Tensor:
    """Rotates x [.., N, head_size] by the tables [N, head_size] of `rotary_tables`."""
    swapped = torch.stack((x[..., 1::2], x[..., 0::2]), dim=-1).flatten(-2)
    return torch.addcmul(x * cosine.to(x.dtype), swapped, signed_sine.to(x.dtype))
