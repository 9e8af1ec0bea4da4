"""Keys as they are pressed in a terminal."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from contextlib import suppress
from typing import Any

_ARROWS = {b"\x1b[A": "up", b"\x1b[B": "down", b"\x1b[C": "right", b"\x1b[D": "left"}


class TerminalKeys:
    """Reads single keys from a terminal while open, as a context manager; Ctrl-C stays what it is.

    Without a terminal there are no keys.
    """

    def __init__(self) -> None:
        self.is_there = sys.stdin.isatty()
        self._waiting: list[str] = []
        self._before: list[Any] = []

    def __enter__(self) -> TerminalKeys:
        if self.is_there:
            self._before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin, termios.TCSAFLUSH)  # what was typed before is not meant for this
        return self

    def __exit__(self, *_: object) -> None:
        if self._before:
            with suppress(termios.error):  # of a terminal that is gone
                termios.tcsetattr(sys.stdin, termios.TCSANOW, self._before)

    def read(self, timeout_s: float) -> str:
        """The next key, arrows as up, down, left and right; empty where none came in time."""
        if not self._waiting and self.is_there:
            if select.select([sys.stdin], [], [], timeout_s)[0]:
                self._waiting = _keys(os.read(sys.stdin.fileno(), 1024))
                self.is_there = bool(self._waiting)  # a terminal that was closed says nothing any more
        elif not self._waiting:
            time.sleep(timeout_s)
        return self._waiting.pop(0) if self._waiting else ""

    def line(self, question: str) -> str:
        """A line that is typed in answer to a question; empty where the terminal is gone."""
        termios.tcsetattr(sys.stdin, termios.TCSANOW, self._before)
        try:
            return input(question).strip()
        except EOFError:
            return ""
        finally:
            tty.setcbreak(sys.stdin, termios.TCSANOW)  # what is typed already counts


def _keys(data: bytes) -> list[str]:
    keys = []
    while data:
        if arrow := _ARROWS.get(data[:3]):
            keys.append(arrow)
            data = data[3:]
        else:
            keys.append(chr(data[0]))
            data = data[1:]
    return keys
