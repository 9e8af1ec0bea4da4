"""Judged by others: scenes and metrics of kinhec, a benchmark of hand-eye calibration, and its own solvers.

kinhec has poses where this package has corners: its targets are projected by its own camera, with its noise of pixels.
"""

import numpy as np
import pytest

from jepa_planner.calibration.adjustment import Sighting
from jepa_planner.calibration.board import Corners
from jepa_planner.calibration.calibrate import calibrate
from jepa_planner.calibration.lens import Lens

kinhec = pytest.importorskip("kinhec")
from kinhec import camera, metrics, se3, solvers  # noqa: E402

CAMERA, TARGET = camera.CAMERAS["vga"], camera.TARGETS["checker_7x5_20mm"]


def stations(seed: int, count: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """base_from_tcp and camera_from_target [N, 4, 4] of a fixed camera; tcp_from_target, base_from_camera [4, 4]."""
    rng = np.random.default_rng(seed)
    hung = kinhec.generator.sample_hand_eye(rng, eye_in_hand=False)
    base_from_camera = camera.look_at_pose(np.array([1.1, 0.4, 0.7]), np.array([0.5, 0, 0.3]), np.array([0.0, 0, 1]))
    seen = [
        se3.inverse(camera.sample_camera_pose_around_target(rng, (0.35, 0.6), 40.0, roll_range_deg=40.0))
        for _ in range(10 * count)
    ]
    seen = np.stack([pose for pose in seen if camera.visibility(CAMERA, TARGET, pose)[0]][:count])
    return base_from_camera @ seen @ se3.inverse(hung), seen, hung, base_from_camera


def ours(base_from_tcp: np.ndarray, seen: np.ndarray, noise_px: float, seed: int, known: bool):
    rng, found = np.random.default_rng(seed), []
    for number, (tcp, pose) in enumerate(zip(base_from_tcp, seen, strict=True)):
        pixels, _ = camera.project_points(CAMERA, pose, TARGET.points)
        pixels = pixels + rng.normal(0.0, noise_px, pixels.shape)
        found.append(Sighting(f"{number}", Corners(pixels, TARGET.points), tcp))
    given = Lens.given(CAMERA.width, CAMERA.height, "plumb_bob", (CAMERA.fx, CAMERA.fy, CAMERA.cx, CAMERA.cy), ())
    size = CAMERA.width, CAMERA.height
    unknowns = calibrate(found, size, "plumb_bob", 20.0, given if known else None).fit.unknowns
    return unknowns, found


def measured(found: list[Sighting]) -> np.ndarray:
    """What kinhec's own fit of poses makes of the same corners, [N, 4, 4]."""
    from jepa_planner.calibration.hand_eye import board_pose

    lens = Lens.given(CAMERA.width, CAMERA.height, "plumb_bob", (CAMERA.fx, CAMERA.fy, CAMERA.cx, CAMERA.cy), ())
    return np.stack([
        kinhec.pnp.refine_pose_lm(CAMERA, s.corners.points_m, s.corners.pixels, board_pose(lens, s.corners))[0]
        for s in found
    ])  # fmt: skip


@pytest.mark.parametrize("known", [True, False])
def test_without_noise_board_and_camera_are_those_of_kinhec(known):
    base_from_tcp, seen, hung, base_from_camera = stations(1)
    unknowns, _ = ours(base_from_tcp, seen, 0.0, 0, known)
    errors = metrics.calibration_errors(unknowns.carrier_from_board, hung, unknowns.base_from_camera, base_from_camera)
    assert max(errors["X_trans_err_mm"], errors["Y_trans_err_mm"]) < 0.1
    assert max(errors["X_rot_err_deg"], errors["Y_rot_err_deg"]) < 0.01


def test_with_noise_the_camera_is_nearer_than_by_its_solvers():
    errors = {"ours": [], "shah": [], "refined": []}
    for seed in (1, 2):
        base_from_tcp, seen, _, base_from_camera = stations(seed)
        unknowns, found = ours(base_from_tcp, seen, 0.5, seed, known=True)
        poses = measured(found)
        shah = solvers.shah(base_from_tcp, poses)
        refined = solvers.refine_lm_axyb(base_from_tcp, poses, *shah)
        for name, pose in (("ours", unknowns.base_from_camera), ("shah", shah[1]), ("refined", refined[1])):
            errors[name].append(se3.pose_error(pose, base_from_camera))
    ours_deg, ours_mm = np.mean(errors["ours"], axis=0)
    for name in ("shah", "refined"):
        degrees, millimetres = np.mean(errors[name], axis=0)
        assert ours_deg < degrees and ours_mm < millimetres, errors
