"""What all tests share: few threads, and ROS 2 traffic that stays on this machine and in a domain of its own."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
# A process that is killed may leave Fast DDS's shared memory locked for the others (eProsima/Fast-DDS#5469).
os.environ["FASTDDS_BUILTIN_TRANSPORTS"] = "UDPv4"
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


def _own_domain() -> TextIO:
    """Sets a DDS domain that no other test process of this machine has; it is theirs again when the file is closed."""
    for turn in range(100):
        domain = 1 + (os.getpid() + turn) % 100
        try:
            lock = Path(tempfile.gettempdir(), f"jepa_planner_test_domain_{domain}").open("a")  # noqa: SIM115
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        os.environ["ROS_DOMAIN_ID"] = str(domain)
        return lock
    raise RuntimeError("a hundred test processes run on this machine and there are DDS domains for no more")


_domain = _own_domain()


@pytest.fixture(scope="session")
def ros() -> Iterator[None]:
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    yield
    rclpy.shutdown()
