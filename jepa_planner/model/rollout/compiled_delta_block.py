"""`DeltaBlock` in C++, compiled for this very machine when it is first needed, in a few seconds."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from ctypes import CDLL, POINTER, Structure, byref, c_float, c_long, c_void_p
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from jepa_planner.model.rollout.delta_block import (
    DeltaBlock,
    DeltaLinear,
    DeltaLinears,
    DeltaParts,
    Reference,
)
from jepa_planner.model.rollout.float_block import FloatBlock, FloatLinear
from jepa_planner.model.rollout.int8_linear import ZERO, signed_bytes
from jepa_planner.model.rollout.memory import LayerMemory, Turn
from jepa_planner.model.rollout.mlp_network import MlpNetwork
from jepa_planner.model.rollout.transformer_network import TransformerNetwork

SOURCE = Path(__file__).with_name("delta_block.cpp")
FLAGS = [
    "-std=c++17", "-O3", "-march=native", "-mprefer-vector-width=512", "-shared", "-fPIC", "-fno-math-errno",
    "-fno-trapping-math", "-fno-signed-zeros", "-fassociative-math", "-freciprocal-math", "-ffinite-math-only",
]  # fmt: skip
"""Those of -ffast-math without what it does to the rest of the process: turning tiny numbers into zeros everywhere."""
COMPILERS = ("c++", "g++", "clang++")
COLUMNS = 32
"""kColumns of products.hpp, of which widths and head sizes are multiples; DEPTH bytes are multiplied at a time."""
DEPTH = 4


def delta_parts(network: TransformerNetwork) -> DeltaParts:
    """Compiled ones, or those in torch where that cannot be, which a warning says."""
    blocks: Sequence[FloatBlock] = network.parts.blocks
    ends = network.embed, network.read_out
    library = _library_for(size for block in blocks for size in _sizes(block))
    if library is None:
        first, last = map(DeltaLinear, ends)
        return DeltaParts(first, [DeltaBlock(block) for block in blocks], last)
    embed, read_out = (CompiledDeltaLinear(end, library) if _fits(end) else None for end in ends)
    return DeltaParts(embed, [CompiledDeltaBlock(block, library) for block in blocks], read_out)


def delta_linears(network: MlpNetwork) -> DeltaLinears:
    """As `delta_parts`; maps whose sizes do not fit are those in torch."""
    library = _library_for([network.config.width, network.config.mlp_hidden])
    return DeltaLinears(
        [
            DeltaLinear(linear) if library is None or not _fits(linear) else CompiledDeltaLinear(linear, library)
            for linear in network.linears
        ]
    )


def _library_for(sizes: Iterable[int]) -> CDLL | None:
    """None, after a warning, where it cannot be compiled, or tiles do not fit these widths and head sizes."""
    try:
        if odd := [size for size in sizes if size % COLUMNS]:
            raise ValueError(f"a width or head size of {odd[0]} is no multiple of {COLUMNS}")
        return _library()
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        lines = str(getattr(error, "stderr", None) or error).strip().splitlines()
        reason = next((line for line in lines if "error" in line), lines[0])
        message = "8-bit rollouts in torch take up to twice as long as compiled ones (%s)"
        logging.getLogger(__name__).warning(message, reason)
        return None


@cache
def _library() -> CDLL:
    compiler = os.environ.get("CXX") or next(filter(shutil.which, COMPILERS), None)
    if compiler is None:
        raise FileNotFoundError(f"none of {', '.join(COMPILERS)} is there")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "delta_block.so"
        subprocess.run([compiler, *FLAGS, "-o", path, SOURCE], check=True, capture_output=True, text=True)
        library = CDLL(str(path))
    pointers = [c_void_p] * 4
    library.delta_block.argtypes = [POINTER(_Block), POINTER(_Reference), POINTER(_Memory), *pointers, *[c_long] * 3]
    library.delta_linear.argtypes = [POINTER(_Product), *pointers, *[c_long] * 2]
    return library


class CompiledDeltaBlock:
    """As `DeltaBlock`; tensors are float32, on the CPU."""

    def __init__(self, block: FloatBlock, library: CDLL) -> None:
        self._call = library.delta_block
        products = [_PackedLinear(linear) for linear in (block.qkv, block.proj, block.fc1, block.fc2)]
        self._kept = products, block  # what the pointers point to
        described = (product.described for product in products)
        self._block = _Block(_norm(block.norm1), _norm(block.norm2), *described, block.heads)

    def __call__(
        self, references: dict[int, Reference], x: Tensor, turn: Turn, memory: LayerMemory, seen: int, last: int
    ) -> Tensor:
        """x [C, n, width] float32 -> [C, last, width]."""
        candidates, tokens, width = x.shape
        given, out = x.contiguous(), x.new_empty(candidates, last, width)
        keys, values = memory.keys, memory.values
        self._call(
            byref(self._block), byref(_Reference(*map(Tensor.data_ptr, references[seen]))),
            byref(_Memory(keys.data_ptr(), values.data_ptr(), keys.stride(0), keys.stride(1), seen)),
            turn.cosine.data_ptr(), turn.signed_sine.data_ptr(), given.data_ptr(), out.data_ptr(),
            candidates, tokens, last,
        )  # fmt: skip
        return out


class CompiledDeltaLinear:
    """As `DeltaLinear`."""

    def __init__(self, linear: FloatLinear, library: CDLL) -> None:
        self._call, self._packed = library.delta_linear, _PackedLinear(linear)

    def __call__(self, references: dict[int, tuple[Tensor, Tensor]], x: Tensor, step: int) -> Tensor:
        """x [C, n, in] float32 -> [C, n, out]."""
        described, given = self._packed.described, x.contiguous()
        out = x.new_empty(*x.shape[:2], described.out)
        tensors = (*references[step], given, out)
        self._call(byref(described), *map(Tensor.data_ptr, tensors), *x.shape[:2])
        return out


class _PackedLinear:
    """Weights in the order in which `product` of products.hpp reads them."""

    def __init__(self, linear: FloatLinear) -> None:
        weight, self._scale = signed_bytes(linear.weight)
        size = weight.shape
        tiles = weight.view(size[0] // COLUMNS, COLUMNS, size[1] // DEPTH, DEPTH)
        self._tiles = tiles.transpose(1, 2).contiguous()
        self._begin = -ZERO * weight.sum(dim=1, dtype=torch.int32)
        pointers = (x.data_ptr() for x in (self._tiles, self._begin, self._scale))
        self.described = _Product(*pointers, size[1], size[0])


def _norm(norm: nn.LayerNorm) -> _Norm:
    return _Norm(norm.weight.data_ptr(), norm.bias.data_ptr(), norm.eps)


def _sizes(block: FloatBlock) -> tuple[int, int, int]:
    width, wide = block.fc2.weight.shape
    return width // block.heads, width, wide


def _fits(linear: FloatLinear) -> bool:
    width_out, width_in = linear.weight.shape
    return width_out % COLUMNS == 0 and width_in % DEPTH == 0


class _Norm(Structure):
    _fields_ = (("weight", c_void_p), ("bias", c_void_p), ("eps", c_float))


class _Product(Structure):
    _fields_ = (("weights", c_void_p), ("begin", c_void_p), ("scale", c_void_p), ("in_", c_long), ("out", c_long))


class _Block(Structure):
    _fields_ = (
        ("norm1", _Norm), ("norm2", _Norm), ("qkv", _Product), ("proj", _Product), ("fc1", _Product),
        ("fc2", _Product), ("heads", c_long),
    )  # fmt: skip


class _Reference(Structure):
    _fields_ = tuple((name, c_void_p) for name in Reference._fields)


class _Memory(Structure):
    _fields_ = (
        ("keys", c_void_p), ("values", c_void_p), ("candidate_stride", c_long), ("head_stride", c_long),
        ("seen", c_long),
    )  # fmt: skip
