"""Matrix products of bytes, for CPUs that multiply them faster than floats (VNNI)."""

from __future__ import annotations

import torch
from torch import Tensor

from jepa_planner.model.rollout.float_block import FloatLinear

ZERO = 128
"""The byte that stands for 0 where bytes enter a product."""
LARGEST = 127
SMALLEST_STEP = 1e-12


def signed_bytes(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weights [out, in] as int8, and what one means, [out]."""
    scale = weight.abs().amax(dim=1).clamp_min(SMALLEST_STEP) / LARGEST
    return (weight / scale[:, None]).round().to(torch.int8), scale


class Int8Linear:
    """The weights of an `nn.Linear` as signed bytes, one scale per output; without its bias."""

    def __init__(self, linear: FloatLinear) -> None:
        weight, self._scale = signed_bytes(linear.weight)
        self._packed = torch.ops.onednn.qlinear_prepack(weight, None)
        self._zeros = torch.zeros(len(weight), dtype=torch.int32)

    def __call__(self, x: Tensor) -> Tensor:
        """x uint8 [C, n, in], meaning x - ZERO -> float32 [C, n, out]."""
        operands = x, 1.0, ZERO, self._packed, self._scale, self._zeros
        return torch.ops.onednn.qlinear_pointwise(*operands, None, 1.0, 0, torch.float32, "none", [], "")
