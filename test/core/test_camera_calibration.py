import math
from dataclasses import replace

import numpy as np
import pytest
import yaml

from jepa_planner.core.camera_calibration import (
    CAMERAS_FILE,
    Board,
    CalibrationError,
    CameraCalibration,
    Placed,
    load,
    load_cameras,
    save,
)

BOARD = Board(7, 5, 30.0, 22.0, "DICT_4X4_50")
DOWN = (1.0, 0.0, 0.0, 0.0)
"""Turned by half a turn about x: looks along -z of the base, x to the right."""


def camera(view: str = "front", **other) -> CameraCalibration:
    given = {
        "view": view, "frame": "base_link", "width_px": 640, "height_px": 480,
        "camera_matrix": ((600.0, 0.0, 319.5), (0.0, 601.0, 239.5), (0.0, 0.0, 1.0)),
        "xyz_m": (0.5, 0.1, 0.8), "quaternion_xyzw": DOWN, "distortion": (0.1, -0.2, 0.0, 1e-5, 0.0),
    }  # fmt: skip
    return CameraCalibration(**given | other)


def found() -> CameraCalibration:
    """With all that a calibration says."""
    return camera(
        reprojection_error_px=0.21, xyz_std_m=(1e-4, 2e-4, 3e-4), rotation_std_rad=(1e-3,) * 3, samples=12, board=BOARD,
        board_pose=Placed("tcp", (0.0, 0.0, 0.05), DOWN), reference_picture="front.png", table_z_m=0.0,
    )  # fmt: skip


def test_what_is_saved_is_loaded_again(tmp_path):
    save(tmp_path / "deep" / CAMERAS_FILE, found(), camera("side", samples=3))
    assert load_cameras(tmp_path / "deep") == {"front": found(), "side": camera("side", samples=3)}
    assert [file.name for file in (tmp_path / "deep").iterdir()] == [CAMERAS_FILE]


def test_a_bundle_without_cameras_has_none(tmp_path):
    assert load_cameras(tmp_path) == {}


def test_saving_one_view_keeps_the_others_and_comments(tmp_path):
    file = tmp_path / CAMERAS_FILE
    save(file, found(), camera("side"))
    file.write_text(f"# measured on Monday\n{file.read_text()}")
    save(file, camera("front", xyz_m=(0.6, 0.1, 0.8)))
    assert load(file) == {"front": camera("front", xyz_m=(0.6, 0.1, 0.8)), "side": camera("side")}
    assert file.read_text().startswith("# measured on Monday")


def test_what_a_new_calibration_does_not_know_is_not_kept_from_the_one_before(tmp_path):
    save(tmp_path / CAMERAS_FILE, found())
    save(tmp_path / CAMERAS_FILE, camera())
    assert load_cameras(tmp_path)["front"].reference_picture is None


def test_the_rotation_leads_from_the_optical_frame_to_the_base():
    assert np.allclose(camera().rotation @ [0, 0, 1], [0, 0, -1]) and np.allclose(
        camera().rotation @ [1, 0, 0], [1, 0, 0]
    )


def test_pictures_made_smaller_are_seen_by_the_same_camera():
    half = camera().at_size(320, 240)
    (fx, _, cx), (_, fy, cy), _ = half.camera_matrix
    assert (fx, fy, cx, cy) == pytest.approx((300.0, 300.5, 159.5, 119.5))
    with pytest.raises(ValueError, match=r"view front is 640 x 360 px, but was calibrated with 640 x 480"):
        camera().at_size(640, 360)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"quaternion_xyzw": (1.0, 1.0, 0.0, 0.0)}, "quaternion_xyzw .* length 1.41421; expected length 1"),
        ({"xyz_m": (math.nan, 0.0, 0.0)}, "xyz_m is .*expected finite"),
        ({"distortion": (0.1, 0.2, 0.3)}, "distortion has 3 numbers; plumb_bob takes 0 or 4 or 5"),
        ({"distortion_model": "rational_polynomial"}, "distortion has 5 numbers; rational_polynomial takes 8"),
        ({"camera_matrix": ((-1.0, 0.0, 1.0), (0.0, 1.0, 1.0), (0.0, 0.0, 1.0))}, "camera_matrix is .*expected .*fx"),
        ({"width_px": 0}, "width_px is 0; it must be in"),
        ({"reprojection_error_px": -1.0}, "reprojection_error_px is -1.0; it must be at least 0"),
        ({"frame": ""}, "frame ''; expected names"),
    ],
)  # fmt: skip
def test_a_camera_that_cannot_be_is_refused_by_field(change, says):
    with pytest.raises(ValueError, match=says):
        replace(camera(), **change)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"xyz": [0, 0, 0]}, "front: unknown field xyz; known are"),
        ({"xyz_m": [0.0, 0.0]}, r"front.xyz_m: expected 3 entries, got 2"),
        ({"xyz_m": [0.0, 0.0, "1 m"]}, r"front.xyz_m\[2\]: expected float, got '1 m'"),
        ({"view": "front"}, "front: unknown field view: it is the name above"),
        ({"distortion_model": "fisheye"}, "front.distortion_model: expected one of 'plumb_bob'"),
        ({"board": {"columns": 7}}, "front.board: missing field rows"),
        ({"board": {"columns": 7, "rows": 5, "square_mm": 20, "marker_mm": 22, "dictionary": "D"}}, "marker_mm is 22"),
        ({"board_pose": {"carrier": "hand", "xyz_m": [0, 0, 0], "quaternion_xyzw": [1, 0, 0, 0]}}, "carrier: expected"),
        ({"quaternion_xyzw": [0, 0, 0, 0]}, "quaternion_xyzw is .* length 0"),
    ],
)  # fmt: skip
def test_a_file_is_refused_by_name_and_field(change, says, tmp_path):
    file = tmp_path / CAMERAS_FILE
    save(file, camera())
    plain = yaml.safe_load(file.read_text())
    plain["front"] |= change
    file.write_text(yaml.safe_dump(plain))
    with pytest.raises(CalibrationError, match=says) as refusal:
        load(file)
    assert str(file) in str(refusal.value)
    with pytest.raises(CalibrationError):
        load_cameras(tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [("[1, 2]", "a mapping from views"), ("front: 3", "front: expected a mapping"), ("front: {", "while parsing"),
     ("front: {}\nfront: {}", "front stands twice"), ("1: {}", "a mapping from views"), (" " * 1_000_001, "bytes")],
)  # fmt: skip
def test_what_is_no_file_of_cameras_is_refused_and_not_written_over(text, says, tmp_path):
    file = tmp_path / CAMERAS_FILE
    file.write_text(text)
    with pytest.raises(CalibrationError, match=says):
        load(file)
    if text != "front: 3":
        with pytest.raises(CalibrationError, match=says):
            save(file, camera("side"))
        assert file.read_text() == text
