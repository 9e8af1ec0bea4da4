"""The transformer block of encoder and predictor; parameter names follow the released checkpoints."""

import math
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jepa_planner.model.rotary import rotate

NORM_EPS = 1e-6
Tables = tuple[Tensor, Tensor]
M = TypeVar("M", bound=nn.Module)


class KeyValueCache:
    """Keys and values of earlier time steps of one attention layer, each [B, heads, n, head_size]."""

    def __init__(self, keys: Tensor | None = None, values: Tensor | None = None) -> None:
        self.keys, self.values = keys, values

    def append(self, keys: Tensor, values: Tensor) -> Tables:
        """Remembers one more step and returns everything remembered."""
        if self.keys is not None and self.values is not None:
            keys = torch.cat([self.keys, keys], dim=2)
            values = torch.cat([self.values, values], dim=2)
        self.keys, self.values = keys, values
        return keys, values

    def behind(self, tokens: int) -> Tables:
        """Those behind the ones of so many tokens; raises ValueError where nothing is remembered."""
        if self.keys is None or self.values is None:
            raise ValueError("no keys and values are remembered yet; append those of a time step first")
        return self.keys[:, :, tokens:], self.values[:, :, tokens:]

    def expanded(self, batch: int) -> "KeyValueCache":
        """A copy in which a batch of one is shared by `batch` sequences."""
        if self.keys is None or self.values is None:
            return KeyValueCache()
        return KeyValueCache(self.keys.expand(batch, -1, -1, -1), self.values.expand(batch, -1, -1, -1))


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax attention over [B, heads, n, head_size]; mask [n_q, n_k] is True where attention is allowed.

    Where gradients flow on a CPU the sum is spelled out: the backward pass of the fused kernel in bfloat16
    takes several times as long there.
    """
    if not (q.requires_grad and q.device.type == "cpu"):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if mask is not None:
        scores = scores + torch.zeros_like(mask, dtype=scores.dtype).masked_fill_(~mask, -math.inf)
    return scores.softmax(dim=-1).to(v.dtype) @ v


class Attention(nn.Module):
    """Multi-head self-attention with rotary positions; scale 1/sqrt(head_size), biases everywhere."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of heads {heads}")
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, tables: Tables, mask: Tensor | None, cache: KeyValueCache | None, last: int) -> Tensor:
        batch, n, width = x.shape
        qkv = self.qkv(x).view(batch, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = rotate(qkv[:2], *tables).unbind(0)
        v = qkv[2]
        if cache is not None:
            k, v = cache.append(k, v)
        q = q[:, :, n - last :]
        return self.proj(attend(q, k, v, mask).transpose(1, 2).reshape(batch, last, width))


class Mlp(nn.Module):
    """Linear, exact GELU, linear."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """x += attention(norm1(x)); x += mlp(norm2(x)).

    forward: x [B, n, width]; rotary tables [n, head_size]; mask [n, n] or None for full attention; with a
    cache the tokens also attend to all earlier steps in it. Returns [B, n, width], or [B, last, width] where
    only the last tokens are wanted.
    """

    def __init__(self, width: int, heads: int, mlp_hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPS)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = Mlp(width, mlp_hidden)

    def forward(
        self,
        x: Tensor,
        tables: Tables,
        mask: Tensor | None = None,
        cache: KeyValueCache | None = None,
        last: int | None = None,
    ) -> Tensor:
        last = x.shape[1] if last is None else last
        x = x[:, -last:] + self.attn(self.norm1(x), tables, mask, cache, last)
        return x + self.mlp(self.norm2(x))


def each(modules: nn.ModuleList, kind: type[M]) -> list[M]:
    """The modules of a list that are all of one kind; raises TypeError where one is not."""
    alike = []
    for module in modules:
        if not isinstance(module, kind):
            raise TypeError(f"a {type(module).__name__} stands in a list of modules; expected {kind.__name__}")
        alike.append(module)
    return alike


def initialise(module: nn.Module, blocks: nn.ModuleList) -> None:
    """V-JEPA's start: normal weights (0.02), zero biases, residual branches scaled down with depth."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.trunc_normal_(part.weight, std=0.02)
            nn.init.zeros_(part.bias)
    for depth, block in enumerate(each(blocks, Block), start=1):
        for last in (block.attn.proj, block.mlp.fc2):
            with torch.no_grad():
                last.weight.div_(math.sqrt(2.0 * depth))
