"""What lies between the 8-bit products of a block, in torch: `compiled_kernels` has the same in one pass each.

A product with bytes gives `change` [C, n, out], which times `step` [C, n, 1] is how far the product of a candidate lies
from that of the reference. What enters the next product leaves as bytes with a step of its own for each token: the
nearer candidates are to the reference, the finer the step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from jepa_planner.world_model.rollouts.int8_linear import LARGEST, SMALLEST_STEP, ZERO
from jepa_planner.world_model.rollouts.memory import Turn

Bytes = tuple[Tensor, Tensor]
"""uint8 [C, n, in], and the step [C, n, 1] that one byte means."""

ERF = (
    0.0033355039, -0.008240652, 0.006850429, -0.008781113, 0.023482626, -0.03920001, 0.05225129, -0.06962662,
    0.09046333, -0.112738706, 0.14080164, -0.19046469, 0.3821374,
)  # fmt: skip
"""erf(z) / z in powers of 2 (z / ERF_END)^2 - 1, fitted to 8e-7; beyond ERF_END erf is 1 to 2e-7."""
ERF_END = 3.7


def to_bytes(difference: Tensor) -> Bytes:
    """Differences from the reference [C, n, in] on the grid that just covers each token's."""
    step = difference.abs().amax(dim=-1, keepdim=True).clamp_min(SMALLEST_STEP) / LARGEST
    return (difference / step + (ZERO + 0.5)).to(torch.uint8), step


def normed(x: Tensor, weight: Tensor, bias: Tensor, eps: float, reference: Tensor) -> Bytes:
    """Layer norm of x [C, n, width] beside that of the reference [1, n, width]."""
    return to_bytes(F.layer_norm(x, x.shape[-1:], weight, bias, eps) - reference)


def added(x: Tensor, change: Tensor, step: Tensor, reference: Tensor) -> Tensor:
    """x plus a product [C, n, width] that is `reference` [1, n, width] for the reference."""
    return x + torch.addcmul(reference, change, step)


def added_and_normed(
    x: Tensor, change: Tensor, step: Tensor, reference: Tensor, weight: Tensor, bias: Tensor, eps: float, after: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """`added`, and `normed` of it beside `after`: bytes, their step, and the sum."""
    x = added(x, change, step, reference)
    return *normed(x, weight, bias, eps, after), x


def placed(
    change: Tensor, step: Tensor, reference: Tensor, cosine: Tensor, sine: Tensor, keys: Tensor, values: Tensor,
    last: int,
) -> Tensor:  # fmt: skip
    """Writes rotated keys, and values, into the memory; returns rotated queries [C, heads, last, head_size].

    change and reference hold queries, keys and values side by side; the others are as in `Turn.place`.
    """
    qkv = torch.addcmul(reference, change, step)
    queries = torch.empty_like(keys)
    Turn(cosine, sine).place(qkv, queries, keys, values)
    return queries[:, :, -last:]


def attended(queries: Tensor, keys: Tensor, values: Tensor, reference: Tensor) -> Bytes:
    """Attention of queries [C, heads, n, head_size] to all keys, beside the reference's [1, n, width]."""
    heads = F.scaled_dot_product_attention(queries, keys, values)
    return to_bytes(heads.transpose(1, 2).flatten(2) - reference)


def activated(change: Tensor, step: Tensor, reference: Tensor, hidden: Tensor) -> Bytes:
    """GELU of a product that is `reference` for the reference, beside the reference's own, `hidden`."""
    return to_bytes(gelu(torch.addcmul(reference, change, step)) - hidden)


def gelu(x: Tensor) -> Tensor:
    """Exact GELU to 2e-6: a polynomial in place of the error function, which takes several times as long."""
    z = (x * 0.5**0.5).clamp(-ERF_END, ERF_END)
    t = 2.0 * (z / ERF_END).square() - 1.0
    total = torch.full_like(x, ERF[0])
    for coefficient in ERF[1:]:
        total = total * t + coefficient
    return 0.5 * x * (1.0 + z * total)


class Kernels(Protocol):
    """The functions of this module, or others that do the same."""

    normed: Callable[..., Bytes]
    added: Callable[..., Tensor]
    added_and_normed: Callable[..., tuple[Tensor, Tensor, Tensor]]
    placed: Callable[..., Tensor]
    attended: Callable[..., Bytes]
    activated: Callable[..., Bytes]
