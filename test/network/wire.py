"""A line between two hosts of this machine that delays frames, loses them, or carries them no more, as it is told.

    python wire.py NAMESPACE DEVICE NAMESPACE DEVICE

makes a TAP device in each network namespace and says "ready". A line of JSON on standard input, with the fields of
`Line`, holds from then on; the program ends where that input does. `tc netem` does the same, where Linux was built with
it.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import json
import os
import random
import selectors
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path

CLONE_NEWNET = 0x40000000  # linux/sched.h
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000  # linux/if_tun.h
FRAME_BYTES = 65536
MOST_QUEUED_S = 0.5
"""What would wait longer for its turn on a slow line is dropped."""


@dataclass(frozen=True)
class Line:
    """What becomes of frames, the same in both directions; seconds, bit/s."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    """Each frame takes up to so much longer; one may overtake another."""
    loss: float = 0.0
    rate_bit_s: float = 0.0
    """0: no bound."""
    carries: tuple[bool, bool] = (True, True)
    """From the first host to the second, and back."""


def enter(namespace: str) -> None:
    """Moves the calling thread into a network namespace, and with it what it starts."""
    with Path("/run/netns", namespace).open() as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {namespace}")


def tap(namespace: str, device: str) -> int:
    """Makes a TAP device in a namespace; returns the file whose reads and writes are its frames."""
    enter(namespace)
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TAP | IFF_NO_PI))
    return file


def carry(ends: tuple[int, int], rng: random.Random) -> None:
    """Carries frames between both devices until standard input ends."""
    line, text = Line(), b""
    under_way: list[tuple[float, int, int, bytes]] = []
    free_at_s, count = [0.0, 0.0], 0
    readable = selectors.DefaultSelector()
    for file in (*ends, sys.stdin.fileno()):
        readable.register(file, selectors.EVENT_READ)
    while True:
        wait_s = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
        for key, _ in readable.select(wait_s):
            if key.fd == sys.stdin.fileno():
                if not (told := os.read(key.fd, FRAME_BYTES)):
                    return
                *lines, text = (text + told).split(b"\n")
                if lines:
                    line = Line(**json.loads(lines[-1]))
                continue
            way, now_s, frame = ends.index(key.fd), time.monotonic(), os.read(key.fd, FRAME_BYTES)
            begins_s = max(now_s, free_at_s[way])
            if not line.carries[way] or rng.random() < line.loss or begins_s - now_s > MOST_QUEUED_S:
                continue
            free_at_s[way] = begins_s + (8 * len(frame) / line.rate_bit_s if line.rate_bit_s else 0.0)
            arrives_s = free_at_s[way] + line.delay_s + line.jitter_s * rng.random()
            heapq.heappush(under_way, (arrives_s, count := count + 1, way, frame))
        while under_way and under_way[0][0] <= time.monotonic():
            _, _, way, frame = heapq.heappop(under_way)
            try:
                os.write(ends[1 - way], frame)
            except OSError:  # the device is down, or full
                continue


if __name__ == "__main__":
    first, second = sys.argv[1:3], sys.argv[3:5]
    ends = tap(*first), tap(*second)
    print("ready", flush=True)
    carry(ends, random.Random(1))
