import torch

from jepa_planner.learning.evaluation.benchmark import timing
from jepa_planner.learning.evaluation.benchmark.timing import Timing, clocked, timed

CPU = torch.device("cpu")


def test_best_and_percentiles():
    times = Timing((0.3, 0.1, 0.2))
    assert (times.best_s, times.p50_s) == (0.1, 0.2)
    assert 0.2 < times.p95_s <= 0.3


def test_the_warm_up_does_not_count(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(timing.time, "perf_counter", lambda: float(next(clock)))
    calls = []
    assert timed(lambda: calls.append(1), CPU, 3).seconds == (1.0, 1.0, 1.0)
    assert len(calls) == 4
    assert len(timed(lambda: calls.append(1), CPU, 2, warm_up=False).seconds) == 2
    assert len(calls) == 6


def test_a_clocked_call_hands_its_result_on():
    seconds, result = clocked(lambda: "plan", CPU)
    assert seconds >= 0.0 and result == "plan"
