"""How far an object went between two frames of an episode, from the arm's own states: no labels, no object poses.

What a hand holds goes where the hand goes, what it pushes is ahead of it, and what it does not touch stays. Frames
between which something else may have happened are not compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from jepa_planner.core.arm_layout import GRIPPER, MEASURED, XYZ, Z

FREE, HELD, LOW = range(3)
"""A hand that is open or high, one that holds something, and one that is closed, empty and low."""
CLOSED = 0.5


@dataclass(frozen=True)
class TrackThresholds:
    """How what the hand does is told from where it went; closures are 0 open to 1 closed."""

    holding: float = 0.75
    """A closed gripper whose fingers are measured at most so far closed holds something."""
    settled_frames: int = 3
    """It does hold it if it does so for at least so many frames."""
    low_m: float = 0.06
    """A hand whose tcp is below this height may touch what lies on the table."""
    still_m: float = 0.015
    """A low hand that goes farther aside than this does touch it."""
    dropped_m: float = 0.02
    """What is let go more than so far above where it was taken falls."""
    contact_m: float = 0.05
    """A closed, empty hand that went so far along the table has surely met what it pushes."""
    on_the_way_m: float = 0.025
    """It met that so far after it set off, give or take uncertainty_m."""
    uncertainty_m: float = 0.015
    """How uncertain it is where the two met."""
    longest_m: float = 0.2
    """A pushing hand that went farther than this has lost what it pushes."""
    aside_m: float = 0.015
    """A hand pushes straight ahead, deviating by at most this."""


class ObjectTrack(NamedTuple):
    """Of the object that the hand acts on, for each frame of an episode.

    at_m [T+1, 3]: where it is, in a frame of its own, known up to the difference of uncertainty_m [T+1]. stretch int
    [T+1]: only frames of the same one can be compared; -1: with none. acts int [T+1]: twice the contact segments that
    are over, one more within one.
    """

    at_m: np.ndarray
    uncertainty_m: np.ndarray
    stretch: np.ndarray
    acts: np.ndarray


class FramePairs(NamedTuple):
    """Pairs of frames, either one first: numbers of an episode, the present and the goal in it, int [P]; how far the
    object is off, and how uncertain that is (m) [P]; the hand, FREE, HELD or LOW, at present and in the goal [P].
    """

    episode: np.ndarray
    now: np.ndarray
    goal: np.ndarray
    off_m: np.ndarray
    uncertainty_m: np.ndarray
    hand: np.ndarray
    goal_hand: np.ndarray


def frame_pairs(states: np.ndarray, thresholds: TrackThresholds | None = None) -> FramePairs:
    """All pairs in episodes that can be compared, with at most one contact segment between: states [E, T+1, S].

    With more it may be another object each time.
    """
    limits, pairs = thresholds or TrackThresholds(), []
    for number, episode in enumerate(states):
        track, hand = object_track(episode, limits), _HANDS[_doing(episode, limits)]
        first, last = np.minimum.outer(track.acts, track.acts), np.maximum.outer(track.acts, track.acts)
        touched = (last + 1) // 2 - first // 2
        known = (track.stretch[:, None] == track.stretch) & (track.stretch >= 0) & (touched <= 1)
        now, goal = (frames.astype(np.int16) for frames in np.nonzero(known))
        off_m = np.linalg.norm(track.at_m[now] - track.at_m[goal], axis=1)
        uncertainty_m = np.abs(track.uncertainty_m[now] - track.uncertainty_m[goal])
        episodes = np.full(len(now), number, np.int32)
        pairs.append(
            (episodes, now, goal, off_m.astype(np.float32), uncertainty_m.astype(np.float32), hand[now], hand[goal])
        )
    return FramePairs(*(np.concatenate(parts) for parts in zip(*pairs, strict=True)))


def held(states: np.ndarray, thresholds: TrackThresholds | None = None) -> np.ndarray:
    """Whether the hand holds something at each frame: states [T+1, S] -> bool [T+1]."""
    return _doing(states, thresholds or TrackThresholds()) == _HOLDS


def object_track(states: np.ndarray, thresholds: TrackThresholds | None = None) -> ObjectTrack:
    """Follows the object that the hand acts on: states [T+1, S], channels as in STATE_CHANNELS."""
    limits = thresholds or TrackThresholds()
    tcp = states[:, XYZ].astype(np.float64)
    frames = len(tcp)
    growing = _Track(ObjectTrack(np.zeros((frames, 3)), np.zeros(frames), np.full(frames, -1), np.zeros(frames, int)))
    does = _doing(states, limits)
    for first, end in _stretches(does):
        run, doing = tcp[first:end], does[first]
        if first and _sweeps(tcp[first - 1 : first + 1], limits):
            growing.part()
        if doing == _HOLDS:
            _hold(growing, first, run, tcp[end : end + 1], limits)
        elif doing == _MISSED:
            growing.lose(first, end)
        elif doing == _FREE or _aside_m(run).max() <= limits.still_m:
            growing.rest(first, end)
        elif doing == _LOW_CLOSED:
            _push(growing, first, run, limits)
        else:
            growing.stir(first, end)
    return growing.track


_FREE, _HOLDS, _MISSED, _LOW_OPEN, _LOW_CLOSED = range(5)
_HANDS = np.array([FREE, HELD, LOW, FREE, LOW], np.int8)


def _doing(states: np.ndarray, limits: TrackThresholds) -> np.ndarray:
    """What the hand does at each frame."""
    closed, low = states[:, GRIPPER] > CLOSED, states[:, Z] < limits.low_m
    holds = closed & (states[:, MEASURED] <= limits.holding)
    doing = np.where(holds, _HOLDS, np.where(low, np.where(closed, _LOW_CLOSED, _LOW_OPEN), _FREE))
    for first, end in _stretches(closed):
        if closed[first] and first > 0 and low[first] and not holds[first]:  # on something beside, or on nothing
            doing[first:end] = _MISSED
    return doing


def _sweeps(step: np.ndarray, limits: TrackThresholds) -> bool:
    """Whether a hand goes aside while it comes down to what lies on the table, or up from there."""
    low = step[:, 2] < limits.low_m
    return bool(low[0] != low[1] and _aside_m(step)[1] > limits.still_m)


def _stretches(values: np.ndarray) -> Iterator[tuple[int, int]]:
    """Where equal values follow one another: first, and one past the last."""
    changes = np.flatnonzero(np.diff(values)) + 1
    yield from pairwise([0, *(int(change) for change in changes), len(values)])


def _aside_m(run: np.ndarray) -> np.ndarray:
    return np.linalg.norm(run[:, :2] - run[0, :2], axis=1)


@dataclass
class _Track:
    """A track that grows frame by frame."""

    track: ObjectTrack
    at_m: np.ndarray | float = 0.0
    uncertainty_m: np.ndarray | float = 0.0
    stretch: int = 0
    acts: int = 0

    def rest(self, first: int, end: int) -> None:
        """It stays from one frame up to another."""
        self._put(first, end, np.broadcast_to(self.at_m, (end - first, 3)))

    def follow(self, first: int, moved: np.ndarray, uncertainty_m: np.ndarray | float = 0.0) -> None:
        """In a contact segment it goes so far [F, 3] from where it is, which is more uncertain by uncertainty_m [F]."""
        before_m = self.uncertainty_m
        self.acts += 1
        self.uncertainty_m = before_m + uncertainty_m
        self._put(first, first + len(moved), self.at_m + moved)
        self.acts += 1
        self.uncertainty_m = float(np.max(self.uncertainty_m))
        self.at_m = self.at_m + moved[-1]

    def lose(self, first: int, end: int) -> None:
        """Nothing is known of these frames, nor how the later ones go with the earlier ones."""
        self.track.stretch[first:end] = -1
        self.part()

    def stir(self, first: int, end: int) -> None:
        """As `lose`, of what may have been touched between the first and the last of these frames."""
        self.rest(first, first + 1)
        self.lose(first + 1, end - 1)
        self.rest(end - 1, end)

    def part(self) -> None:
        """Later frames cannot be compared with earlier ones."""
        self.stretch += 1

    def _put(self, first: int, end: int, at_m: np.ndarray) -> None:
        track = self.track
        track.at_m[first:end], track.uncertainty_m[first:end] = at_m, self.uncertainty_m
        track.stretch[first:end], track.acts[first:end] = self.stretch, self.acts


def _hold(growing: _Track, first: int, run: np.ndarray, after: np.ndarray, limits: TrackThresholds) -> None:
    """What is held goes with the tcp; it is known where it comes to lie if it was let go low, by a hand at rest."""
    if len(run) < limits.settled_frames:
        growing.lose(first, first + len(run))
        return
    growing.follow(first, run - run[0])
    fell = run[-1, 2] - run[0, 2] > limits.dropped_m
    if fell or (len(after) and np.linalg.norm(after[0] - run[-1]) > limits.still_m):
        growing.part()


def _push(growing: _Track, first: int, run: np.ndarray, limits: TrackThresholds) -> None:
    """What a low, closed hand pushes goes as far as the hand does once it has met it, and stays where that turns back.

    When it does meet it is known the better the farther it has gone.
    """
    away_m = _aside_m(run)
    far = int(away_m.argmax())
    along = (run[far] - run[0])[:2] / away_m[far]
    gone = (run[:, :2] - run[0, :2]) @ np.stack([along, [-along[1], along[0]]], axis=1)
    if np.abs(gone[:, 1]).max() > limits.aside_m or not limits.contact_m < away_m[far] <= limits.longest_m:
        growing.stir(first, first + len(run))
        return
    growing.rest(first, first + 1)
    farthest_m = np.maximum.accumulate(gone[1 : far + 1, 0])
    moved = np.zeros((far, 3))
    moved[:, :2] = np.maximum(farthest_m - limits.on_the_way_m, 0.0)[:, None] * along
    uncertainty_m = limits.uncertainty_m * np.clip(farthest_m / limits.contact_m, 0.0, 1.0)
    growing.follow(first + 1, moved, uncertainty_m)
    growing.rest(first + far + 1, first + len(run))
