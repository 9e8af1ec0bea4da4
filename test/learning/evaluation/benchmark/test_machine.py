import torch

from jepa_planner.learning.evaluation.benchmark import machine
from jepa_planner.learning.evaluation.benchmark.machine import free_memory_bytes, peak_memory_bytes, this_machine

CPU = torch.device("cpu")


def test_a_machine_says_its_name_cores_and_threads():
    words = this_machine(CPU, threads=3).in_words()
    assert machine.processor_name() in words
    assert "3 threads" in words and f"torch {torch.__version__}" in words


def test_instructions_are_those_that_torch_sees(monkeypatch):
    for query in machine._QUERIES.values():
        monkeypatch.setattr(torch.cpu, query, lambda known=query == "_is_vnni_supported": known, raising=False)
    assert this_machine(CPU, 1).instructions == ("VNNI",)


def test_memory_is_counted_in_bytes():
    before = peak_memory_bytes(CPU)
    held = torch.ones(64 << 20)
    assert peak_memory_bytes(CPU) >= max(before, held.nbytes)
    assert 1 << 20 < free_memory_bytes(CPU) < 1 << 50
