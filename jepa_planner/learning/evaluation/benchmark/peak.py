"""What the machine can multiply, measured with the products that rollouts use: the yardstick for their speed."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from jepa_planner.model.rollout.engine import CPU_TOKENS
from jepa_planner.model.rollout.float_block import FloatLinear
from jepa_planner.model.rollout.int8_linear import Int8Linear
from jepa_planner.model.rollout.threads import chunk_threads

CPU_WIDTHS = (384, 1024)
GPU_WIDTH = 8192
SPELL_S = 0.4
ROUNDS = 3


@torch.inference_mode()
def matmul_peak_flops(dtype: str, device: torch.device, threads: int, spell_s: float = SPELL_S) -> float:
    """Operations per second of the best of some square products: one per thread on a CPU, a large one on a GPU.

    On a CPU as many rows as a chunk of rollouts has. Raises RuntimeError or AttributeError where the dtype has none.
    """
    if device.type == "cuda":
        return max(_gpu_flops(getattr(torch, dtype), device) for _ in range(ROUNDS))
    return max(_cpu_flops(dtype, width, threads, spell_s) for width in CPU_WIDTHS for _ in range(ROUNDS))


def _cpu_flops(dtype: str, width: int, threads: int, spell_s: float) -> float:
    product, began_s = _cpu_product(dtype, width), time.perf_counter()
    product()
    repeats = max(1, int(spell_s / max(time.perf_counter() - began_s, 1e-6)))

    def work(_: int) -> None:
        with torch.inference_mode():
            for _ in range(repeats):
                product()

    began_s = time.perf_counter()
    list(chunk_threads(threads).map(work, range(threads)))
    return threads * repeats * 2.0 * CPU_TOKENS * width**2 / (time.perf_counter() - began_s)


def _cpu_product(dtype: str, width: int) -> Callable[[], object]:
    linear = torch.nn.Linear(width, width)
    if dtype == "int8":
        product = Int8Linear(FloatLinear(linear, torch.float32))
        rows = torch.zeros(CPU_TOKENS, width, dtype=torch.uint8)
        return lambda: product(rows)
    weight = linear.weight.detach().to(getattr(torch, dtype))
    rows = torch.zeros(CPU_TOKENS, width, dtype=weight.dtype)
    return lambda: F.linear(rows, weight)


def _gpu_flops(dtype: torch.dtype, device: torch.device) -> float:
    repeats = 20
    rows, weight = (torch.randn(GPU_WIDTH, GPU_WIDTH, dtype=dtype, device=device) for _ in range(2))
    F.linear(rows, weight)
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    began.record()
    for _ in range(repeats):
        F.linear(rows, weight)
    ended.record()
    torch.cuda.synchronize(device)
    return repeats * 2.0 * GPU_WIDTH**3 / (1e-3 * began.elapsed_time(ended))
