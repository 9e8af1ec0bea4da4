import threading

import torch

from jepa_planner.model.rollout.threads import chunk_threads, planning_threads


def test_chunk_threads_stay_on_one_core_and_leave_other_threads_alone():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        executor = chunk_threads(5)
        all_there = threading.Barrier(5)

        def threads_of_an_operation(_: int) -> int:
            all_there.wait(timeout=10.0)
            torch.ones(200_000).sum()
            return torch.get_num_threads()

        assert list(executor.map(threads_of_an_operation, range(5))) == [1] * 5
        assert torch.get_num_threads() == planning_threads() == 2
        elsewhere: list[int] = []
        other = threading.Thread(target=lambda: elsewhere.append(torch.get_num_threads()))
        other.start()
        other.join()
        assert elsewhere == [2]
    finally:
        torch.set_num_threads(before)


def test_they_are_made_once():
    assert chunk_threads(5) is chunk_threads(5)
