"""Independent jobs over the cores of this machine, or over those of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TypeVar

from jepa_planner.core.this_process import keep_freed_memory

R = TypeVar("R")


def in_parallel(
    function: Callable[..., R], jobs: Sequence[tuple[object, ...]], processes: int = 1, cluster: str = ""
) -> Iterator[R]:
    """Results of function(*job), each as soon as it is there, in any order; one process is this one.

    cluster: address of a Dask scheduler; its workers then take the jobs, and must see the same files. A fault of one
    job is raised here, and what runs then is broken off. Raises ValueError for less than one process, and where Dask or
    its scheduler is missing.
    """
    if processes < 1:
        raise ValueError(f"--processes: {processes} given; expected 1 or more")
    if processes == 1 and not cluster:
        yield from (function(*job) for job in jobs)
        return
    from joblib import Parallel, delayed, parallel_config

    with ExitStack() as stack:
        if cluster:
            stack.enter_context(_dask_client(cluster))
            stack.enter_context(parallel_config(backend="dask"))
        else:
            stack.enter_context(
                parallel_config(backend="loky", n_jobs=min(processes, len(jobs)), inner_max_num_threads=1)
            )
        yield from Parallel(return_as="generator_unordered")(delayed(_in_worker)(function, *job) for job in jobs)


def _in_worker(function: Callable[..., R], *job: object) -> R:
    keep_freed_memory()
    return function(*job)


def _dask_client(address: str):
    try:
        from dask.distributed import Client
    except ImportError as error:
        raise ValueError("--cluster needs Dask: pip install 'jepa_planner[cluster]'") from error
    try:
        return Client(address, timeout=10)
    except OSError as error:
        raise ValueError(f"--cluster: no Dask scheduler answers at {address}: {error}") from error
