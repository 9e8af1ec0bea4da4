"""What was found, as it is kept and as a user reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from jepa_planner.calibration.calibrate import Calibrated
from jepa_planner.calibration.transforms import quaternion_xyzw, xyz_m
from jepa_planner.core.camera_calibration import Board, CameraCalibration, Placed


def camera_calibration(found: Calibrated, view: str, frame: str, board: Board, carrier: str) -> CameraCalibration:
    """What is kept of a calibration; carrier: tcp or base, what the board was on."""
    unknowns, fit = found.fit.unknowns, found.fit
    pose, hung, lens = unknowns.base_from_camera, unknowns.carrier_from_board, unknowns.lens
    fx, fy, cx, cy = map(float, lens.focal_and_centre_px)
    placed = Placed("base" if carrier == "base" else "tcp", xyz_m(hung), quaternion_xyzw(hung))
    camera = CameraCalibration(
        view=view,
        frame=frame,
        width_px=lens.width_px,
        height_px=lens.height_px,
        camera_matrix=((fx, 0.0, cx), (0.0, fy, cy), (0.0, 0.0, 1.0)),
        xyz_m=xyz_m(pose),
        quaternion_xyzw=quaternion_xyzw(pose),
        distortion_model=lens.model,  # type: ignore[arg-type]
        distortion=tuple(map(float, lens.distortion)),
        reprojection_error_px=fit.error_px(),
        samples=len(found.kept),
        board=board,
        board_pose=placed,
    )
    place, turn = fit.std("camera")[3:], fit.turn_std_rad()
    return replace(camera, xyz_std_m=_three(place), rotation_std_rad=_three(turn))


def in_words(found: Calibrated, camera: CameraCalibration) -> Iterator[str]:
    """A line for each thing that a user asks about."""
    fit, lens = found.fit, found.fit.unknowns.lens
    corners = sum(len(sighting.corners.pixels) for sighting in found.kept)
    yield (
        f"{camera.view}: {len(found.kept)} samples, {corners} corners, reprojection error "
        f"{camera.reprojection_error_px:.2f} px"
    )
    assert camera.xyz_std_m is not None and camera.rotation_std_rad is not None
    place = ", ".join(f"{value:.4f}" for value in camera.xyz_m)
    off = ", ".join(f"{1000 * value:.1f}" for value in camera.xyz_std_m)
    yield f"camera at ({place}) m in {camera.frame or 'the base frame'}, standard deviations {off} mm"
    ahead, down = (", ".join(f"{part:+.2f}" for part in camera.rotation[:, axis]) for axis in (2, 1))
    turn = ", ".join(f"{np.degrees(value):.2f}" for value in camera.rotation_std_rad)
    yield f"it looks along ({ahead}), down in the picture is ({down}), standard deviations {turn} degrees"
    numbers = ", ".join(f"{value:.1f}" for value in lens.focal_and_centre_px)
    kept = "" if "lens" in fit.place else ", kept as given"
    yield f"lens: fx, fy, cx, cy {numbers} px, {lens.model} {np.round(lens.distortion, 3).tolist()}{kept}"
    if fit.arm_off:
        yield (
            f"noise: corners {fit.noise.corner_px:.2f} px, poses of the arm {1000 * fit.noise.arm_m:.2f} mm and "
            f"{np.degrees(fit.noise.arm()[0]):.2f} degrees"
        )
    for name, off_by in found.left_out.items():
        yield f"left out: {name} is off by {off_by}: wrong pose of the tcp, an arm that moved, or another board"
    for note in found.notes:
        yield f"better: {note}"


def _three(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = map(float, values)
    return x, y, z
