import pytest
import torch

from jepa_planner.model.device import usable_device


def test_the_cpu_is_there():
    assert usable_device("cpu") == usable_device(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize("name", ["abacus", "cuda:99"])
def test_what_is_not_there_is_refused_by_name(name):
    with pytest.raises(ValueError, match=f"device '{name}' cannot be used: .*; expected cpu, or cuda with a GPU"):
        usable_device(name)
