"""The thread that writes: whoever hands it messages never waits for the disk."""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from jepa_planner.nodes.recording.bag import Bag, BagTopic

FLUSH_S = 0.5
"""What a killed process had not written is not older than this."""
CLOSING_TIMEOUT_S = 30.0
GIGABYTE = 1e9


class Writing:
    """A queue of bounded size, in order, and the thread behind it, with at most one bag open.

    keep_free_bytes: with less room on the disk, no messages are written any more; `trouble` says so.
    """

    def __init__(self, folder: Path, queue_bytes: int, keep_free_bytes: int) -> None:
        self._folder, self._queue_bytes, self._keep_free_bytes = folder, queue_bytes, keep_free_bytes
        self._queue: deque[tuple[BagTopic, int, bytes] | Callable[[], None]] = deque()
        self._queued_bytes = 0
        self._newest_ns = 0
        self._wakes = threading.Condition()
        self._bag: Bag | None = None
        self.trouble = ""
        """Why messages are not written; empty while they are."""
        self.free_bytes = shutil.disk_usage(folder).free
        self.bag_bytes = 0
        """Of the open bag, or of the last one."""
        self.overflowed: Counter[str] = Counter()
        """By topic, messages of the open bag, or of the last one, for which there was no room in the queue."""
        self._ending = False
        self._thread = threading.Thread(target=self._work, name="bag writer", daemon=True)
        self._thread.start()

    @property
    def queued_bytes(self) -> int:
        """What waits to be written."""
        return self._queued_bytes

    def full(self) -> str:
        """Says that the disk has no room left, where that is so."""
        if (free := shutil.disk_usage(self._folder).free) >= self._keep_free_bytes:
            return ""
        left = f"{free / GIGABYTE:.2f} GB are left on the disk of {self._folder}"
        return f"{left}, expected {self._keep_free_bytes / GIGABYTE:g} GB or more (keep_free_gb)"

    def begin(self, folder: Path) -> None:
        """Opens a new bag."""
        self.trouble, self.bag_bytes = "", 0
        self.overflowed.clear()
        self._put(lambda: self._open(folder))

    def message(self, topic: BagTopic, data: bytes) -> None:
        """Hands over a message that comes now; one for which there is no room is counted and forgotten."""
        if self._queued_bytes + len(data) > self._queue_bytes:
            self.overflowed[topic.name] += 1
            return
        with self._wakes:
            self._queue.append((topic, self._now_ns(), data))
            self._queued_bytes += len(data)
            self._wakes.notify()

    def mark(self, topic: BagTopic, data: bytes) -> None:
        """Hands over a message that must not be missing, not even on a disk that is all but full."""
        with self._wakes:
            time_ns = self._now_ns()
            self._put(lambda: self._write(topic, time_ns, data, flush=True))

    def end(self) -> None:
        """Makes the bag whole."""
        self._put(self._close)

    def do(self, work: Callable[[], None]) -> None:
        """Does something to files once all that came before is done."""
        self._put(work)

    def close(self) -> None:
        """Ends the thread once all is written."""
        with self._wakes:
            self._ending = True
            self._wakes.notify()
        self._thread.join(CLOSING_TIMEOUT_S)

    def _now_ns(self) -> int:
        """By the clock of the computer, as rosbag2 has it; times in a bag do not decrease, though that be set back."""
        self._newest_ns = max(self._newest_ns, time.time_ns())
        return self._newest_ns

    def _put(self, work: Callable[[], None]) -> None:
        with self._wakes:
            self._queue.append(work)
            self._wakes.notify()

    def _work(self) -> None:
        flushed_s = time.monotonic()
        while True:
            with self._wakes:
                if not self._queue and not self._ending:
                    self._wakes.wait(FLUSH_S)
                items, self._queue = self._queue, deque()
                if not items and self._ending:
                    return
            while items:
                item = items.popleft()
                if callable(item):
                    self._guarded(item)
                else:
                    if not self.trouble:
                        self._guarded(partial(self._write, *item))
                    with self._wakes:
                        self._queued_bytes -= len(item[2])
                if time.monotonic() - flushed_s >= FLUSH_S:
                    self._guarded(self._flush)
                    flushed_s = time.monotonic()
            if time.monotonic() - flushed_s >= FLUSH_S:
                self._guarded(self._flush)
                flushed_s = time.monotonic()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            self.trouble = f"{error.filename or self._folder}: {error.strerror or error}"
        except Exception as error:  # whoever records is told, where a thread that died would say nothing
            self.trouble = f"{type(error).__name__}: {error}"

    def _open(self, folder: Path) -> None:
        self._bag = Bag(folder)

    def _write(self, topic: BagTopic, time_ns: int, data: bytes, flush: bool = False) -> None:
        if self._bag is not None:
            self._bag.write(topic, time_ns, data)
            if flush:
                self._bag.flush()
            self.bag_bytes = self._bag.size_bytes

    def _flush(self) -> None:
        self.free_bytes = shutil.disk_usage(self._folder).free
        if self._bag is not None:
            if not self.trouble:
                self.trouble = self.full()
            self._bag.flush()

    def _close(self) -> None:
        bag, self._bag = self._bag, None
        if bag is not None:
            bag.close()
            self.bag_bytes = bag.size_bytes
