"""What a program asks of its whole process. Entry points call this; library code may not be alone there."""

from __future__ import annotations

import ctypes
import os
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Of mallopt(3)."""
KEPT_BYTES, LARGEST_KEPT_BYTES = 1 << 30, 1 << 25
"""What may stay with the process in all, and of one block; glibc takes no more of the latter."""


def keep_freed_memory() -> None:
    """Tells glibc to keep the megabytes that come and go at each step: giving them back costs more than what is done
    with them, in training a sixth of the time.
    """
    if sys.platform != "linux":
        return
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
        libc.mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
    except (OSError, AttributeError):
        pass  # another C library: only slower


def use_all_cores() -> None:
    """Computes with a thread per core, unless OMP_NUM_THREADS says how many: on a busy machine fewer are faster.

    torchrun says 1.
    """
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(os.cpu_count() or 1)
