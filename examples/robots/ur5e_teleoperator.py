"""What a person with a joystick does in the cell: takes the cube, puts it elsewhere, misses, mends it, may push it.

A scripted stand-in: it sees where tool and cube are, as a person does, and says only how fast the tool is to move and
how far the gripper is to close. It imports nothing of the planner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from ur5e_cell import CUBE_HIGH_M, CUBE_LOW_M, CUBE_M, HIGH_M, LOW_M

PERIOD_S = 0.05
FASTEST_M_S = 0.22
GRASP_M = 0.020
"""How high the point between the fingers is when they close."""
CARRY_M = (0.08, 0.2)
PUSH_M = 0.025
STANDOFF_M = 0.065
OPEN, CLOSED = 0.0, 1.0
SHARES = {"place": 0.44, "near": 0.27, "reach": 0.07, "lift": 0.10, "wander": 0.12}
"""Of pieces of work that are no pushes."""
Sight = Callable[[], tuple[np.ndarray, np.ndarray]]
"""Tells where tool [3] and cube [3] are."""


@dataclass(frozen=True)
class Wish:
    """What the sticks say for PERIOD_S: the tool's velocity [3] in m/s, and the closure of the gripper."""

    velocity_m_s: np.ndarray
    closure: float


class Teleoperator:
    """Yields wishes without end; the caller carries out each before it asks for the next."""

    def __init__(self, see: Sight, rng: np.random.Generator, push_share: float = 0.0) -> None:
        self._see, self._rng, self._push_share = see, rng, push_share
        self._closure = OPEN
        self._calm = float(rng.choice((0.0, 0.01, 0.025)))
        self._hurry = float(rng.uniform(0.6, 1.0))

    def work(self, first: str | None = None) -> Iterator[Wish]:
        """One thing after the other; the first may be named: place, near, push, reach, lift or wander."""
        doing = first
        while True:
            if doing is None and self._rng.random() < self._push_share:
                doing = "push"
            doing = doing or str(self._rng.choice(tuple(SHARES), p=tuple(SHARES.values())))
            yield from getattr(self, f"_{doing}")()
            doing = None

    def play(self) -> Iterator[Wish]:
        """What shows how things behave, and not what is to be done: the cube is dragged, shaken, dropped and nudged."""
        while True:
            if self._rng.random() < 0.25:
                yield from self._push() if self._rng.random() < 0.5 else self._wander()
                continue
            yield from self._take(lift=False)
            for _ in range(int(self._rng.integers(1, 4))):
                yield from self._fumble(low=True)
            if self._rng.random() < 0.7:
                yield from self._to(np.array((*self._spot(), self._rng.uniform(0.04, CARRY_M[1]))))
                yield from self._fumble(low=False)
            if self._rng.random() < 0.6:
                yield from self._to(np.array((*self._see()[0][:2], GRASP_M + self._rng.uniform(0.0, 0.03))))
            yield from self._grip(OPEN)
            yield from self._fumble(low=True)
            yield from self._up()

    def _fumble(self, low: bool) -> Iterator[Wish]:
        """To and fro, fast, with whatever is in the hand; along the table if low."""
        velocity = np.zeros(3)
        for _ in range(int(self._rng.integers(15, 45))):
            velocity = 0.7 * velocity + self._rng.normal(0.0, 0.1, 3) * (1.0, 1.0, 0.25 if low else 1.0)
            yield self._wish(velocity, self._closure)

    def _place(self, near_m: float | None = None) -> Iterator[Wish]:
        target_m = self._spot() if near_m is None else self._spot_near(near_m)
        yield from self._take()
        if not self._holds():
            if self._rng.random() < 0.3:
                return
            yield from self._take(careful=True)
        yield from self._to(np.array((*target_m, self._rng.uniform(*CARRY_M))))
        yield from self._to(np.array((*target_m, GRASP_M + 0.004)), 0.006)
        yield from self._grip(OPEN)
        yield from self._leave()

    def _near(self) -> Iterator[Wish]:
        yield from self._place(0.07)

    def _lift(self) -> Iterator[Wish]:
        yield from self._take()
        if self._holds():
            yield from self._to(np.array((*self._see()[0][:2], self._rng.uniform(0.10, 0.22))))
            yield from self._rest(self._rng.uniform(0.2, 1.2))
            yield from self._to(np.array((*self._see()[0][:2], GRASP_M + 0.004)), 0.006)
        yield from self._grip(OPEN)
        yield from self._leave()

    def _push(self) -> Iterator[Wish]:
        cube_m = self._see()[1]
        axis, sign = int(self._rng.integers(2)), float(self._rng.choice((-1.0, 1.0)))
        way = np.zeros(2)
        way[axis] = sign
        room = (CUBE_HIGH_M[axis] - cube_m[axis]) if sign > 0 else (cube_m[axis] - CUBE_LOW_M[axis])
        far = float(min(room, self._rng.uniform(0.03, 0.15)))
        behind = cube_m[:2] - STANDOFF_M * way
        if far < 0.02 or np.any(behind < LOW_M[:2]) or np.any(behind > HIGH_M[:2]):
            return
        yield from self._up()
        yield from self._grip(CLOSED)
        yield from self._to(np.array((*behind, 0.11)))
        yield from self._to(np.array((*behind, PUSH_M)), 0.006)
        yield from self._to(np.array((*(cube_m[:2] + (far - CUBE_M / 2 - 0.012) * way), PUSH_M)), 0.005, 0.15)
        yield from self._to(np.array((*(self._see()[0][:2] - 0.03 * way), PUSH_M)))
        yield from self._leave()
        yield from self._grip(OPEN)

    def _reach(self) -> Iterator[Wish]:
        yield from self._to(self._rng.uniform(np.add(LOW_M, (0.0, 0.0, 0.05)), HIGH_M))

    def _wander(self) -> Iterator[Wish]:
        velocity, closure = np.zeros(3), self._closure
        for _ in range(int(self._rng.integers(20, 70))):
            velocity = 0.85 * velocity + self._rng.normal(0.0, 0.06, 3)
            if self._rng.random() < 0.04:
                closure = float(self._rng.choice((OPEN, CLOSED, self._rng.uniform())))
            yield self._wish(velocity, closure)
        yield from self._up()
        yield from self._grip(OPEN)

    def _take(self, careful: bool = False, lift: bool = True) -> Iterator[Wish]:
        """Down onto the cube; not always well, and sometimes mended on the way."""
        error_m = np.zeros(2)
        if not careful and self._rng.random() < 0.25:
            error_m = self._rng.normal(0.0, 0.018, 2)
        yield from self._up()
        yield from self._grip(OPEN)
        cube_m = self._see()[1]
        beside = self._rng.random() < 0.3
        first_m = cube_m[:2] + error_m + (self._rng.normal(0.0, 0.02, 2) if beside else 0.0)
        yield from self._to(np.array((*first_m, self._rng.uniform(0.08, 0.13))))
        if beside:
            yield from self._to(np.array((*first_m, 0.07)))
            yield from self._to(np.array((*(cube_m[:2] + error_m), 0.07)), 0.006)
        yield from self._to(np.array((*(cube_m[:2] + error_m), GRASP_M)), 0.006)
        yield from self._grip(CLOSED)
        if lift:
            yield from self._up()

    def _leave(self) -> Iterator[Wish]:
        """Up, and out of the way more often than not."""
        yield from self._up()
        if self._rng.random() < 0.6:
            while True:
                aside_m = self._rng.uniform((LOW_M[0], LOW_M[1], 0.1), HIGH_M)
                if np.linalg.norm(aside_m[:2] - self._see()[1][:2]) > 0.1:
                    break
            yield from self._to(aside_m)
            yield from self._rest(self._rng.uniform(0.0, 0.6))

    def _up(self) -> Iterator[Wish]:
        tool_m = self._see()[0]
        yield from self._to(np.array((*tool_m[:2], max(tool_m[2], self._rng.uniform(0.09, 0.14)))))

    def _to(self, target_m: np.ndarray, within_m: float = 0.012, slower: float = 1.0) -> Iterator[Wish]:
        """As sticks are pushed: fast where it is far, slower near the end, with a hand that trembles."""
        for _ in range(160):
            off_m = np.clip(target_m, LOW_M, HIGH_M) - self._see()[0]
            if np.linalg.norm(off_m) < within_m:
                return
            fastest = FASTEST_M_S * self._hurry * max(slower, 0.4)
            velocity = 3.0 * off_m
            velocity *= min(1.0, fastest / np.abs(velocity).max())
            tremble = self._rng.normal(0.0, self._calm, 3) if np.linalg.norm(off_m) > 0.03 else 0.0
            yield self._wish(velocity + tremble, self._closure)

    def _grip(self, closure: float) -> Iterator[Wish]:
        if self._closure != closure:
            for _ in range(int(self._rng.integers(9, 14))):
                yield self._wish(np.zeros(3), closure)

    def _rest(self, seconds: float) -> Iterator[Wish]:
        for _ in range(round(seconds / PERIOD_S)):
            yield self._wish(np.zeros(3), self._closure)

    def _wish(self, velocity_m_s: np.ndarray, closure: float) -> Wish:
        self._closure = closure
        return Wish(np.clip(velocity_m_s, -FASTEST_M_S, FASTEST_M_S), closure)

    def _holds(self) -> bool:
        return bool(self._see()[1][2] > CUBE_M / 2 + 0.02)

    def _spot(self) -> np.ndarray:
        return self._rng.uniform(CUBE_LOW_M, CUBE_HIGH_M)

    def _spot_near(self, near_m: float) -> np.ndarray:
        cube_m = self._see()[1][:2]
        return np.clip(cube_m + self._rng.uniform(-near_m, near_m, 2), CUBE_LOW_M, CUBE_HIGH_M)
