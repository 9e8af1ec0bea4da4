from pathlib import Path

import pytest
from added_heads import write_first

from jepa_planner.learning.training import verdict_calibration


@pytest.fixture
def few_draws(monkeypatch) -> None:
    """A verdict is calibrated on few pairs."""
    monkeypatch.setattr(verdict_calibration, "DRAWS", 300)


@pytest.fixture(scope="session")
def headless(tmp_path_factory) -> Path:
    """A bundle that heads may be added to, elsewhere."""
    return write_first(tmp_path_factory.mktemp("models") / "headless")
