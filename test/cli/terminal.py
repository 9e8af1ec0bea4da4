"""A program at a terminal of its own, as somebody sits there."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

TIMEOUT_S = 30.0


class Terminal:
    """Runs a verb of `jepa-planner`; what it prints stands in `text`."""

    def __init__(self, *arguments: str) -> None:
        self._master, end = pty.openpty()
        command = [sys.executable, "-m", "jepa_planner.cli.main", *arguments]
        self.process = subprocess.Popen(command, stdin=end, stdout=end, stderr=end, start_new_session=True)
        os.close(end)
        self.text = ""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(TIMEOUT_S)
        os.close(self._master)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def until(self, pattern: str) -> str:
        """Reads until something stands there that did not before."""
        deadline, begins = time.monotonic() + TIMEOUT_S, len(self.text)
        while not re.search(pattern, self.text[begins:]):
            assert time.monotonic() < deadline, f"{pattern} did not come; there is {self.text[begins:]}"
            if select.select([self._master], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self._master, 65536).decode(errors="replace")
                except OSError:
                    break
        found = re.search(pattern, self.text[begins:])
        assert found, f"it ended without {pattern}; there is {self.text[begins:]}"
        return found[0]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(TIMEOUT_S)

    def hang_up(self) -> None:
        """Closes the terminal, as a connection that breaks does."""
        os.close(self._master)
        self._master = os.open(os.devnull, os.O_RDONLY)

    def status(self) -> int:
        return self.process.wait(TIMEOUT_S)
