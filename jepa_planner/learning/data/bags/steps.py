"""The steps of an episode: at a regular grid, where pictures and arm are known, without gaps, jumps and long pauses.

At each step stands, of each view, the last picture that was taken before it or just then, never after, if it is no
older than the bound; and the arm's state at the stamp of the oldest of them. The grid begins anew after each gap, a
little after a picture: where the step is a multiple of the camera's period, stamps that tremble would else give now a
picture just taken, now the one before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from jepa_planner.control.kinematics import rpy_from_rotation
from jepa_planner.core.arm_layout import GRIPPER, MEASURED, STATE_CHANNELS, XYZ
from jepa_planner.learning.data.bags.arm_tracks import ArmTrack, Poses
from jepa_planner.learning.data.bags.gripper_tracks import GripperTrack
from jepa_planner.learning.data.bags.marks import MarkedEpisode
from jepa_planner.learning.data.recording import Recording

TURN_M = 0.2
"""What a turn of the tcp by 1 rad counts as, where it is asked whether it moves."""
RULE = (
    "at each step stands the last picture of each view that was taken before it or just then, never after; the arm's "
    "state is that at the stamp of the oldest of them, interpolated between the two states around it, never beyond"
)


@dataclass(frozen=True)
class Tracks:
    """All that a bag tells over time. views: times (ns) of each view's pictures, growing."""

    views: Mapping[str, np.ndarray]
    arm: ArmTrack
    gripper: GripperTrack | None
    gripper_asked: GripperTrack | None


@dataclass(frozen=True)
class Cut:
    """Something that was left out: from when to when, of which topic or view, and why."""

    kind: str
    begin_ns: int
    end_ns: int
    why: str


@dataclass(frozen=True)
class Piece:
    """F steps without a gap. pictures [F, V]: which picture of each view; poses and states [F, 8] at stamps_ns [F].

    at_end: whether it reaches to the end of its episode.
    """

    steps_ns: np.ndarray
    stamps_ns: np.ndarray
    pictures: np.ndarray
    poses: Poses
    states: np.ndarray
    at_end: bool = False

    def __len__(self) -> int:
        """How many steps, one more than actions."""
        return len(self.steps_ns)

    def part(self, steps: np.ndarray | slice) -> Piece:
        """Some of its steps, in their order."""
        poses = Poses(self.poses.xyz_m[steps], self.poses.rotations[steps], self.poses.known[steps])
        ends_there = self.at_end and bool(np.arange(len(self))[steps][-1:] == len(self) - 1)
        return Piece(
            self.steps_ns[steps], self.stamps_ns[steps], self.pictures[steps], poses, self.states[steps], ends_there
        )


def pieces_of(tracks: Tracks, episode: MarkedEpisode, recording: Recording) -> tuple[list[Piece], list[Cut]]:
    """The pieces of an episode that can be used, and all that was cut out."""
    cuts: list[Cut] = []
    pieces = list(_without_gaps(tracks, episode, recording, cuts))
    pieces = [part for piece in pieces for part in _without_jumps(piece, recording, cuts)]
    pieces = [_without_pauses(piece, recording, cuts) for piece in pieces]
    pieces = [part for piece in pieces for part in _not_too_long(piece, recording)]
    return list(_not_too_short(pieces, recording, cuts)), cuts


def _without_gaps(tracks: Tracks, episode: MarkedEpisode, recording: Recording, cuts: list[Cut]) -> Iterator[Piece]:
    begin_ns, end_ns = _span(tracks, episode)
    views = {view: times_ns[(times_ns >= begin_ns) & (times_ns <= end_ns)] for view, times_ns in tracks.views.items()}
    if absent := [view for view, times_ns in views.items() if not len(times_ns)]:
        cuts.append(Cut("gap", begin_ns, end_ns, f"no picture of {', '.join(absent)}"))
        return
    offsets = {view: int(np.searchsorted(tracks.views[view], times_ns[0])) for view, times_ns in views.items()}
    grid = _Grid(tracks, views, offsets, recording)
    every_ns = np.unique(np.concatenate(list(views.values())))  # at which a piece may begin
    starts_ns = every_ns[grid.reasons(every_ns) == ""]
    step_ns = round(recording.time_step_s * 1e9)
    at_ns, kind = begin_ns, "late start"
    while True:
        next_start = int(np.searchsorted(starts_ns, at_ns))
        is_last = next_start == len(starts_ns)
        start_ns = end_ns if is_last else int(starts_ns[next_start])
        if start_ns - at_ns > (0 if kind == "gap" and not is_last else step_ns):
            first_ns = at_ns
            if kind == "late start":  # what came last is what was late
                before = every_ns[(every_ns >= at_ns) & (every_ns < start_ns)]
                first_ns = int(before[-1]) if len(before) else at_ns
            why = str(grid.reasons(np.array([first_ns]))[0])
            cuts.append(Cut("early end" if is_last and kind == "gap" else kind, at_ns, start_ns, why))
        if is_last:
            return
        lead_ns = _lead_ns(every_ns, start_ns)
        steps_ns = np.arange(start_ns, end_ns + 1, step_ns) + lead_ns
        bad = np.flatnonzero(grid.reasons(steps_ns) != "")
        count = int(bad[0]) if len(bad) else len(steps_ns)
        at_end = end_ns - int(steps_ns[count - 1]) < 2 * step_ns
        yield replace(grid.piece(steps_ns[:count]), at_end=at_end)
        if not len(bad):
            return
        at_ns, kind = int(steps_ns[count]), "gap"


def _lead_ns(pictures_ns: np.ndarray, start_ns: int) -> int:
    """How long after the picture of `start_ns` its step is: a quarter of the time to the next picture of any view, so
    that steps of any half of a period keep away from pictures.
    """
    later_ns = pictures_ns[np.searchsorted(pictures_ns, start_ns, "right") :]
    return int(later_ns[0] - start_ns) // 4 if len(later_ns) else 0


class _Grid:
    """Looks up what stands at steps."""

    def __init__(
        self, tracks: Tracks, views: Mapping[str, np.ndarray], offsets: Mapping[str, int], recording: Recording
    ) -> None:
        """views: times of the pictures that may be taken; offsets: which picture of the bag the first of them is."""
        self._tracks, self._views, self._offsets = tracks, views, offsets
        self._age_ns = round(recording.picture_age_s * 1e9)
        self._gap_s = recording.cuts.state_gap_s

    def reasons(self, steps_ns: np.ndarray) -> np.ndarray:
        """Why there can be no step at each of the times [N]; empty where there can."""
        reasons = np.full(len(steps_ns), "", object)
        stamps_ns = self._stamps(steps_ns).min(axis=1)
        if (gripper := self._tracks.gripper) is not None:
            reasons[~gripper.at(stamps_ns, self._gap_s)[1]] = f"no gripper on {gripper.topic}"
        reasons[~self._tracks.arm.known(stamps_ns, self._gap_s)] = "no state of the arm"
        for column, view in enumerate(self._views):
            late = steps_ns - self._stamps(steps_ns)[:, column] > self._age_ns
            reasons[late] = f"no picture of {view}"
        return reasons

    def piece(self, steps_ns: np.ndarray) -> Piece:
        """All that stands at steps, at which there is no reason against it."""
        stamps_ns = self._stamps(steps_ns).min(axis=1)
        numbers = [self._last(view, steps_ns) + self._offsets[view] for view in self._views]
        poses = self._tracks.arm.at(stamps_ns, self._gap_s)
        return Piece(steps_ns, stamps_ns, np.stack(numbers, axis=1), poses, self._states(poses, stamps_ns))

    def _last(self, view: str, steps_ns: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._views[view], steps_ns, "right") - 1

    def _stamps(self, steps_ns: np.ndarray) -> np.ndarray:
        """Of the last pictures [N, V]; far back where there is none."""
        columns = []
        for view, times_ns in self._views.items():
            last = self._last(view, steps_ns)
            columns.append(np.where(last >= 0, times_ns[np.maximum(last, 0)], times_ns[0] - 10**12))
        return np.stack(columns, axis=1)

    def _states(self, poses: Poses, stamps_ns: np.ndarray) -> np.ndarray:
        states = np.zeros((len(stamps_ns), len(STATE_CHANNELS)))
        states[:, XYZ] = poses.xyz_m
        states[:, 3:6] = [rpy_from_rotation(rotation) for rotation in poses.rotations]
        measured, asked = self._tracks.gripper, self._tracks.gripper_asked
        if measured is not None:
            states[:, MEASURED] = states[:, GRIPPER] = measured.at(stamps_ns, self._gap_s)[0]
        if asked is not None:
            closures, known = asked.at(stamps_ns, self._gap_s)
            states[known, GRIPPER] = closures[known]
            if measured is None:
                states[:, MEASURED] = states[:, GRIPPER]
        return states


def _span(tracks: Tracks, episode: MarkedEpisode) -> tuple[int, int]:
    """From when to when there may be steps: the episode's own times, or all that any topic covers."""
    arm_begin_ns, arm_end_ns = tracks.arm.span_ns()
    begins = [arm_begin_ns, *(int(times_ns[0]) for times_ns in tracks.views.values() if len(times_ns))]
    ends = [arm_end_ns, *(int(times_ns[-1]) for times_ns in tracks.views.values() if len(times_ns))]
    begin_ns = min(begins) if episode.begin_ns is None else episode.begin_ns
    return begin_ns, max(ends) if episode.end_ns is None else episode.end_ns


def _without_jumps(piece: Piece, recording: Recording, cuts: list[Cut]) -> Iterator[Piece]:
    """Parted where the tcp was faster than it can be."""
    away_m = np.linalg.norm(np.diff(piece.poses.xyz_m, axis=0), axis=1)
    took_s = np.diff(piece.stamps_ns) * 1e-9
    jumps = np.flatnonzero(away_m > recording.cuts.max_speed_m_s * took_s)
    for step in jumps:
        begin_ns, end_ns = int(piece.stamps_ns[step]), int(piece.stamps_ns[step + 1])
        cuts.append(Cut("jump", begin_ns, end_ns, f"the tcp went {away_m[step]:.3f} m in {took_s[step]:.3f} s"))
    edges = [0, *(jumps + 1), len(piece)]
    for first, last in pairwise(edges):
        yield piece.part(slice(int(first), int(last)))


def _without_pauses(piece: Piece, recording: Recording, cuts: list[Cut]) -> Piece:
    """Without what of each pause is longer than the bound."""
    most = max(1, round(recording.cuts.longest_pause_s / recording.time_step_s))
    kept: list[int] = []
    at = 0
    while at < len(piece):
        last = at + _rests(piece, at, recording)
        kept += range(at, min(last, at + most) + 1)
        if last > at + most:
            begin_ns, end_ns = int(piece.steps_ns[at + most]), int(piece.steps_ns[last])
            cuts.append(Cut("pause", begin_ns, end_ns, "neither tcp nor gripper moved"))
        at = last + 1
    return replace(piece.part(np.array(kept, int)), at_end=piece.at_end)


def _rests(piece: Piece, at: int, recording: Recording) -> int:
    """For how many steps from one on nothing moves."""
    away_m = np.linalg.norm(piece.poses.xyz_m[at:] - piece.poses.xyz_m[at], axis=1)
    turns = piece.poses.rotations[at:] @ piece.poses.rotations[at].T
    turned_rad = np.arccos(np.clip((np.trace(turns, axis1=1, axis2=2) - 1.0) / 2.0, -1.0, 1.0))
    closed = np.abs(piece.states[at:, GRIPPER:] - piece.states[at, GRIPPER:]).max(axis=1)
    moved = (away_m + TURN_M * turned_rad > recording.cuts.pause_m) | (closed > recording.cuts.pause_closure)
    return int(np.argmax(moved)) - 1 if moved.any() else len(moved) - 1


def _not_too_long(piece: Piece, recording: Recording) -> Iterator[Piece]:
    """Parted into equal parts, each of which begins with the step that the one before ends with."""
    steps = len(piece) - 1
    parts = -(-steps // recording.cuts.most_steps) if steps > 0 else 1
    edges = np.linspace(0, max(steps, 0), parts + 1).round().astype(int)
    for first, last in pairwise(edges):
        yield piece.part(slice(int(first), int(last) + 1))


def _not_too_short(pieces: Sequence[Piece], recording: Recording, cuts: list[Cut]) -> Iterator[Piece]:
    for piece in pieces:
        if len(piece) - 1 >= recording.cuts.least_steps:
            yield piece
        elif len(piece):
            why = f"only {len(piece) - 1} steps are left there, fewer than {recording.cuts.least_steps}"
            cuts.append(Cut("short", int(piece.steps_ns[0]), int(piece.steps_ns[-1]), why))
