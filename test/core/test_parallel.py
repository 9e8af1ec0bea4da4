import importlib.util
import os
import time

import pytest

from jepa_planner.core.parallel import in_parallel


def square(number: int) -> tuple[int, int]:
    time.sleep(0.05)
    return number * number, os.getpid()


def fail(number: int) -> int:
    raise ValueError(f"job {number} went wrong")


def test_one_process_is_this_one_and_takes_the_jobs_in_order():
    found = list(in_parallel(square, [(number,) for number in range(4)]))
    assert found == [(number * number, os.getpid()) for number in range(4)]


def test_several_processes_do_each_job_once():
    found = list(in_parallel(square, [(number,) for number in range(12)], processes=2))
    assert sorted(result for result, _ in found) == [number * number for number in range(12)]
    pids = {pid for _, pid in found}
    assert len(pids) == 2 and os.getpid() not in pids


@pytest.mark.parametrize("processes", [1, 2])
def test_a_fault_of_a_job_is_raised_here(processes):
    with pytest.raises(ValueError, match=r"job \d went wrong"):
        list(in_parallel(fail, [(1,), (2,)], processes))


def test_less_than_one_process_is_refused():
    with pytest.raises(ValueError, match="--processes: 0 given; expected 1 or more"):
        list(in_parallel(square, [(1,)], 0))


def test_a_cluster_that_is_not_there_is_named():
    missing = importlib.util.find_spec("distributed") is None
    says = "pip install 'jepa_planner" if missing else "no Dask scheduler answers at tcp://127.0.0.1:9"
    with pytest.raises(ValueError, match=says):
        list(in_parallel(square, [(1,)], cluster="tcp://127.0.0.1:9"))
