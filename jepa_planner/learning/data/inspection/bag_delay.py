"""How late each camera of bags is, at the rate of the camera."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from jepa_planner.control.kinematics import rpy_from_rotation
from jepa_planner.learning.data.bags.arm_tracks import ArmTrack
from jepa_planner.learning.data.bags.listeners import ToldByBag
from jepa_planner.learning.data.bags.message import BagError
from jepa_planner.learning.data.bags.opened_bag import OpenedBag
from jepa_planner.learning.data.inspection.camera_delay import Stretch, picture_changes

MOST_S = 0.5
"""The largest delay that is looked for."""
MOST_PICTURES, TOGETHER = 5000, 150
"""Of each view in all bags, so many are looked at, in parts of so many that follow one another."""
ARM_STEP_S = 0.008
"""Arms that tell more often are looked at as often as this."""


def stretches_of(bag: OpenedBag, told: ToldByBag, most: int, state_gap_s: float) -> dict[str, list[Stretch]]:
    """What each view of a bag shows of the arm's motion, of at most about so many pictures."""
    begin_ns, _ = told.tracks.arm.span_ns()
    found: dict[str, list[Stretch]] = {}
    for number, (view, times_ns) in enumerate(told.tracks.views.items()):
        stretches = found.setdefault(view, [])
        for part in _parts(len(times_ns), most):
            arm_ns = _arm_times(told, int(times_ns[part[0]]), int(times_ns[part[-1]]))
            shown = list(_pictures(bag, told, number, part.tolist()))
            if len(shown) < 2:
                continue
            stamps_s = (times_ns[[each for each, _ in shown]] - begin_ns) * 1e-9
            changes = picture_changes(pixels for _, pixels in shown)
            for arm_stamps_s, poses in _poses(told.tracks.arm, arm_ns, begin_ns, state_gap_s):
                stretches.append(Stretch(stamps_s, changes, arm_stamps_s, poses))
    return found


def _parts(count: int, most: int) -> Iterator[np.ndarray]:
    """Numbers of pictures that follow one another, in parts that are evenly spread."""
    parts = max(1, min(most, count) // TOGETHER)
    length = min(count, max(2, most // parts))
    for first in np.linspace(0, count - length, parts).round().astype(int) if count > 1 else ():
        yield np.arange(first, first + length)


def _pictures(bag: OpenedBag, told: ToldByBag, view: int, numbers: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Pictures in time, each with its number; those that cannot be decoded are left out."""
    topic, order = told.pictures[view]
    places = {int(number): topic.places[order[number]] for number in numbers}
    pixels: dict[int, np.ndarray] = {}
    for file_number, file in enumerate(bag.files):
        ours = sorted((place, number) for number, (at, place) in places.items() if at == file_number)
        for (_, number), data in zip(ours, file.read([place for place, _ in ours]), strict=True):
            try:
                pixels[number] = told.views[view].pixels(data, file.definitions)
            except BagError:
                continue
    yield from sorted(pixels.items())


def _arm_times(told: ToldByBag, first_ns: int, last_ns: int) -> np.ndarray:
    """When the arm was told around that time (ns), not more often than is needed."""
    times_ns, _ = told.times[told.arm_topic].usable()
    around_ns = round(2.0 * MOST_S * 1e9)
    times_ns = times_ns[(times_ns >= first_ns - around_ns) & (times_ns <= last_ns + around_ns)]
    slots = np.unique((times_ns - first_ns) // round(ARM_STEP_S * 1e9), return_index=True)[1]
    return times_ns[slots]


def _poses(
    arm: ArmTrack, times_ns: np.ndarray, begin_ns: int, state_gap_s: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Stamps (s) and poses [M, 6] of the tcp, parted where the arm was not told."""
    poses = arm.at(times_ns, state_gap_s)
    known = np.flatnonzero(poses.known)
    gaps = np.flatnonzero(np.diff(times_ns[known]) > state_gap_s * 1e9) + 1
    for run in np.split(known, gaps):
        if len(run) > 1:
            rpy = [rpy_from_rotation(rotation) for rotation in poses.rotations[run]]
            yield (times_ns[run] - begin_ns) * 1e-9, np.column_stack([poses.xyz_m[run], rpy])
