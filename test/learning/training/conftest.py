from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from added_heads import write_first

from jepa_planner.learning.training import verdict_calibration


@pytest.fixture
def one_core(monkeypatch) -> Iterator[None]:
    """Training takes all cores it finds, and leaves torch set to them."""
    threads = torch.get_num_threads()
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def few_draws(monkeypatch) -> None:
    """A verdict is calibrated on few pairs."""
    monkeypatch.setattr(verdict_calibration, "DRAWS", 300)


@pytest.fixture(scope="session")
def headless(tmp_path_factory) -> Path:
    """A bundle that heads may be added to, elsewhere."""
    return write_first(tmp_path_factory.mktemp("models") / "headless")
