"""How rollouts use a CPU's cores: one chunk of candidates per thread, and one core per chunk.

Torch's own way, all threads inside every operation, makes them wait for each other thousands of times per plan. That
is no faster on idle cores and many times slower as soon as anything else runs on one of them.
"""

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Barrier

import torch


@contextmanager
def one_core() -> Iterator[None]:
    """Within it a torch operation that this thread begins stays on one core."""
    threads_before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads_before)


def planning_threads() -> int:
    """As many as torch was given: every core, OMP_NUM_THREADS, or the last `torch.set_num_threads`."""
    return torch.get_num_threads()


@cache
def chunk_threads(threads: int) -> Executor:
    """Threads in which a torch operation stays on one core; torch's number elsewhere remains what it was."""
    threads_before = torch.get_num_threads()
    executor = ThreadPoolExecutor(threads, "rollout", initializer=_stay_on_one_core)
    all_are_there = Barrier(threads)
    for waiting in [executor.submit(all_are_there.wait) for _ in range(threads)]:
        waiting.result()
    torch.set_num_threads(threads_before)
    return executor


def _stay_on_one_core() -> None:
    torch.get_num_threads()  # reads torch's number for this thread, once and for all; only then it can be another
    torch.set_num_threads(1)
