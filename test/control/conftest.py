"""An executive without ROS, at rest and in mid-motion."""

import pytest
from arm_rig import Rig


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.tick(2)
    return rig


@pytest.fixture
def moving(rig) -> Rig:
    assert rig.offer() == ""
    rig.tick(8)
    assert rig.executive.moving
    return rig
