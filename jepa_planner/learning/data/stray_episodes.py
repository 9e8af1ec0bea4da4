"""Single episodes among sound ones: whose arm does not do what is asked, or that are there twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from jepa_planner.core.arm_layout import ACTION_CHANNELS, RPY, STATE_CHANNELS, XYZ
from jepa_planner.learning.data.correlation import CLEAR, FAINT, NO_MOTION, correlation, tamed
from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.finding import Finding, warned

LEAST_OF_EPISODE = 8
"""Fewer steps of one episode that move say nothing."""


def check_strays(episodes: Episodes, done: np.ndarray) -> Iterator[Finding]:
    """Episodes in which a channel, or all of a kind, is not done as asked, where it is in the others [E, T, 7]."""
    for three in (XYZ, RPY):
        commanded, followed = episodes.actions[..., three], tamed(done[..., three])
        strays: dict[int, tuple[slice, float]] = {}
        for channels, least_r in (*((slice(n, n + 1), -FAINT) for n in range(3)), (slice(0, 3), FAINT)):
            one, other = commanded[..., channels], followed[..., channels]
            if correlation(one, other) < CLEAR:
                continue
            for number in range(len(episodes)):
                moving = np.abs(one[number]).max(axis=-1) > 5 * NO_MOTION
                if moving.sum() >= LEAST_OF_EPISODE and (r := correlation(one[number], other[number])) < least_r:
                    strays.setdefault(number, (channels, r))
        if strays:
            number = min(strays)
            channels, r = strays[number]
            names = ", ".join(ACTION_CHANNELS[three][channels])
            states = ", ".join(STATE_CHANNELS[three][channels])
            yield warned(
                f"in {len(strays)} of {len(episodes)} episodes the arm does not do what is asked, the first is episode "
                f"{number}: {names} and the changes of {states} have r {r:.2f} there and "
                f"{correlation(commanded[..., channels], followed[..., channels]):.2f} in all"
            )


def check_repeated(episodes: Episodes) -> Iterator[Finding]:
    """Episodes that are there twice: what is held out would be known."""
    first: dict[bytes, int] = {}
    repeated = {}
    for number in range(len(episodes)):
        parts = episodes.states[number], episodes.actions[number], *episodes.images[number, [0, -1]]
        content = hashlib.sha256(b"".join(part.tobytes() for part in parts)).digest()
        before = first.setdefault(content, number)
        if before != number and episodes.motions[before] != episodes.motions[number]:  # variants may look the same
            repeated[number] = before
    if repeated:
        number, before = next(iter(repeated.items()))
        yield warned(
            f"{len(repeated)} of {len(episodes)} episodes are there twice, the first is episode {number}, the same as "
            f"{before}, expected none: what is held out for the report may be among those learned from"
        )
