"""Poses of tcp and cameras, as PoseStamped and on /tf; the latter only where tf2_msgs is there (here a stand-in)."""

import sys
from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped, TransformStamped
from harness import KINEMATICS, Rig
from rclpy.impl.rcutils_logger import RcutilsLogger

from jepa_planner.core.camera_calibration import CameraCalibration, save
from jepa_planner.nodes import qos
from jepa_planner.nodes.conversions import numbers, rotation_from, seconds
from jepa_planner.nodes.mpc_node import MpcNode

tf2_msgs = pytest.importorskip("tf2_msgs.msg")


def heard(rig: Rig, topic: str = "/tf", quality=qos.TRANSFORMS) -> dict[str, TransformStamped]:
    """The last transform of each child frame."""
    found: dict[str, TransformStamped] = {}

    def take(message) -> None:
        found.update({told.child_frame_id: told for told in message.transforms})

    rig.robot.create_subscription(tf2_msgs.TFMessage, topic, take, quality)
    return found


def test_the_tcp_as_it_is_and_as_it_was_told_to_be_stand_on_tf_and_as_poses(rig):
    frames, poses = heard(rig), []
    rig.arm()
    rig.robot.create_subscription(PoseStamped, "arm_node/tcp_target", poses.append, qos.STATE)
    here = rig.namespace.lstrip("/")
    rig.until(lambda: rig.holding() and set(frames) == {f"{here}/jepa_tcp", f"{here}/jepa_tcp_target"})
    before = numbers(rig.state().commanded_pose.position)
    rig.send_plan(1, by_m=(0.0, 0.0, 0.03))
    target = lambda: frames[f"{here}/jepa_tcp_target"].transform  # noqa: E731
    rig.until(lambda: abs(target().translation.z - before[2] - 0.03) < 1e-3)
    measured = frames[f"{here}/jepa_tcp"]
    rig.until(lambda: abs(frames[f"{here}/jepa_tcp"].transform.translation.z - target().translation.z) < 2e-3)
    assert measured.header.frame_id == "panda_link0"
    xyz, rotation = KINEMATICS.tcp_pose(rig.robot.q_rad)
    np.testing.assert_allclose(numbers(target().translation), xyz, atol=2e-3)
    np.testing.assert_allclose(rotation_from(target().rotation), rotation, atol=0.02)
    np.testing.assert_allclose(numbers(poses[-1].pose.position), xyz, atol=2e-3)
    assert poses[-1].header.frame_id == "panda_link0" and seconds(poses[-1].header.stamp) > 0


def test_each_stamp_is_told_once_and_nothing_of_an_arm_that_is_not_there(rig):
    stamps = []
    rig.robot.create_subscription(
        tf2_msgs.TFMessage, "/tf", lambda told: stamps.append(seconds(told.transforms[0].header.stamp)), qos.TRANSFORMS
    )
    rig.robot.joint_states_on = False
    rig.arm()
    rig.until(lambda: bool(rig.robot.arm_states))
    assert stamps == []
    rig.robot.joint_states_on = True
    rig.until(lambda: len(stamps) > 5)
    rig.robot.joint_states_on = False
    assert stamps == sorted(set(stamps))


def test_tf_is_left_alone_where_it_is_not_wanted(rig):
    arm = rig.arm(publish_tf=False)
    mpc = MpcNode(**rig.options(model=rig.bundle, publish_tf=False))
    rig.run(mpc)
    for node in (arm, mpc):
        assert not [topic for topic in published(node) if topic.startswith("/tf")]


def test_without_tf2_the_log_says_so_once_and_everything_else_works(rig, monkeypatch):
    said = []
    monkeypatch.setitem(sys.modules, "tf2_msgs.msg", None)
    monkeypatch.setattr(
        RcutilsLogger, "info", lambda self, text, **how: said.append(how) if "tf2_msgs" in text else None
    )
    arm = rig.arm()
    rig.until(rig.holding)
    assert said == [{"once": True}]
    assert not [topic for topic in published(arm) if topic.startswith("/tf")]


def published(node) -> list[str]:
    found = node.get_publisher_names_and_types_by_node(node.get_name(), node.get_namespace())
    return [topic for topic, _ in found]


TURNED = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""A camera that looks along x of the base, level."""


def calibrated(folder: Path, **changes: object) -> None:
    camera = {
        "view": "front", "frame": "panda_link0", "width_px": 64, "height_px": 64,
        "camera_matrix": ((60.0, 0.0, 31.5), (0.0, 60.0, 31.5), (0.0, 0.0, 1.0)),
        "xyz_m": (-0.5, 0.1, 0.4), "quaternion_xyzw": (-0.5, 0.5, -0.5, 0.5),
    }  # fmt: skip
    save(folder / "cameras.yaml", CameraCalibration(**{**camera, **changes}))


@pytest.fixture
def with_cameras(rig, tmp_path) -> Path:
    """The rig's bundle, in a folder of its own."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    for file in Path(rig.bundle).iterdir():
        (folder / file.name).symlink_to(file)
    rig.bundle = str(folder)
    return folder


def test_cameras_that_were_calibrated_stand_where_they_were_found(rig, with_cameras):
    calibrated(with_cameras)
    calibrated(with_cameras, view="of_another_model")
    frames, poses = heard(rig, "/tf_static", qos.LATCHED), []
    rig.run(MpcNode(**rig.options(model=rig.bundle)))
    rig.robot.create_subscription(PoseStamped, "mpc_node/front/pose", poses.append, qos.LATCHED)
    rig.until(lambda: frames and poses)
    ((child, told),) = frames.items()
    assert (told.header.frame_id, child) == ("panda_link0", f"{rig.namespace.lstrip('/')}/jepa_front_optical_frame")
    np.testing.assert_allclose(numbers(told.transform.translation), (-0.5, 0.1, 0.4))
    np.testing.assert_allclose(rotation_from(told.transform.rotation), TURNED, atol=1e-9)
    np.testing.assert_allclose(rotation_from(poses[0].pose.orientation), TURNED, atol=1e-9)
    assert poses[0].header.frame_id == "panda_link0"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [({"frame": "table"}, "'table' given; this model was trained in 'panda_link0'"), (None, r"cameras\.yaml: front")],
)
def test_calibrations_that_do_not_fit_stop_the_planner_by_name(rig, with_cameras, changes, complaint):
    if changes is None:
        (with_cameras / "cameras.yaml").write_text("front: 3")
    else:
        calibrated(with_cameras, **changes)
    with pytest.raises(RuntimeError, match=complaint):
        rig.run(MpcNode(**rig.options(model=rig.bundle)))
