"""Finds a first posture and workspace box for an arm of which nothing but the kinematics is known.

The tool points down, the elbow is up, joints keep clear of their limits and the arm of its singularities; the box
stands in front of the arm, and the tcp was led to each of its corners.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from jepa_planner.control.description_text import DescriptionText
from jepa_planner.control.kinematics import ArmKinematics, rotation_from_rpy, rpy_from_rotation

SEEDS, SEEDED_RAD = 32, 2.2
SETTLING = 150
"""Steps in which the null space comes to rest."""
CENTRES = (0.48, 0.54, 0.42, 0.36)
"""Where the middle of the box may be in front of the first joint, as shares of the reach."""
LIFTS = (0.0, 0.2, 0.4)
"""How far the box may stand over its lowest place, as shares of the reach; higher only where none is found lower."""
HALF_SIZE = np.array([0.14, 0.18, 0.105])
"""Of the largest box, as shares of the reach."""
SCALES = (1.0, 0.8, 0.65, 0.5, 0.35)
TURNS_RAD = (1.4, 1.0, 0.7, 0.4)
"""How far the tool may turn to each side of its first yaw, the widest that all corners allow."""
YAWS_RAD = np.pi / 4 * np.array([0, -1, 1, -2, 2, -3, 3, 4])
SETTLED, TRIED = 8, 3
"""Postures at one place, the best of those that the seeds lead to."""
ENOUGH = 0.99
"""Share of the largest box at which the search ends."""
MOST_PITCH_RAD = np.radians(60.0)
WALK_M, WALK_RAD = 0.02, 0.1
REACHED = 1e-3
OPEN = 0.25
"""Smallest singular value above which more makes no difference."""
ROOM_RAD = 0.8
"""Distance to a joint's limit beyond which more makes no difference."""


class NoPostureError(ValueError):
    """An arm for which no posture or no box was found; the message says how far the search came."""


@dataclass(frozen=True)
class FirstPosture:
    """Joint positions [joints] (rad), the box (m) and the yaws (rad) in the base frame that they lead to."""

    posture_rad: tuple[float, ...]
    box_min_m: tuple[float, float, float]
    box_max_m: tuple[float, float, float]
    yaw_rad: tuple[float, float]
    least_singular_value: float
    """At the worst of the box's corners."""


def find_posture(
    source: DescriptionText,
    tcp_frame: str,
    base_frame: str,
    joint_margin_rad: float,
    singularity: float,
    lowest_m: float,
) -> FirstPosture:
    """The posture and the largest box of those tried.

    joint_margin_rad: kept from limits; singularity: least singular value in the box; lowest_m: z of the box's lower
    face, if that can be. Raises NoPostureError.
    """

    def posed(posture_rad: np.ndarray | None) -> ArmKinematics:
        return ArmKinematics(source, tcp_frame, joint_margin_rad, posture_rad, base_frame)

    arm = posed(None)
    symmetric_rad = np.clip(0.0, arm.lower_rad, arm.upper_rad)
    arm = posed(symmetric_rad)
    down = tool_down(arm)
    if abs(pitch_rad := float(rpy_from_rotation(down)[1])) > MOST_PITCH_RAD:
        raise NoPostureError(
            f"when the tool points down {tcp_frame} has a pitch of {np.degrees(pitch_rad):.0f} degrees, where roll and "
            "yaw cannot be told apart: choose a tcp whose z axis points along the tool"
        )
    shoulder_m, reach_m = arm.reach()
    rng = np.random.default_rng(0)
    best: FirstPosture | None = None
    postures = 0
    half_m = HALF_SIZE * reach_m
    for lift, share in product(LIFTS, CENTRES):
        if lift and best is not None:
            break
        ahead_m, over_m = share * reach_m, lowest_m + lift * reach_m + half_m[2]
        centre_m = np.array([shoulder_m[0] + ahead_m, shoulder_m[1], over_m])
        settled = (
            _settled(posed(np.append(symmetric_rad[:-1], q_rad[-1])), q_rad, SETTLING)
            for q_rad in _postures(arm, centre_m, down, rng)
        )
        for posture_rad in sorted(settled, key=lambda q_rad: -_merit(arm, q_rad))[:TRIED]:
            postures += 1
            found = _largest_box(posed(posture_rad), posture_rad, centre_m, half_m, singularity)
            if found is not None and (best is None or _volume(found) > 1.01 * _volume(best)):
                best = found
            if best is not None and _volume(best) > ENOUGH * 8.0 * float(np.prod(half_m)):
                return best
    if best is None:
        raise NoPostureError(
            f"found {postures} postures of {tcp_frame} with the tool down in front of {base_frame} (+x), and no box "
            f"around any, {lowest_m:g} m above it or more: choose the posture and the box by hand, or give --base a "
            "frame with z up and x toward the table"
        )
    return best


def tool_down(arm: ArmKinematics) -> np.ndarray:
    """A rotation [3, 3] of the tcp in which the tool points down, and whose yaw is 0.

    The tool points along the last joint's axis, to the side on which the tcp lies.
    """
    lower, upper = (
        np.where(np.isinf(bound), sign * np.pi, bound) for bound, sign in ((arm.lower_rad, -1), (arm.upper_rad, 1))
    )
    q_rad = (lower + upper) / 2
    axis, (tcp_m, rotation) = arm.turning_axes(q_rad)[-1], arm.tcp_pose(q_rad)
    ahead_m = [float((tcp_m - point) @ axis) for point in arm.joint_points(q_rad)[::-1]]
    side = next((np.sign(way_m) for way_m in ahead_m if abs(way_m) > 1e-3), 1.0)
    x, y, z = side * rotation.T @ axis
    roll = np.arctan2(y, z) + np.pi
    return rotation_from_rpy(np.array([np.arctan2(np.sin(roll), np.cos(roll)), np.arctan2(x, np.hypot(y, z)), 0.0]))


def _postures(arm: ArmKinematics, centre_m: np.ndarray, down: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Joint positions with the tool down at a point and the elbow up, the best first and no two alike."""
    lower, upper = (np.clip(bound, -SEEDED_RAD, SEEDED_RAD) for bound in (arm.lower_rad, arm.upper_rad))
    found: list[tuple[float, np.ndarray]] = []
    for number in range(SEEDS):
        seed_rad = rng.uniform(lower, upper)
        if number % 2:  # as those of seven joints are that stay in the plane before the base
            seed_rad[::2] = np.clip(0.0, lower, upper)[::2]
        yaw_rad = float(rpy_from_rotation(arm.tcp_pose(seed_rad)[1] @ down.T)[2])
        turned = rotation_from_rpy(np.array([0.0, 0.0, yaw_rad])) @ down
        try:
            q_rad = arm.inverse(centre_m, turned, seed_rad, max_steps=30)
        except ValueError:
            continue
        q_rad = _with_yaw(arm, _least_turned(arm, _settled(arm, q_rad, SETTLING // 5)), down)
        elbow_m = _elbow(arm, q_rad)
        if elbow_m[2] > abs(elbow_m[1]) and not any(np.allclose(q_rad, other, atol=0.05) for _, other in found):
            found.append((_merit(arm, q_rad), q_rad))
    found.sort(key=lambda item: -item[0])
    return [q_rad for _, q_rad in found[:SETTLED]]


def _settled(arm: ArmKinematics, q_rad: np.ndarray, steps: int) -> np.ndarray:
    """The same pose with the null space at rest, where it is pulled to."""
    pose = arm.tcp_pose(q_rad)
    for _ in range(steps):
        q_rad, _ = arm.inverse_step(*pose, q_rad)
    return q_rad


def _least_turned(arm: ArmKinematics, q_rad: np.ndarray) -> np.ndarray:
    """The same pose with no joint turned further than it needs to be."""
    nearer = np.remainder(q_rad + np.pi, 2 * np.pi) - np.pi
    return np.where((nearer >= arm.lower_rad) & (nearer <= arm.upper_rad), nearer, q_rad)


def _with_yaw(arm: ArmKinematics, q_rad: np.ndarray, down: np.ndarray) -> np.ndarray:
    """The posture with its last joint, which turns the tool about the vertical, where the yaw is a round one: the
    first of those that leave room to turn.
    """
    side = np.sign(arm.turning_axes(q_rad)[-1][2])
    now_rad = float(rpy_from_rotation(arm.tcp_pose(q_rad)[1] @ down.T)[2])
    tried: list[tuple[float, np.ndarray]] = []
    for rank, yaw_rad in enumerate(YAWS_RAD):
        turned = q_rad.copy()
        turned[-1] += side * (yaw_rad - now_rad)
        turned = _least_turned(arm, turned)
        room_rad = min(TURNS_RAD[0], turned[-1] - arm.lower_rad[-1], arm.upper_rad[-1] - turned[-1])
        tried.append((room_rad - 0.05 * rank, turned))
    return max(tried, key=lambda item: item[0])[1]


def _elbow(arm: ArmKinematics, q_rad: np.ndarray) -> np.ndarray:
    """How far [3] (m) the arm stands out from the line between its second and its last joint."""
    points_m = arm.joint_points(q_rad)
    shoulder, wrist = points_m[1], points_m[-1]
    along = (wrist - shoulder) / max(float(np.linalg.norm(wrist - shoulder)), 1e-9)
    ways = (point - shoulder - ((point - shoulder) @ along) * along for point in points_m[2:-1])
    return max(ways, key=lambda way: float(np.linalg.norm(way)))


def _merit(arm: ArmKinematics, q_rad: np.ndarray) -> float:
    """How comfortable a posture is: room at the limits, far from singular, elbow up, in the plane before the base."""
    _, reach_m = arm.reach()
    behind = np.maximum(0.0, arm.joint_points(q_rad)[0, 0] - 0.12 * reach_m - arm.joint_points(q_rad)[:, 0])
    elbow_m = _elbow(arm, q_rad)
    return (
        min(ROOM_RAD, float(np.min(np.minimum(q_rad - arm.lower_rad, arm.upper_rad - q_rad)[:-1])))
        + 2.0 * min(OPEN, arm.distance_to_singularity(q_rad)) / OPEN
        + 6.0 * float(elbow_m[2] - abs(elbow_m[1]) - np.sum(behind)) / reach_m
        - 0.1 * float(np.sum(np.abs(q_rad)))
    )


def _largest_box(
    arm: ArmKinematics, posture_rad: np.ndarray, centre_m: np.ndarray, half_m: np.ndarray, singularity: float
) -> FirstPosture | None:
    """The largest box around a point, its lower face kept, to all corners of which the posture leads."""
    _, rotation = arm.tcp_pose(posture_rad)
    yaw_rad = float(rpy_from_rotation(rotation)[2])
    lowest_m = centre_m[2] - half_m[2]
    for scale in SCALES:
        size_m = scale * half_m
        middle_m = np.array([*centre_m[:2], lowest_m + size_m[2]])
        corners = [middle_m + size_m * np.array(signs) for signs in product((1, -1), repeat=3)]  # the farthest first
        for turn_rad in TURNS_RAD if scale > SCALES[-1] else (*TURNS_RAD, 0.2):
            worst = _worst_of(arm, posture_rad, rotation, corners, turn_rad, singularity)
            if worst is not None:
                return FirstPosture(
                    tuple(round(float(position), 3) for position in posture_rad),
                    _rounded(middle_m - size_m),
                    _rounded(middle_m + size_m),
                    (round(yaw_rad - turn_rad, 3), round(yaw_rad + turn_rad, 3)),
                    worst,
                )
            if scale > 0.6 and turn_rad <= 0.7:
                break  # a smaller box in which the tool can turn serves better
    return None


def _worst_of(
    arm: ArmKinematics,
    posture_rad: np.ndarray,
    rotation: np.ndarray,
    corners: list[np.ndarray],
    turn_rad: float,
    least: float,
) -> float | None:
    """The smallest singular value at the corners, the tool turned to both sides; None where one is not reached."""
    worst = np.inf
    for corner_m in corners:
        q_rad = posture_rad
        for xyz_m in _steps(arm.tcp_pose(q_rad)[0], corner_m, WALK_M):
            q_rad = _follow(arm, xyz_m, rotation, q_rad)
        for side in (-1, 1):
            turned_rad = q_rad
            for (angle,) in _steps(np.zeros(1), np.array([side * turn_rad]), WALK_RAD):
                aim = rotation_from_rpy(np.array([0.0, 0.0, angle])) @ rotation
                turned_rad = _follow(arm, corner_m, aim, turned_rad)
            error = arm.inverse_step(corner_m, aim, turned_rad, 0.0)[1]
            value = arm.distance_to_singularity(turned_rad)
            if error > REACHED or value < least or arm.nearest_limit(turned_rad).beyond_rad > -0.02:
                return None
            worst = min(worst, value)
    return worst


def _follow(arm: ArmKinematics, xyz_m: np.ndarray, rotation: np.ndarray, q_rad: np.ndarray) -> np.ndarray:
    for _ in range(2):
        q_rad, _ = arm.inverse_step(xyz_m, rotation, q_rad)
    return q_rad


def _steps(start: np.ndarray, end: np.ndarray, length: float) -> Iterator[np.ndarray]:
    count = max(1, int(np.ceil(float(np.linalg.norm(end - start)) / length)))
    for number in range(1, count + 1):
        yield start + (end - start) * number / count


def _volume(found: FirstPosture) -> float:
    return float(np.prod(np.subtract(found.box_max_m, found.box_min_m)))


def _rounded(point_m: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (round(float(number), 3) for number in point_m)
    return x, y, z
