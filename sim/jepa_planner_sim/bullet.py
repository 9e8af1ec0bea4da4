"""PyBullet without its greetings: it prints its build time when imported and its arguments when a server starts."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from jepa_planner.core.uncopyable import Uncopyable


@contextmanager
def silence() -> Iterator[None]:
    """What is printed meanwhile is dropped, by C code as well; output before and after stays."""
    libc = ctypes.CDLL(None)

    def flush() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        libc.fflush(None)

    flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    kept = {stream: os.dup(stream) for stream in (1, 2)}
    for stream in kept:
        os.dup2(nowhere, stream)
    try:
        yield
    finally:
        flush()
        for stream, original in kept.items():
            os.dup2(original, stream)
            os.close(original)
        os.close(nowhere)


with silence():
    import pybullet
    from pybullet_utils.bullet_client import BulletClient


class PhysicsServer(Uncopyable, BulletClient):
    """A BulletClient; the destructor of a copy would disconnect the original."""

    instead = "start another with start_server()"


def start_server() -> PhysicsServer:
    """A physics server of its own, without a window."""
    with silence():
        return PhysicsServer(pybullet.DIRECT)


__all__ = ["BulletClient", "PhysicsServer", "pybullet", "silence", "start_server"]
