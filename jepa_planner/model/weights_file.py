"""Weights to and from safetensors, of which memory holds one copy at most."""

import ctypes
import mmap
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

Weights = Mapping[str, Sequence[Tensor]]
"""Tensors by name, each as parts that are stacked along the first dimension; most have one part."""

_MADV_PAGEOUT = 21  # madvise(2): give pages back now; file pages are read again, nothing is lost
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def stacked_shape(parts: Sequence[Tensor]) -> tuple[int, ...]:
    """The shape of parts stacked along the first dimension."""
    if len(parts) == 1:
        return tuple(parts[0].shape)
    return (sum(len(part) for part in parts), *parts[0].shape[1:])


def write_weights(
    path: Path,
    weights: Weights,
    dtype: torch.dtype,
    mapped: bool = False,
    advance: Callable[[int], object] = lambda _: None,
) -> None:
    """Writes a safetensors file; floating-point tensors are stored as dtype.

    Memory holds a copy of what is stored otherwise than it was given. mapped: the tensors are views of a file, whose
    pages are given back as soon as they were copied. advance is called with the number of bytes that each tensor takes
    in the file. Raises ValueError naming a tensor that is not finite in that dtype.
    """
    stored = {}
    for name, parts in weights.items():
        converted = [_converted(name, part, dtype, mapped) for part in parts]
        stored[name] = converted[0] if len(converted) == 1 else torch.cat(converted)
        advance(stored[name].nbytes)
    path.touch()
    mode = path.stat().st_mode
    save_file(stored, path)
    path.chmod(mode)  # the library's own is for the owner alone


def weight_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shapes in a safetensors file by name, without reading the numbers; raises SafetensorError for other files."""
    with safe_open(path, "pt") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 (no dict)


def stored_dtype(path: Path) -> torch.dtype:
    """The floating-point type of the first such tensor in a safetensors file."""
    return next(tensor.dtype for tensor in map_weights(path).values() if tensor.is_floating_point())


def read_weights(path: Path, dtype: torch.dtype) -> dict[str, Tensor]:
    """Copies of all tensors of a safetensors file: matrices as dtype, other floating-point tensors as float32.

    What is no matrix is small and loses most from rounding: norms, biases, statistics, embeddings of patches.
    """
    copies = {}
    with safe_open(path, "pt") as file:
        for name in file.keys():  # noqa: SIM118 (no dict)
            view = file.get_tensor(name)
            kind = dtype if view.ndim == 2 else torch.float32
            copies[name] = view.to(kind if view.is_floating_point() else view.dtype, copy=True)
            release_pages(view)
    return copies


def map_weights(path: Path) -> dict[str, Tensor]:
    """Views of all tensors of a safetensors file; a page enters memory when it is looked at."""
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)


def release_pages(view: Tensor) -> None:
    """Takes a view of a mapped file out of memory, on Linux; looked at again, it is read again."""
    start = -(-view.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
    length = (view.data_ptr() + view.nbytes - start) // mmap.PAGESIZE * mmap.PAGESIZE
    if length > 0 and _LIBC:
        _LIBC.madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), _MADV_PAGEOUT)


def _converted(name: str, tensor: Tensor, dtype: torch.dtype, mapped: bool) -> Tensor:
    kind = dtype if tensor.is_floating_point() else tensor.dtype
    converted = tensor.detach().to("cpu", kind).contiguous()
    if not _is_finite(converted):
        raise ValueError(f"{name}: holds numbers that are not finite as {dtype}")
    if mapped:
        release_pages(tensor)
    return converted


def _is_finite(tensor: Tensor) -> bool:
    """Whether all its numbers are; the extremes tell without a mask, which leaves holes in memory as it goes."""
    if not tensor.is_floating_point() or tensor.numel() == 0:
        return True
    return all(extreme.isfinite() for extreme in tensor.aminmax())
