from collections.abc import Iterator

import pytest
import rclpy
from harness import Rig, small_bundle
from rclpy.signals import SignalHandlerOptions


@pytest.fixture(scope="session")
def ros() -> Iterator[None]:
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    yield
    rclpy.shutdown()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory) -> str:
    return small_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def rig(ros, bundle) -> Iterator[Rig]:
    """A robot that obeys at once, and room for the nodes of one test."""
    rig = Rig(bundle)
    yield rig
    rig.close()
