"""Matrix products of bytes, for CPUs that multiply them faster than floats (VNNI)."""

from __future__ import annotations

import torch
from torch import Tensor

from jepa_planner.world_model.rollouts.float_block import FloatBlock, FloatLinear

ZERO = 128
"""The byte that stands for 0 where bytes enter a product."""
LARGEST = 127
SMALLEST_STEP = 1e-12


class Int8Linear:
    """The weights of an `nn.Linear` as signed bytes, one scale per output; without its bias."""

    def __init__(self, linear: FloatLinear) -> None:
        weight = linear.weight
        self._scale = weight.abs().amax(dim=1).clamp_min(SMALLEST_STEP) / LARGEST
        self._packed = torch.ops.onednn.qlinear_prepack((weight / self._scale[:, None]).round().to(torch.int8), None)
        self._zeros = torch.zeros(len(weight), dtype=torch.int32)

    def __call__(self, x: Tensor) -> Tensor:
        """x uint8 [C, n, in], meaning x - ZERO -> float32 [C, n, out]."""
        given = x, 1.0, ZERO, self._packed, self._scale, self._zeros
        return torch.ops.onednn.qlinear_pointwise(*given, None, 1.0, 0, torch.float32, "none", [], "")


class Int8Weights:
    """The four products of a block, packed once."""

    def __init__(self, block: FloatBlock) -> None:
        self.qkv, self.proj, self.fc1, self.fc2 = (Int8Linear(x) for x in (block.qkv, block.proj, block.fc1, block.fc2))
