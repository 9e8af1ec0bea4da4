import pytest
from drawn_table import encoder

from jepa_planner.pointing.similarity import DenseEncoder


@pytest.fixture(scope="session")
def finder() -> DenseEncoder:
    return DenseEncoder(encoder())
