"""Cameras that were pushed: judged by how far they were."""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from drawn_boards import BOARD, TrueCamera, looking, pose, scene
from scipy.spatial.transform import Rotation
from seen_corners import seen

from jepa_planner.calibration.moved import CheckError, by_board, by_picture
from jepa_planner.calibration.transforms import quaternion_xyzw, xyz_m
from jepa_planner.core.camera_calibration import CameraCalibration, Placed

STRICT = 3.0, 0.005, np.radians(0.5)


def kept(camera: TrueCamera, tcp_from_board: np.ndarray | None = None, **other) -> CameraCalibration:
    hung = None if tcp_from_board is None else Placed("tcp", xyz_m(tcp_from_board), quaternion_xyzw(tcp_from_board))
    return CameraCalibration(
        view="front", frame="base", width_px=camera.width_px, height_px=camera.height_px,
        camera_matrix=tuple(map(tuple, camera.matrix.tolist())), distortion=camera.distortion,
        xyz_m=xyz_m(camera.base_from_camera), quaternion_xyzw=quaternion_xyzw(camera.base_from_camera),
        board=BOARD, board_pose=hung, **other,
    )  # fmt: skip


def pushed(camera: TrueCamera, shift_m=(0.0, 0.0, 0.0), turn_deg=0.0, about=(0.0, 1.0, 0.0)) -> TrueCamera:
    turn = Rotation.from_rotvec(np.radians(turn_deg) * np.array(about)).as_matrix()
    moved = camera.base_from_camera @ pose([0, 0, 0], turn)
    moved[:3, 3] += shift_m
    return replace(camera, base_from_camera=moved)


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize(
    ("shift_m", "turn_deg"), [((0.0, 0.0, 0.0), 0.0), ((0.02, -0.01, 0.005), 0.0), ((0.0, 0.0, 0.0), 1.5)]
)
def test_a_board_tells_by_how_much_a_camera_was_pushed(count, shift_m, turn_deg):
    s = scene(4, 2)
    now = seen(s.moved(pushed(s.camera, shift_m, turn_deg).base_from_camera), 0.05)[:count]
    movement = by_board(kept(s.camera, s.tcp_from_board), now)
    assert movement.shift_m == pytest.approx(np.array(shift_m), abs=0.003 / count)
    assert np.degrees(movement.turn_rad) == pytest.approx(turn_deg, abs=0.2)
    assert movement.exceeds(*STRICT, by_pixels=False) == (any(shift_m) or turn_deg > 0)
    assert 0.0 < movement.std_m < 0.005


def test_a_calibration_without_a_board_is_no_measure():
    s = scene(3, 2)
    with pytest.raises(CheckError, match="keeps no board"):
        by_board(kept(s.camera), seen(s))


@cache
def table() -> np.ndarray:
    """Something to look at, a metre wide, two dots to a millimetre."""
    rng, cloth = np.random.default_rng(3), np.full((2400, 2400, 3), 150, np.uint8)
    for _ in range(500):
        middle, colour = rng.integers(0, 2400, 2).tolist(), rng.integers(0, 255, 3).tolist()
        cv2.rectangle(cloth, middle, (np.array(middle) + rng.integers(10, 120, 2)).tolist(), colour, -1)
    return cv2.GaussianBlur(cloth, (0, 0), 2.0)


CAMERA = TrueCamera(looking((0.5, 0.0, 0.0), (1.1, 0.2, 0.8)))


def view(camera: TrueCamera, noise_seed: int = 0) -> np.ndarray:
    """The table, 1.2 m wide around (0.5, 0), at the height 0."""
    back = np.linalg.inv(camera.base_from_camera)
    dots_to_base = np.array([[0.0005, 0.0, -0.1], [0.0, 0.0005, -0.6], [0.0, 0.0, 1.0]])
    to_pixels = camera.matrix @ np.column_stack([back[:3, :2], back[:3, 3]]) @ dots_to_base
    size = 2 * camera.width_px, 2 * camera.height_px
    twice = np.array([[2.0, 0.0, 0.5], [0.0, 2.0, 0.5], [0.0, 0.0, 1.0]])
    seen = cv2.warpPerspective(table(), twice @ to_pixels, size, borderValue=(90, 90, 90))
    seen = cv2.resize(seen, (camera.width_px, camera.height_px), interpolation=cv2.INTER_AREA).astype(float)
    return np.clip(seen + np.random.default_rng(noise_seed).normal(0, 2.0, seen.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("shift_m", "turn_deg"), [((0.0, 0.0, 0.0), 0.0), ((0.03, 0.02, 0.0), 0.0),
                                                   ((0.0, 0.0, 0.0), 2.0)])  # fmt: skip
def test_a_picture_tells_pixels_and_with_the_table_an_estimate(shift_m, turn_deg):
    movement = by_picture(kept(CAMERA, table_z_m=0.0), view(CAMERA), view(pushed(CAMERA, shift_m, turn_deg), 1))
    assert movement.exceeds(*STRICT, by_pixels=True) == (any(shift_m) or turn_deg > 0)
    assert movement.shift_m == pytest.approx(np.array(shift_m), abs=0.006)
    assert np.degrees(movement.turn_rad) == pytest.approx(turn_deg, abs=0.5)
    if not any(shift_m):
        assert movement.shift_px == pytest.approx(620 * np.radians(turn_deg), abs=4.0)


def test_things_that_moved_on_the_table_and_dimmer_light_are_no_camera_that_moved():
    now = (0.6 * view(CAMERA, 1)).astype(np.uint8)
    now[200:330, 150:330] = now[60:190, 380:560]
    movement = by_picture(kept(CAMERA, table_z_m=0.0), view(CAMERA), now)
    assert movement.shift_px < 0.5 and np.linalg.norm(movement.shift_m) < 0.003


def test_without_a_table_there_is_no_estimate():
    movement = by_picture(kept(CAMERA), view(CAMERA), view(CAMERA, 1))
    assert movement.shift_m is None and movement.shift_px < 0.3


def test_a_turned_picture_is_told_and_a_mirrored_one_or_another_scene_refused():
    before = view(CAMERA)
    assert abs(by_picture(kept(CAMERA), before, before[::-1, ::-1].copy()).roll_deg) == pytest.approx(180.0, abs=1.0)
    with pytest.raises(CheckError, match="the picture is mirrored"):
        by_picture(kept(CAMERA), before, before[:, ::-1].copy())
    with pytest.raises(CheckError, match="another camera, another scene, or much darker"):
        by_picture(kept(CAMERA), before, np.random.default_rng(0).integers(0, 255, before.shape, dtype=np.uint8))
    with pytest.raises(ValueError, match="view front is 640 x 360 px, but was calibrated with 640 x 480"):
        by_picture(kept(CAMERA), before, before[:360])
