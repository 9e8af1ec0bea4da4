"""Samples without pictures: corners where a camera that is known would see them, and how far a result is off."""

from dataclasses import replace

import numpy as np
from drawn_boards import BOARD, Scene, TrueCamera, places, pose
from scipy.spatial.transform import Rotation

from jepa_planner.calibration.adjustment import Sighting
from jepa_planner.calibration.board import Corners
from jepa_planner.calibration.calibrate import Calibrated
from jepa_planner.calibration.calibrate import calibrate as calibrate_sightings
from jepa_planner.calibration.lens import Lens

STRONG = (-0.2, 0.08, 0.001, -0.001, 0.0)


def corners(camera: TrueCamera, base_from_board: np.ndarray, noise_px: float = 0.0, rng=None) -> Corners:
    points = places()
    pixels = camera.project(points @ base_from_board[:3, :3].T + base_from_board[:3, 3])
    return Corners(pixels + (rng.normal(0.0, noise_px, pixels.shape) if noise_px else 0.0), points)


def seen(scene: Scene, noise_px: float = 0.0, seed: int = 0, arm_m: float = 0.0) -> list[Sighting]:
    """A sample for each pose, named 000 and so on; arm_m: how wrong each pose is that the arm says."""
    rng, found = np.random.default_rng(seed), []
    for number, base_from_tcp in enumerate(scene.base_from_tcp):
        said = base_from_tcp
        if arm_m:
            turn = Rotation.from_rotvec(rng.normal(0.0, 2.0 * arm_m, 3)).as_matrix()
            said = base_from_tcp @ pose(rng.normal(0.0, arm_m, 3), turn)
        at = corners(scene.camera, base_from_tcp @ scene.tcp_from_board, noise_px, rng)
        found.append(Sighting(f"{number:03d}", at, said))
    return found


def calibrate(sightings: list[Sighting], model: str = "plumb_bob", square_mm: float = 30.0, **other) -> Calibrated:
    return calibrate_sightings(sightings, (640, 480), model, square_mm, **other)


def true_lens(camera: TrueCamera) -> Lens:
    model = "equidistant" if camera.fisheye else "plumb_bob"
    size = camera.width_px, camera.height_px
    return Lens.given(*size, model, (*camera.focal_px, *camera.centre_px), camera.distortion)


def off(found: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """By how many millimetres and degrees a pose is off."""
    turn = Rotation.from_matrix(true[:3, :3].T @ found[:3, :3]).magnitude()
    return 1000.0 * float(np.linalg.norm(found[:3, 3] - true[:3, 3])), float(np.degrees(turn))


def camera_off(found: Calibrated, scene: Scene) -> tuple[float, float]:
    return off(found.fit.unknowns.base_from_camera, scene.camera.base_from_camera)


def of_size(sightings: list[Sighting], square_mm: float) -> list[Sighting]:
    """What somebody has who says another size of the board's squares than they have."""
    share = square_mm / BOARD.square_mm
    return [replace(s, corners=Corners(s.corners.pixels, s.corners.points_m * share)) for s in sightings]
