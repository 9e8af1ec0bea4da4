"""Whether cameras saw anything, each its own view, and when: black, frozen, doubled, exchanged and late pictures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jepa_planner.core.arm_layout import XYZ
from jepa_planner.learning.data.correlation import LEAST_STEPS, correlation
from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.finding import Finding, refused, warned
from jepa_planner.learning.data.stray_episodes import LEAST_OF_EPISODE

THUMBNAIL = 16
"""Rows and columns at most that are looked at where a picture as a whole counts."""
DARK, FLAT = 3.0, 1.0
"""Mean and spread (of 255) below which a picture shows nothing."""
MOVED_M = 0.01
"""A step of the arm that no picture can miss."""
ALIKE, ALIKE_TABLES = 0.75, 0.6
"""So much nearer is a picture to the other view's last one when two views change places, and so much nearer what an
episode shows in all to what the other view shows in most; else they never are.
"""
LAGS = (-2, -1, 1, 2)


def check_pictures(episodes: Episodes) -> Iterator[Finding]:
    """What is wrong, or may be, with the cameras of episodes."""
    small = thumbnails(episodes.images)
    seeing = []
    for view, name in enumerate(episodes.views):
        blind = list(_check_empty(name, small[:, :, view]))
        seeing += [view] if not any(finding.certain for finding in blind) else []
        yield from blind
    moves_m = np.linalg.norm(np.diff(episodes.states[..., XYZ], axis=1), axis=-1)
    for view in seeing:
        yield from _check_frozen(episodes, view, moves_m > MOVED_M)
    yield from _check_doubled(episodes, seeing)
    if len(seeing) > 1:
        yield from _check_exchanged(episodes, small, seeing)
    yield from _check_late(small[:, :, seeing], moves_m)


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Every so many pixels of pictures [E, T, V, H, W, 3], as float32."""
    rows, columns = (max(1, -(-size // THUMBNAIL)) for size in images.shape[3:5])
    return images[:, :, :, ::rows, ::columns].astype(np.float32)


def _check_empty(name: str, small: np.ndarray) -> Iterator[Finding]:
    mean, spread = small.mean((2, 3, 4)), small.std((2, 3)).max(-1)
    empty = spread < FLAT
    share = empty.mean()
    if share == 0.0:
        return
    what = "black" if mean[empty].mean() < DARK else f"of one colour ({mean[empty].mean():.0f} of 255)"
    says = f"view {name}: {empty.sum()} of {empty.size} pictures are {what}, expected 0: was the camera on?"
    if share > 0.5:
        yield refused(says)
    else:
        first = np.argwhere(empty)[0]
        yield warned(f"{says} the first is frame {first[1]} of episode {first[0]}")


def _check_frozen(episodes: Episodes, view: int, moving: np.ndarray) -> Iterator[Finding]:
    """Pictures that stay the same, to the last bit, while the arm moves."""
    if moving.sum() < LEAST_STEPS:
        return
    stays = np.zeros_like(moving)
    for number, pictures in enumerate(episodes.images):
        stays[number] = (pictures[1:, view] == pictures[:-1, view]).all((1, 2, 3))
    share, most = stays[moving].mean(), _largest_share(stays, moving)
    says = (
        f"view {episodes.views[view]}: the picture stays the same in {stays[moving].sum()} of {moving.sum()} steps in "
        "which the arm moves by more than 1 cm, expected 0: did the camera stop?"
    )
    if share > 0.5:
        yield refused(says)
    elif share > 0.1 or most > 0.5:  # a plain table looks the same from two places now and then
        yield warned(says)


def _largest_share(stays: np.ndarray, moving: np.ndarray) -> float:
    """Of the steps [E, T] of an episode that move much, the largest share in which its pictures stay the same."""
    counted = moving.sum(axis=1)
    shares = (stays & moving).sum(axis=1) / np.maximum(counted, 1)
    return float(shares[counted >= LEAST_OF_EPISODE].max(initial=0.0))


def _check_doubled(episodes: Episodes, seeing: list[int]) -> Iterator[Finding]:
    for place, one in enumerate(seeing):
        for other in seeing[place + 1 :]:
            if all(np.array_equal(pictures[:, one], pictures[:, other]) for pictures in episodes.images):
                yield refused(
                    f"views {episodes.views[one]} and {episodes.views[other]} show the same pictures, expected two "
                    "cameras: leave one out"
                )


def _check_exchanged(episodes: Episodes, small: np.ndarray, seeing: list[int]) -> Iterator[Finding]:
    """Two views that change places, in the middle of an episode or for some of the episodes."""
    for place, one in enumerate(seeing):
        for other in seeing[place + 1 :]:
            pair = small[:, :, [one, other]]
            names = f"views {episodes.views[one]} and {episodes.views[other]}"
            within = _exchanged(pair[:, :-1], pair[:, 1:])
            if within.any():
                episode, step = np.argwhere(within)[0]
                yield refused(
                    f"{names} change places {within.sum()} times within episodes, first in episode {episode} after "
                    f"frame {step}, expected never"
                )
                continue
            table = np.median(pair, axis=1)  # without the arm, as far as that moves
            other_way = np.flatnonzero(_exchanged(np.median(table, axis=0), table, ALIKE_TABLES))
            if len(other_way):
                yield warned(
                    f"{names} seem to have changed places in {len(other_way)} of {len(table)} episodes, the first is "
                    f"{other_way[0]}, expected in none"
                )


def _exchanged(before: np.ndarray, after: np.ndarray, alike: float = ALIKE) -> np.ndarray:
    """Whether two views [.., 2, h, w, 3] are each like what the other was; they have to differ to tell."""
    axes = (-4, -3, -2, -1)
    straight = np.abs(after - before).mean(axes)
    crossed = np.abs(after[..., ::-1, :, :, :] - before).mean(axes)
    return (straight > 5.0) & (crossed < alike * straight)


def _check_late(small: np.ndarray, moves_m: np.ndarray) -> Iterator[Finding]:
    """Pictures that change when the arm has moved already, or before."""
    if not small.size or (moves_m > MOVED_M).sum() < LEAST_STEPS:
        return
    changed = np.sqrt(np.square(np.diff(small, axis=1)).mean((2, 3, 4, 5)))
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
