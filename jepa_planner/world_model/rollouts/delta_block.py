"""A predictor block with 8-bit products of differences: of how far each candidate lies from a reference.

Rounding to 8 bits is off by a share of the numbers rounded. Of whole activations that share is as large as what tells
the candidates of a converged search apart; of differences to a candidate in their midst it is as small as they are near
to each other, in every iteration. The reference itself is run in float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from jepa_planner.world_model.rollouts.delta_kernels import Kernels
from jepa_planner.world_model.rollouts.float_block import FloatBlock
from jepa_planner.world_model.rollouts.int8_linear import Int8Weights
from jepa_planner.world_model.rollouts.memory import LayerMemory, Turn


@dataclass(frozen=True)
class Reference:
    """What entered each product of a block at one step, and what came out, [1, n, ..] float32."""

    normed1: Tensor
    qkv: Tensor
    attended: Tensor
    proj: Tensor
    normed2: Tensor
    fc1: Tensor
    hidden: Tensor
    fc2: Tensor


class DeltaBlock:
    """`FloatBlock` for many candidates, once `remember` was called with the reference at the same step."""

    def __init__(self, block: FloatBlock, weights: Int8Weights, kernels: Kernels) -> None:
        self._block, self._weights, self._kernels = block, weights, kernels
        self._norm1, self._norm2 = ((norm.weight, norm.bias, norm.eps) for norm in (block.norm1, block.norm2))
        self._references: dict[int, Reference] = {}

    def remember(self, x: Tensor, turn: Turn, memory: LayerMemory, seen: int, last: int) -> Tensor:
        """As `FloatBlock` of the reference, x [1, n, width]."""
        block = self._block
        normed1 = block.norm1(x)
        qkv = block.qkv(normed1)
        attended = memory.attend(qkv, turn, seen, last)
        proj = block.proj(attended)
        x = x[:, -last:] + proj
        normed2 = block.norm2(x)
        fc1 = block.fc1(normed2)
        hidden = F.gelu(fc1)
        fc2 = block.fc2(hidden)
        self._references[seen] = Reference(normed1, qkv, attended, proj, normed2, fc1, hidden, fc2)
        return x + fc2

    def __call__(self, x: Tensor, turn: Turn, memory: LayerMemory, seen: int, last: int) -> Tensor:
        """x [C, n, width] float32, in one piece -> [C, last, width]."""
        weights, kernels, reference = self._weights, self._kernels, self._references[seen]
        normed, step = kernels.normed(x, *self._norm1, reference.normed1)
        given = weights.qkv(normed), step, reference.qkv
        candidates, tokens = x.shape[:2]
        queries = kernels.placed(*given, turn.cosine, turn.signed_sine, *memory.room(candidates, seen, tokens), last)
        attended, step = kernels.attended(queries, *memory.room(candidates, 0, seen + tokens), reference.attended)
        given = weights.proj(attended), step, reference.proj
        normed, step, x = kernels.added_and_normed(x[:, -last:], *given, *self._norm2, reference.normed2)
        hidden, step = kernels.activated(weights.fc1(normed), step, reference.fc1, reference.hidden)
        return kernels.added(x, weights.fc2(hidden), step, reference.fc2)
