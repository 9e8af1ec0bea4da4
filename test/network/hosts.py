"""Three computers as network namespaces of one: a board at the cameras, a PC at the arm, and the world of both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from wire import Line

BOARD, PC, WORLD = "board", "pc", "world"
WIRE = Path(__file__).with_name("wire.py")


class Hosts:
    """Short cables from the world to board and PC, and between those a line of which the quality can be set."""

    def __init__(self, wire: subprocess.Popen) -> None:
        self._wire = wire

    @staticmethod
    def namespace(host: str) -> str:
        """What Linux calls a host."""
        return f"jp{os.getpid()}{host}"

    def on(self, host: str, command: Sequence[str]) -> list[str]:
        """The command, to be run on a host."""
        return ["ip", "netns", "exec", self.namespace(host), *command]

    def set_line(self, line: Line) -> None:
        """From now on the line between board and PC is so."""
        assert self._wire.stdin is not None
        self._wire.stdin.write(json.dumps(asdict(line)) + "\n")
        self._wire.stdin.flush()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _up(host: str, device: str, address: str) -> None:
    namespace = Hosts.namespace(host)
    _ip("-n", namespace, "address", "add", f"{address}/24", "dev", device)
    _ip("-n", namespace, "link", "set", device, "up")


@contextmanager
def three_hosts() -> Iterator[Hosts]:
    """Makes them, and takes them away. Needs the rights for `ip netns`."""
    name: Callable[[str], str] = Hosts.namespace
    with ExitStack() as undo:
        for host in (BOARD, PC, WORLD):
            _ip("netns", "add", name(host))
            undo.callback(_ip, "netns", "delete", name(host))
            _ip("-n", name(host), "link", "set", "lo", "up")
        for host, net in ((BOARD, 1), (PC, 2)):
            _ip("-n", name(WORLD), "link", "add", host, "type", "veth", "peer", "name", WORLD, "netns", name(host))
            _up(WORLD, host, f"10.77.{net}.1")
            _up(host, WORLD, f"10.77.{net}.2")
        command = [sys.executable, str(WIRE), name(BOARD), PC, name(PC), BOARD]
        wire = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        undo.callback(wire.wait, 10.0)
        undo.callback(wire.stdin.close)
        assert wire.stdout.readline() == "ready\n"
        _up(BOARD, PC, "10.77.3.1")
        _up(PC, BOARD, "10.77.3.2")
        yield Hosts(wire)
