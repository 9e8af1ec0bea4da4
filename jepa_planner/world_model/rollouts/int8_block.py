"""A predictor block with 8-bit matrix products, for CPUs that multiply bytes faster than floats (VNNI)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from jepa_planner.world_model.rollouts.float_block import FloatBlock, FloatLinear
from jepa_planner.world_model.rollouts.memory import LayerMemory, Turn

LEVELS = 255
LARGEST_WEIGHT = 127
SMALLEST_STEP = 1e-12


@dataclass(frozen=True)
class Grid:
    """What the bytes of an activation mean: number = (byte - zero) * step."""

    step: float
    zero: int

    @classmethod
    def over(cls, low: float, high: float) -> "Grid":
        """The grid that just covers low..high, and 0."""
        low, high = min(low, 0.0), max(high, 0.0)
        step = max((high - low) / LEVELS, SMALLEST_STEP)
        return cls(step, round(-low / step))

    def place(self, numbers: Tensor) -> Tensor:
        """Where numbers lie on the grid, plus 0.5: cut down to an integer it is the nearest byte."""
        return numbers / self.step + (self.zero + 0.5)


class Ranges:
    """Smallest and largest number seen to enter each product of a block."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[float, float]] = {}

    def watch(self, product: str, entering: Tensor) -> None:
        low, high = (x.item() for x in entering.aminmax())
        before_low, before_high = self._found.get(product, (low, high))
        self._found[product] = min(low, before_low), max(high, before_high)

    def grids(self) -> dict[str, Grid]:
        return {product: Grid.over(low, high) for product, (low, high) in self._found.items()}


class Int8Linear:
    """`nn.Linear` with weights as signed bytes, one scale per output; takes and may give bytes."""

    def __init__(self, linear: FloatLinear) -> None:
        weight = linear.weight
        self.bias = linear.bias
        self.scale = weight.abs().amax(dim=1).clamp_min(SMALLEST_STEP) / LARGEST_WEIGHT
        self._packed = torch.ops.onednn.qlinear_prepack((weight / self.scale[:, None]).round().to(torch.int8), None)
        self._zeros = torch.zeros(len(weight), dtype=torch.int32)

    def __call__(self, x: Tensor, grid: Grid, scale: Tensor, bias: Tensor) -> Tensor:
        """The product in float32, with another output scale and bias than the linear's own."""
        given = x, grid.step, grid.zero, self._packed, scale, self._zeros
        return torch.ops.onednn.qlinear_pointwise(*given, bias, 1.0, 0, torch.float32, "none", [], "")

    def gelu(self, x: Tensor, grid: Grid, out: Grid) -> Tensor:
        """Exact GELU of the product, as bytes on the grid `out`."""
        given = x, grid.step, grid.zero, self._packed, self.scale, self._zeros
        return torch.ops.onednn.qlinear_pointwise(
            *given, self.bias, out.step, out.zero, torch.uint8, "gelu", [], "none"
        )

    def added_to(self, total: Tensor, x: Tensor, grid: Grid) -> Tensor:
        """The product added to `total`, in place."""
        given = x, grid.step, grid.zero, self._packed, self.scale, self._zeros
        return torch.ops.onednn.qlinear_pointwise.binary(
            *given, total, self.bias, 1.0, 0, torch.float32, 1.0, 0, "sum", 1.0, "none", [], ""
        )


class Int8Weights:
    """The four products of a block, packed once."""

    def __init__(self, block: FloatBlock) -> None:
        self.qkv, self.proj, self.fc1, self.fc2 = (Int8Linear(x) for x in (block.qkv, block.proj, block.fc1, block.fc2))


class Int8Block:
    """`FloatBlock` with bytes entering each product; norms, attention and the residual stream stay float32.

    Placing numbers on a grid costs nothing extra: the weights of what comes before are in its units. For attention
    these are the values, because a weighted mean of shifted values is the shifted mean.
    """

    def __init__(self, block: FloatBlock, weights: Int8Weights, ranges: Ranges) -> None:
        self._weights, self._grids = weights, ranges.grids()
        self._norm1, self._norm2 = (
            (norm.weight / self._grids[name].step, self._grids[name].place(norm.bias), norm.eps)
            for norm, name in ((block.norm1, "qkv"), (block.norm2, "fc1"))
        )
        width = len(block.proj.bias)
        self._qkv_scale, self._qkv_bias = weights.qkv.scale.clone(), weights.qkv.bias.clone()
        self._qkv_scale[2 * width :] /= self._grids["proj"].step
        self._qkv_bias[2 * width :] = self.values_in_memory(self._qkv_bias[2 * width :])

    def values_in_memory(self, values: Tensor) -> Tensor:
        """Attention's values in the units in which this block's memory holds them."""
        return self._grids["proj"].place(values)

    def __call__(self, x: Tensor, turn: Turn, memory: LayerMemory, seen: int, last: int) -> Tensor:
        """x [C, n, width] float32, which may be overwritten -> [C, last, width]."""
        weights, grids, width = self._weights, self._grids, x.shape[-1:]
        normed = _to_bytes(F.layer_norm(x, width, *self._norm1))
        qkv = weights.qkv(normed, grids["qkv"], self._qkv_scale, self._qkv_bias)
        attended = _to_bytes(memory.attend(qkv, turn, seen, last))
        x = weights.proj.added_to(x[:, -last:].contiguous(), attended, grids["proj"])
        normed = _to_bytes(F.layer_norm(x, width, *self._norm2))
        hidden = weights.fc1.gelu(normed, grids["fc1"], grids["fc2"])
        return weights.fc2.added_to(x, hidden, grids["fc2"])


def _to_bytes(placed: Tensor) -> Tensor:
    return placed.clamp_(0, LEVELS).to(torch.uint8)
