import pytest
import torch

from jepa_planner.model.device import best_device, usable_device


def test_the_cpu_is_there():
    assert usable_device("cpu") == usable_device(torch.device("cpu")) == torch.device("cpu")


def test_a_gpu_is_the_best_device_where_there_is_one(monkeypatch):
    for there, name in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert best_device() == name


@pytest.mark.parametrize("name", ["abacus", "cuda:99"])
def test_what_is_not_there_is_refused_by_name(name):
    with pytest.raises(ValueError, match=f"device '{name}' cannot be used: .*; expected cpu, or cuda with a GPU"):
        usable_device(name)
