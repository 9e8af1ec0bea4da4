"""A predictor block as rollouts run it, in float32, bfloat16 or float16."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jepa_planner.model.layers import Block
from jepa_planner.model.rollout.memory import LayerMemory, Turn, split_halves


class FloatLinear:
    """`nn.Linear` in dtype; input and output may be of another."""

    def __init__(self, linear: nn.Linear, dtype: torch.dtype, order: Tensor | None = None) -> None:
        weight, bias = (part if order is None else part[order] for part in (linear.weight, linear.bias))
        self.weight, self.bias = weight.detach().to(dtype), bias.detach().to(dtype)

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x.to(self.weight.dtype), self.weight, self.bias)


class FloatBlock:
    """The numbers of `layers.Block` for one more time step, given the memory of the earlier ones.

    Matrix products and attention run in dtype; norms and the residual stream are float32.
    """

    def __init__(self, block: Block, dtype: torch.dtype) -> None:
        attention, mlp = block.attn, block.mlp
        self.norm1, self.norm2, self.heads = block.norm1, block.norm2, attention.heads
        self.qkv = FloatLinear(attention.qkv, dtype, _qkv_order(attention.proj.in_features, attention.heads))
        self.proj, self.fc1, self.fc2 = (FloatLinear(x, dtype) for x in (attention.proj, mlp.fc1, mlp.fc2))

    def __call__(self, x: Tensor, turn: Turn, memory: LayerMemory, seen: int, last: int) -> Tensor:
        """x [C, n, width] float32, which may be overwritten -> [C, last, width]."""
        attended = memory.attend(self.qkv(self.norm1(x)), turn, seen, last)
        x = x[:, -last:].contiguous().add_(self.proj(attended))
        return x.add_(self.fc2(F.gelu(self.fc1(self.norm2(x)))))


def _qkv_order(width: int, heads: int) -> Tensor:
    """Rows of the fused projection with each head of queries and keys in the order of `split_halves`."""
    size = width // heads
    first_rows = torch.arange(0, 2 * width, size)[:, None]
    return torch.cat([(first_rows + split_halves(size)).flatten(), torch.arange(2 * width, 3 * width)])
