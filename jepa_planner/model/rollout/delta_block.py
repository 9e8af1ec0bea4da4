"""A predictor block with 8-bit products of differences: of how far each candidate lies from a reference.

Rounding to 8 bits is off by a share of the numbers rounded. Of whole activations that share is as large as what tells
the candidates of a converged search apart; of differences to a candidate in their midst it is as small as they are near
to each other, in every iteration. The reference itself is run in float32.

Here it is said in torch; `compiled_delta_block` does the same, all of it at a time, where it can be compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from jepa_planner.model.rollout.float_block import FloatBlock, FloatLinear
from jepa_planner.model.rollout.int8_linear import LARGEST, SMALLEST_STEP, ZERO, Int8Linear
from jepa_planner.model.rollout.memory import LayerMemory, Turn
from jepa_planner.model.rollout.network import StepLinear
from jepa_planner.model.rollout.transformer_network import Parts, StepBlock

Bytes = tuple[Tensor, Tensor]
"""uint8 [C, n, in], and the step [C, n, 1] that one byte means: each token has its own, finer the nearer it lies."""


class Reference(NamedTuple):
    """What entered each product of a block at one step, and what came out, [n, ..] float32."""

    normed1: Tensor
    qkv: Tensor
    attended: Tensor
    proj: Tensor
    normed2: Tensor
    fc1: Tensor
    hidden: Tensor
    fc2: Tensor


class ReferenceBlock:
    """`FloatBlock` of the reference, whose numbers are kept for each step: `references`, by how many tokens were seen
    before.
    """

    def __init__(self, block: FloatBlock) -> None:
        self._block = block
        self.references: dict[int, Reference] = {}

    def __call__(self, x: Tensor, turn: Turn, memory: LayerMemory, seen: int, last: int) -> Tensor:
        """x [1, n, width] -> [1, last, width]."""
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
        kept = normed1, qkv, attended, proj, normed2, fc1, hidden, fc2
        self.references[seen] = Reference(*(part[0].contiguous() for part in kept))
        return x + fc2


class ReferenceLinear:
    """A linear map of the reference, [1, n, in] -> [1, n, out], whose ends are kept for each step: `references`."""

    def __init__(self, linear: StepLinear) -> None:
        self._linear = linear
        self.references: dict[int, tuple[Tensor, Tensor]] = {}

    def __call__(self, x: Tensor, step: int) -> Tensor:
        product = self._linear(x, step)
        self.references[step] = x[0].contiguous(), product[0].contiguous()
        return product


class DeltaLinear:
    """A linear map for many candidates around the references of the same steps; raises as `DeltaBlock`."""

    def __init__(self, linear: FloatLinear) -> None:
        self._linear = Int8Linear(linear)

    def __call__(self, references: dict[int, tuple[Tensor, Tensor]], x: Tensor, step: int) -> Tensor:
        """x [C, n, in] float32 -> [C, n, out]."""
        known, product = references[step]
        return _beside(product, self._linear, to_bytes(x - known))


class DeltaBlock:
    """`FloatBlock` for many candidates around the references of the same steps.

    Raises RuntimeError or AttributeError where this build of torch has no products of bytes.
    """

    def __init__(self, block: FloatBlock) -> None:
        self._block = block
        self._qkv, self._proj, self._fc1, self._fc2 = map(Int8Linear, (block.qkv, block.proj, block.fc1, block.fc2))

    def __call__(
        self, references: dict[int, Reference], x: Tensor, turn: Turn, memory: LayerMemory, seen: int, last: int
    ) -> Tensor:
        """x [C, n, width] float32 -> [C, last, width]."""
        known = references[seen]
        qkv = _beside(known.qkv, self._qkv, to_bytes(self._block.norm1(x) - known.normed1))
        attended = memory.attend(qkv, turn, seen, last)
        x = x[:, -last:] + _beside(known.proj, self._proj, to_bytes(attended - known.attended))
        fc1 = _beside(known.fc1, self._fc1, to_bytes(self._block.norm2(x) - known.normed2))
        return x + _beside(known.fc2, self._fc2, to_bytes(F.gelu(fc1) - known.hidden))


AroundLinear = Callable[[dict[int, tuple[Tensor, Tensor]], Tensor, int], Tensor]
"""`DeltaLinear`, or another form of it."""
AroundBlock = Callable[[dict[int, Reference], Tensor, Turn, LayerMemory, int, int], Tensor]
"""`DeltaBlock`, or another form of it."""


class Delta(Protocol):
    """What stands for a network's parts around references."""

    def around(self, parts: Any) -> tuple[Any, Any]:
        """What to run the reference with first, and then the candidates."""


class DeltaLinears(NamedTuple):
    """Of a network whose parts are linear maps."""

    linears: Sequence[AroundLinear]

    def around(self, parts: Sequence[StepLinear]) -> tuple[Sequence[StepLinear], Sequence[StepLinear]]:
        """See `Delta`."""
        known = [ReferenceLinear(linear) for linear in parts]
        return known, [partial(near, one.references) for near, one in zip(self.linears, known, strict=True)]


class DeltaParts(NamedTuple):
    """Of a transformer; embed and read-out in float32 where None."""

    embed: AroundLinear | None
    blocks: Sequence[AroundBlock]
    read_out: AroundLinear | None

    def around(self, parts: Parts[FloatBlock]) -> tuple[Parts[ReferenceBlock], Parts[StepBlock]]:
        """See `Delta`."""
        first, last = ReferenceLinear(parts.embed), ReferenceLinear(parts.read_out)
        known = [ReferenceBlock(block) for block in parts.blocks]
        near = [partial(block, one.references) for block, one in zip(self.blocks, known, strict=True)]
        embed = parts.embed if self.embed is None else partial(self.embed, first.references)
        read_out = parts.read_out if self.read_out is None else partial(self.read_out, last.references)
        return Parts(first, known, last), Parts(embed, near, read_out)


def to_bytes(difference: Tensor) -> Bytes:
    """Differences from the reference [C, n, in] on the grid that just covers each token's."""
    step = difference.abs().amax(dim=-1, keepdim=True).clamp_min(SMALLEST_STEP) / LARGEST
    return (difference / step + (ZERO + 0.5)).to(torch.uint8), step


def _beside(reference: Tensor, product: Int8Linear, given: Bytes) -> Tensor:
    return torch.addcmul(reference, product(given[0]), given[1])
