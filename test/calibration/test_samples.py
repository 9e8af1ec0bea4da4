"""Lists of samples as users write them."""

import numpy as np
import pytest
import yaml
from drawn_boards import BOARD
from PIL import Image

from jepa_planner.calibration.board import BoardFinder
from jepa_planner.calibration.board_page import draw_page
from jepa_planner.calibration.camera_info import lens_of, read_camera_info
from jepa_planner.calibration.samples import (
    Sample,
    Samples,
    SamplesError,
    carrier_pose,
    find_sightings,
    read_samples,
    write_samples,
)
from jepa_planner.control.limits import SafetyLimits

QUATERNION = (0.0, 0.0, 0.0, 1.0)
JOINTS = dict(zip((f"panda_joint{n}" for n in range(1, 8)), (0.0, -0.5, 0.0, -2.0, 0.0, 1.5, 0.7), strict=True))


def test_what_is_written_is_read_again(tmp_path):
    samples = Samples("base", (Sample("a.png", (0.4, 0.0, 0.3), QUATERNION), Sample("b.png", carrier="base")))
    write_samples(tmp_path, samples)
    assert read_samples(tmp_path) == samples


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"samples": [{"picture": "a.png", "xyz": [0, 0, 0]}]}, r"samples\[0\]: unknown field xyz"),
        ({"samples": [{"xyz_m": [0, 0, 0]}]}, r"samples\[0\]: missing field picture"),
        (
            {"samples": [{"picture": "a.png", "carrier": "hand"}]},
            r"samples\[0\].carrier: expected one of 'tcp', 'base'",
        ),
        ({"touched_m": [[0, 0, 0]]}, "touched_m: expected 3 entries, got 1"),
        ({"sample": []}, "unknown field sample"),
    ],
)
def test_a_bad_list_is_refused_by_field(change, says, tmp_path):
    (tmp_path / "samples.yaml").write_text(yaml.safe_dump({"frame": "base", "samples": []} | change))
    with pytest.raises(SamplesError, match=says):
        read_samples(tmp_path)


def test_tables_hold_quaternions_angles_or_joints(tmp_path):
    def read(text: str) -> Sample:
        (tmp_path / "samples.csv").write_text(text)
        return read_samples(tmp_path).samples[0]

    by_quaternion = read("picture,x_m,y_m,z_m,qx,qy,qz,qw\na.png,0.4,0,0.3,0,0,1,0\n")
    by_angles = read(f"picture,x_m,y_m,z_m,roll_rad,pitch_rad,yaw_rad\na.png,0.4,0,0.3,0,0,{np.pi}\n")
    assert carrier_pose(by_quaternion, None) == pytest.approx(carrier_pose(by_angles, None))
    names = ",".join(JOINTS)
    by_joints = read(f"{names},picture\n{','.join(map(str, JOINTS.values()))},a.png\n")
    arm = SafetyLimits.panda().kinematics()
    assert carrier_pose(by_joints, arm)[:3, 3] == pytest.approx(arm.tcp_pose(np.array(list(JOINTS.values())))[0])
    assert read("picture,x_m,y_m,z_m\nhand.png,,,\n") == Sample("hand.png")


@pytest.mark.parametrize(
    ("text", "says"),
    [("x_m,y_m\n1,2\n", "line 2: no column 'picture'"), ("picture,x_m,y_m,z_m\na.png,1,2,3\n", "no column 'roll_rad'"),
     ("picture,x_m\na.png,one\n", "could not convert")],
)  # fmt: skip
def test_a_bad_table_is_refused_by_line(text, says, tmp_path):
    (tmp_path / "samples.csv").write_text(text)
    with pytest.raises(SamplesError, match=says):
        read_samples(tmp_path)


@pytest.mark.parametrize(
    ("sample", "says"),
    [
        (Sample("a.png", (400.0, 0.0, 300.0), QUATERNION), "a.png: x 400 m, expected at most 3 m.*millimetres"),
        (Sample("a.png", (0.4, 0.0, 0.3), (1.0, 1.0, 0.0, 0.0)), "a.png: quaternion_xyzw is .*expected length 1"),
        (Sample("a.png", (0.4, 0.0, 0.3)), "a.png: expected xyz_m and quaternion_xyzw, or joints_rad"),
        (Sample("a.png", joints_rad={"j1": 0.0}), "a.png: joints_rad needs the arm: give --limits-file"),
    ],
)
def test_a_pose_that_cannot_be_is_refused_by_picture(sample, says):
    with pytest.raises(SamplesError, match=says):
        carrier_pose(sample, None)


def test_joints_of_another_arm_are_refused_by_name():
    with pytest.raises(SamplesError, match=r"joints_rad names j1; expected panda_joint1, panda_joint2"):
        carrier_pose(Sample("a.png", joints_rad={"j1": 0.0}), SafetyLimits.panda().kinematics())


def test_pictures_without_a_list_are_of_a_board_that_lies_still_or_refused(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    assert read_samples(tmp_path, touched=True).samples == (Sample("a.png", carrier="base"),)
    with pytest.raises(SamplesError, match=r"expected pictures and a samples.yaml or samples.csv"):
        read_samples(tmp_path)


def test_pictures_of_several_sizes_are_refused_and_those_without_a_board_passed_over(tmp_path):
    page, _ = draw_page(BOARD, "a4", 60)
    Image.fromarray(page).save(tmp_path / "a.png")
    Image.new("RGB", page.shape[::-1]).save(tmp_path / "b.png")
    samples = Samples("", (Sample("a.png"), Sample("b.png")))
    found, size_px, passed_over = find_sightings(tmp_path, samples, BoardFinder(BOARD))
    assert [sighting.name for sighting in found] == ["a.png"] and size_px == page.shape[::-1]
    assert len(passed_over) == 1 and "b.png: 0 corners" in passed_over[0]
    Image.fromarray(page.T).save(tmp_path / "b.png")
    with pytest.raises(SamplesError, match=r"of several sizes: a.png 703 x .*b.png .*none turned"):
        find_sightings(tmp_path, samples, BoardFinder(BOARD))


OST = {
    "image_width": 640, "image_height": 480, "distortion_model": "plumb_bob",
    "camera_matrix": {"rows": 3, "cols": 3, "data": [600, 0, 320, 0, 601, 240, 0, 0, 1]},
    "distortion_coefficients": {"rows": 1, "cols": 5, "data": [0.1, -0.2, 0, 0, 0]},
}  # fmt: skip


def test_files_of_camera_calibration_are_read(tmp_path):
    (tmp_path / "ost.yaml").write_text(yaml.safe_dump(OST))
    lens = read_camera_info(tmp_path / "ost.yaml").lens()
    assert lens.focal_and_centre_px == pytest.approx([600, 601, 320, 240])
    assert lens.distortion == pytest.approx([0.1, -0.2, 0, 0, 0])
    assert lens_of(640, 480, OST["camera_matrix"]["data"], [0.0] * 4, "fisheye").distortion_model == "equidistant"


@pytest.mark.parametrize(
    ("change", "says"),
    [({"camera_matrix": {"data": [0] * 9}}, "the camera was never calibrated"),
     ({"distortion_model": "omni"}, "distortion_model is 'omni', expected one of plumb_bob"),
     ({"image_width": "wide"}, "invalid literal"), ({"camera_matrix": 3}, "not subscriptable")],
)  # fmt: skip
def test_a_bad_camera_info_is_refused_by_field(change, says, tmp_path):
    (tmp_path / "ost.yaml").write_text(yaml.safe_dump(OST | change))
    with pytest.raises(SamplesError, match=says):
        read_camera_info(tmp_path / "ost.yaml")
