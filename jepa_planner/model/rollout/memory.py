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
    """Rotation of one time step's queries and keys: tables [tokens, head_size] in the order of `split_halves`."""

    cosine: Tensor
    signed_sine: Tensor

    def place(self, qkv: Tensor, queries: Tensor, keys: Tensor, values: Tensor) -> None:
        """Writes rotated queries [C, heads, last, head_size], of the last tokens, rotated keys and values
        [C, heads, n, head_size]; qkv [C, n, 3*width].
        """
        q, k, v = (x.unflatten(-1, (keys.shape[1], -1)).transpose(1, 2) for x in qkv.chunk(3, dim=-1))
        last = queries.shape[2]
        self._rotate(q[:, :, -last:], queries, self.cosine[-last:], self.signed_sine[-last:])
        self._rotate(k, keys, self.cosine, self.signed_sine)
        values.copy_(v)

    def _rotate(self, x: Tensor, out: Tensor, cosine: Tensor, signed_sine: Tensor) -> None:
        torch.mul(x, cosine, out=out)
        add_other_half(x, out, signed_sine)


def add_other_half(x: Tensor, out: Tensor, signed_sine: Tensor) -> None:
    """Adds each half of the channels of x [.., tokens, head_size], times its sine, to the other half of out."""
    half = x.shape[-1] // 2
    out[..., :half].addcmul_(x[..., half:], signed_sine[..., :half])
    out[..., half:].addcmul_(x[..., :half], signed_sine[..., half:])


class LayerMemory:
    """One layer's keys and values, each [chunk, heads, tokens of all steps, head_size]."""

    def __init__(self, shape: tuple[int, int, int, int], dtype: torch.dtype, device: torch.device) -> None:
        self.keys = torch.empty(shape, dtype=dtype, device=device)
        self.values = torch.empty(shape, dtype=dtype, device=device)

    def attend(self, qkv: Tensor, turn: Turn, seen: int, last: int) -> Tensor:
        """Adds one step and lets its last tokens attend to everything: qkv [C, n, 3*width] -> [C, last, width].

        seen: how many tokens of earlier steps there are; what lies behind them is overwritten.
        """
        batch, n = qkv.shape[:2]
        keys, values = self.room(batch, 0, seen + n)
        queries = keys.new_empty(batch, keys.shape[1], last, keys.shape[3])
        turn.place(qkv, queries, *self.room(batch, seen, n))
        return F.scaled_dot_product_attention(queries, keys, values).transpose(1, 2).reshape(batch, last, -1)

    def room(self, candidates: int, seen: int, tokens: int) -> tuple[Tensor, Tensor]:
        """Where keys and values [candidates, heads, tokens, head_size] of a step are, behind those seen."""
        return self.keys[:candidates, :, seen : seen + tokens], self.values[:candidates, :, seen : seen + tokens]
