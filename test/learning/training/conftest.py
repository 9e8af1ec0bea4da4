from collections.abc import Iterator

import pytest
import torch


@pytest.fixture
def one_core(monkeypatch) -> Iterator[None]:
    """Training takes all cores it finds, and leaves torch set to them."""
    threads = torch.get_num_threads()
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    yield
    torch.set_num_threads(threads)
