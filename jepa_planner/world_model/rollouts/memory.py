"""Keys and values of the time steps that a chunk of candidates has gone through, written in place."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


def split_halves(head_size: int) -> Tensor:
    """The order of a head's channels that puts each rotated pair into two halves: 0, 2, 4, .., 1, 3, 5, ..

    Products of queries and keys stay the same when the channels of both change places, and halves rotate several
    times faster than neighbouring channels.
    """
    return torch.cat([torch.arange(0, head_size, 2), torch.arange(1, head_size, 2)])


@dataclass(frozen=True)
class Turn:
    """Rotation of one time step's queries and keys: tables [tokens, 1, head_size] in the order of `split_halves`."""

    cosine: Tensor
    signed_sine: Tensor

    def place(self, qkv: Tensor, queries: Tensor, keys: Tensor, values: Tensor) -> None:
        """Writes rotated queries and keys, and values: qkv [C, n, 3*width] -> [C, last, width], twice [C, n, width].

        Queries are those of the last tokens.
        """
        q, k, v = qkv.chunk(3, dim=-1)
        last = queries.shape[1]
        self._rotate(q[:, -last:], queries, self.cosine[-last:], self.signed_sine[-last:])
        self._rotate(k, keys, self.cosine, self.signed_sine)
        values.copy_(v)

    def _rotate(self, x: Tensor, out: Tensor, cosine: Tensor, signed_sine: Tensor) -> None:
        x, out = (y.unflatten(-1, (-1, cosine.shape[-1])) for y in (x, out))
        torch.mul(x, cosine, out=out)
        add_other_half(x, out, signed_sine)


def add_other_half(x: Tensor, out: Tensor, signed_sine: Tensor) -> None:
    """Adds each half of the channels of x [C, tokens, heads, head_size], times its sine, to the other half of out."""
    half = x.shape[-1] // 2
    out[..., :half].addcmul_(x[..., half:], signed_sine[..., :half])
    out[..., half:].addcmul_(x[..., :half], signed_sine[..., half:])


class LayerMemory:
    """One layer's keys and values, each [chunk, tokens of all steps, width]."""

    def __init__(self, shape: tuple[int, int, int], heads: int, dtype: torch.dtype, device: torch.device) -> None:
        self.keys = torch.empty(shape, dtype=dtype, device=device)
        self.values = torch.empty(shape, dtype=dtype, device=device)
        self._heads = heads

    def attend(self, qkv: Tensor, turn: Turn, seen: int, last: int) -> Tensor:
        """Adds one step and lets its last tokens attend to everything: qkv [C, n, 3*width] -> [C, last, width].

        seen: how many tokens of earlier steps there are; what lies behind them is overwritten.
        """
        batch, n, width = qkv.shape[0], qkv.shape[1], qkv.shape[2] // 3
        queries = torch.empty((batch, last, width), dtype=qkv.dtype, device=qkv.device)
        keys, values = self.keys[:batch, : seen + n], self.values[:batch, : seen + n]
        turn.place(qkv, queries, keys[:, seen:], values[:, seen:])
        parts = (x.unflatten(-1, (self._heads, -1)).transpose(1, 2) for x in (queries, keys, values))
        return F.scaled_dot_product_attention(*parts).transpose(1, 2).reshape(batch, last, width)
