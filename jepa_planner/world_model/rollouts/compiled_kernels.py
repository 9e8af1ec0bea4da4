"""`delta_kernels` in C++, compiled for this very machine when they are first needed, in a second."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import subprocess
import tempfile
from ctypes import CDLL, c_float, c_long, c_void_p
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from jepa_planner.world_model.rollouts import delta_kernels
from jepa_planner.world_model.rollouts.delta_kernels import Bytes, Kernels

SOURCE = Path(__file__).with_name("delta_kernels.cpp")
FLAGS = [
    "-O3", "-march=native", "-shared", "-fPIC", "-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros",
    "-fassociative-math", "-freciprocal-math", "-ffinite-math-only",
]  # fmt: skip
"""Those of -ffast-math without what it does to the rest of the process: turning tiny numbers into zeros everywhere."""
X86_FLAGS = ["-mprefer-vector-width=512"]
COMPILERS = ("c++", "g++", "clang++")


@cache
def best_kernels() -> Kernels:
    """Compiled ones, or those in torch where there is no compiler, which a warning says."""
    try:
        return CompiledKernels(_compiled())
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or error
        logging.getLogger(__name__).warning("8-bit rollouts take twice as long without a C++ compiler (%s)", reason)
        return delta_kernels


def _compiled() -> CDLL:
    compiler = os.environ.get("CXX") or next(filter(shutil.which, COMPILERS), None)
    if compiler is None:
        raise FileNotFoundError(f"none of {', '.join(COMPILERS)} is there")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "delta_kernels.so"
        flags = FLAGS + (X86_FLAGS if platform.machine() in ("x86_64", "AMD64") else [])
        subprocess.run([compiler, *flags, "-o", library, SOURCE], check=True, capture_output=True, text=True)
        return CDLL(str(library))


class CompiledKernels:
    """Each method is the function of `delta_kernels` with its name; tensors are float32, on the CPU, in one piece."""

    def __init__(self, library: CDLL) -> None:
        self._library = library
        library.keep_memory()

    def normed(self, x: Tensor, weight: Tensor, bias: Tensor, eps: float, reference: Tensor) -> Bytes:
        size, row, (out, step) = x.shape, x.new_empty(x.shape[-1]), _new_bytes(*x.shape)
        self._call("normed", x, weight, bias, eps, reference, out, step, row, *size)
        return out, step

    def added(self, x: Tensor, change: Tensor, step: Tensor, reference: Tensor) -> Tensor:
        self._call("added", x, change, step, reference, *x.shape)
        return x

    def added_and_normed(
        self, x: Tensor, change: Tensor, step: Tensor, reference: Tensor, weight: Tensor, bias: Tensor, eps: float,
        after: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        total, row, (out, out_step) = torch.empty_like(change), x.new_empty(x.shape[-1]), _new_bytes(*change.shape)
        given = x, x.stride(0), change, step, reference, weight, bias, eps, after
        self._call("added_and_normed", *given, total, out, out_step, row, *change.shape)
        return out, out_step, total

    def placed(
        self, change: Tensor, step: Tensor, reference: Tensor, cosine: Tensor, sine: Tensor, keys: Tensor,
        values: Tensor, last: int,
    ) -> Tensor:  # fmt: skip
        candidates, heads, tokens, head = keys.shape
        queries = keys.new_empty(candidates, heads, last, head)
        given = change, step, reference, cosine, sine, queries, keys, values
        self._call("placed", *given, *keys.stride()[:2], candidates, tokens, last, heads, head)
        return queries

    def attended(self, queries: Tensor, keys: Tensor, values: Tensor, reference: Tensor) -> Bytes:
        candidates, heads, tokens, head = queries.shape
        scores = queries @ keys.transpose(-1, -2)
        self._call("softmax", scores, head**-0.5, scores.numel() // scores.shape[-1], scores.shape[-1])
        x = scores @ values
        row, (out, step) = queries.new_empty(heads * head), _new_bytes(candidates, tokens, heads * head)
        self._call("attended", x, reference, out, step, row, candidates, tokens, heads, head)
        return out, step

    def activated(self, change: Tensor, step: Tensor, reference: Tensor, hidden: Tensor) -> Bytes:
        row, (out, out_step) = change.new_empty(change.shape[-1]), _new_bytes(*change.shape)
        self._call("activated", change, step, reference, hidden, out, out_step, row, *change.shape)
        return out, out_step

    def _call(self, name: str, *given: Tensor | float | int) -> None:
        getattr(self._library, name)(*map(_for_c, given))


def _new_bytes(*shape: int) -> Bytes:
    return torch.empty(shape, dtype=torch.uint8), torch.empty(*shape[:-1], 1)


def _for_c(given: Tensor | float | int) -> c_void_p | c_float | c_long:
    if isinstance(given, Tensor):
        return c_void_p(given.data_ptr())
    return c_float(given) if isinstance(given, float) else c_long(given)
