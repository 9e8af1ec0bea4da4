"""What all tests share: few threads, and ROS 2 traffic that stays on this machine and in a domain of its own."""

import ctypes
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
# A process that is killed may leave Fast DDS's shared memory locked for the others (eProsima/Fast-DDS#5469).
# A picture travels in many datagrams, of which a socket of the usual size drops some when its process is not scheduled.
os.environ["FASTDDS_BUILTIN_TRANSPORTS"] = "UDPv4?sockets_size=4MB"
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


def _find_stand_ins() -> None:
    """Makes importable, here and in processes started from here, the packages of test/interfaces.

    Those of a ROS 2 installation, where one is sourced, come first.
    """
    prefix = Path(sys.prefix, "lib", "test_interfaces")
    modules, libraries = prefix / "lib" / "python", prefix / "lib"
    if not modules.is_dir():
        return
    sys.path.append(str(modules))
    for name, folder in (("PYTHONPATH", modules), ("LD_LIBRARY_PATH", libraries)):
        os.environ[name] = os.pathsep.join(filter(None, (os.environ.get(name, ""), str(folder))))
    for library in sorted(
        libraries.glob("*__rosidl_typesupport_*_c.so")
    ):  # this process looked for its own at its start
        ctypes.CDLL(str(library))


_find_stand_ins()


def _own_domain() -> socket.socket:
    """Sets a DDS domain that no other test process on this network has; it is free again when the socket is closed."""
    for turn in range(100):
        domain = 1 + (os.getpid() + turn) % 100
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0jepa_planner_test_domain_{domain}")  # a name, no file: it ends with its process
        except OSError:
            claim.close()
            continue
        os.environ["ROS_DOMAIN_ID"] = str(domain)
        return claim
    raise RuntimeError("a hundred test processes run on this machine, and there are DDS domains for no more")


_domain = _own_domain()


@pytest.fixture(scope="session")
def ros() -> Iterator[None]:
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    yield
    rclpy.shutdown()
