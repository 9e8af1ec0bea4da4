"""Whether cameras saw anything, each its own view, and when: black, frozen, doubled, exchanged and late pictures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jepa_planner.core.arm_layout import XYZ
from jepa_planner.learning.data.correlation import LEAST_STEPS, correlation
from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.finding import Finding, refused, warned
from jepa_planner.learning.data.picture_measures import Pair, PictureMeasures, exchanged
from jepa_planner.learning.data.stray_episodes import LEAST_OF_EPISODE

DARK, FLAT = 3.0, 1.0
"""Mean and spread (of 255) below which a picture shows nothing."""
MOVED_M = 0.01
"""A step of the arm that no picture can miss."""
ALIKE_TABLES = 0.6
"""So much nearer is what an episode shows in all to what the other view shows in most when two views change places."""
LAGS = (-2, -1, 1, 2)


def check_pictures(episodes: Episodes) -> Iterator[Finding]:
    """What is wrong, or may be, with the cameras of episodes; each episode is read once."""
    measures = PictureMeasures.of(episodes.images)
    seeing = []
    for view, name in enumerate(episodes.views):
        blind = list(_check_empty(name, measures.mean[..., view], measures.spread[..., view]))
        seeing += [view] if not any(finding.certain for finding in blind) else []
        yield from blind
    moves_m = np.linalg.norm(np.diff(episodes.states[..., XYZ], axis=1), axis=-1)
    for view in seeing:
        yield from _check_frozen(episodes.views[view], measures.stays[..., view], moves_m > MOVED_M)
    pairs = [pair for pair in measures.doubled if set(pair) <= set(seeing)]
    for pair in pairs:
        if measures.doubled[pair]:
            yield refused(
                f"views {episodes.views[pair[0]]} and {episodes.views[pair[1]]} show the same pictures, expected two "
                "cameras: leave one out"
            )
    for pair in pairs:
        yield from _check_exchanged(episodes, measures, pair)
    if seeing:
        yield from _check_late(np.sqrt(measures.changed[..., seeing].mean(-1)), moves_m)


def _check_empty(name: str, mean: np.ndarray, spread: np.ndarray) -> Iterator[Finding]:
    empty = spread < FLAT
    share = empty.mean()
    if share == 0.0:
        return
    what = "black" if mean[empty].mean() < DARK else f"of one colour ({mean[empty].mean():.0f} of 255)"
    finding = f"view {name}: {empty.sum()} of {empty.size} pictures are {what}, expected 0: was the camera on?"
    if share > 0.5:
        yield refused(finding)
    else:
        first = np.argwhere(empty)[0]
        yield warned(f"{finding} the first is frame {first[1]} of episode {first[0]}")


def _check_frozen(name: str, stays: np.ndarray, moving: np.ndarray) -> Iterator[Finding]:
    """Pictures that stay the same, to the last bit, while the arm moves."""
    if moving.sum() < LEAST_STEPS:
        return
    share, most = stays[moving].mean(), _largest_share(stays, moving)
    description = (
        f"view {name}: the picture stays the same in {stays[moving].sum()} of {moving.sum()} steps in "
        "which the arm moves by more than 1 cm, expected 0: did the camera stop?"
    )
    if share > 0.5:
        yield refused(description)
    elif share > 0.1 or most > 0.5:  # a plain table looks the same from two places now and then
        yield warned(description)


def _largest_share(stays: np.ndarray, moving: np.ndarray) -> float:
    """Of the steps [E, T] of an episode that move much, the largest share in which its pictures stay the same."""
    counted = moving.sum(axis=1)
    shares = (stays & moving).sum(axis=1) / np.maximum(counted, 1)
    return float(shares[counted >= LEAST_OF_EPISODE].max(initial=0.0))


def _check_exchanged(episodes: Episodes, measures: PictureMeasures, pair: Pair) -> Iterator[Finding]:
    """Two views that change places, in the middle of an episode or for some of the episodes."""
    names = f"views {episodes.views[pair[0]]} and {episodes.views[pair[1]]}"
    within = measures.exchanged[pair]
    if within.any():
        episode, step = np.argwhere(within)[0]
        yield refused(
            f"{names} change places {within.sum()} times within episodes, first in episode {episode} after "
            f"frame {step}, expected never"
        )
        return
    tables = measures.tables[:, pair]
    other_way = np.flatnonzero(exchanged(np.median(tables, axis=0), tables, ALIKE_TABLES))
    if len(other_way):
        yield warned(
            f"{names} seem to have changed places in {len(other_way)} of {len(tables)} episodes, the first is "
            f"{other_way[0]}, expected in none"
        )


def _check_late(changed: np.ndarray, moves_m: np.ndarray) -> Iterator[Finding]:
    """Pictures whose changes [E, T] come when the arm has moved already, or before."""
    if (moves_m > MOVED_M).sum() < LEAST_STEPS:
        return
    changed, moves = changed - changed.mean(), moves_m - moves_m.mean()
    steps = moves.shape[1]
    r = correlation(changed, moves)
    lagged = {
        lag: correlation(changed[:, max(0, lag) : steps + min(0, lag)], moves[:, max(0, -lag) : steps - max(0, lag)])
        for lag in LAGS
        if abs(lag) < steps
    }
    lag = max(lagged, key=lambda candidate: lagged[candidate], default=0)
    if lag and lagged[lag] > 0.5 and lagged[lag] - r > 0.2:
        yield warned(
            f"pictures are {abs(lag)} step{'s' * (abs(lag) > 1)} {'behind' if lag > 0 else 'ahead of'} the states: "
            f"they change with the arm of that moment (r {lagged[lag]:.2f}), not with that of their own (r {r:.2f})"
        )
