"""Samples over ROS 2: an arm that goes from place to place and a camera that sees it, in this process; the command line
in another.
"""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from drawn_boards import scene
from jepa_planner.msg import ArmState
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from seen_corners import off
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from jepa_planner.calibration.transforms import from_quaternion
from jepa_planner.core.camera_calibration import load_cameras
from jepa_planner.nodes import qos
from jepa_planner.nodes.camera_listener import CameraListener, ListenerError
from jepa_planner.nodes.conversions import array_to_image, array_to_png, pose
from jepa_planner.nodes.planner_node import wait_until

COUNT = 4


class Robot:
    """Publishes what a camera and arm_node would: `show` for as long as it is asked."""

    def __init__(self, name: str) -> None:
        self.node = Node(f"robot_of_{name}", namespace=name)
        self._images = self.node.create_publisher(Image, "front/image_raw", qos.STREAM)
        self._packed = self.node.create_publisher(CompressedImage, "front/image_raw/compressed", qos.STREAM)
        self._infos = self.node.create_publisher(CameraInfo, "front/camera_info", qos.STREAM)
        self._states = self.node.create_publisher(ArmState, "arm_state", qos.STATE)

    def show(self, picture: np.ndarray, tcp: np.ndarray, matrix: np.ndarray) -> None:
        stamp = self.node.get_clock().now().to_msg()
        state = ArmState(pose=pose(tcp[:3, 3], tcp[:3, :3]))
        state.header.stamp, state.header.frame_id = stamp, "base_link"
        height, width, _ = picture.shape
        info = CameraInfo(width=width, height=height, k=matrix.ravel().tolist(), d=[0.0] * 5)
        info.distortion_model = "plumb_bob"
        self._infos.publish(info)
        self._images.publish(array_to_image(picture, stamp))
        if self._packed.get_subscription_count():
            self._packed.publish(array_to_png(picture, stamp))
        self._states.publish(state)


@pytest.fixture
def robot(ros, request):
    robot = Robot(f"arm_{abs(hash(request.node.name)) % 10_000}")
    yield robot
    robot.node.destroy_node()


@pytest.mark.parametrize("transport", ["raw", "compressed"])
def test_a_picture_comes_with_the_pose_at_which_the_arm_rested(robot, transport):
    picture = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    tcp = np.eye(4)
    with CameraListener("front/image_raw", robot.node.get_namespace(), transport) as listener:
        end_s, seen = time.monotonic() + 10.0, None
        while time.monotonic() < end_s and (seen is None or seen.base_from_tcp is None):
            robot.show(picture, tcp, np.eye(3) * 500)
            time.sleep(0.05)
            if listener._image is not None:
                seen = listener.newest()
        assert seen is not None and np.array_equal(seen.picture, picture)
        assert seen.base_from_tcp == pytest.approx(tcp) and listener.base_frame == "base_link"
        assert listener.camera_info() is not None


def test_a_camera_that_offers_it_is_heard_reliably(robot):
    with CameraListener("front/image_raw", robot.node.get_namespace()):

        def heard() -> set[ReliabilityPolicy]:
            found = robot.node.get_subscriptions_info_by_topic(f"{robot.node.get_namespace()}/front/image_raw")
            return {one.qos_profile.reliability for one in found}

        assert wait_until(lambda: heard() == {ReliabilityPolicy.RELIABLE}, 10.0)


def test_a_camera_that_sends_nothing_is_named(ros):
    with (
        CameraListener("front/image_raw", "nobody") as listener,
        pytest.raises(ListenerError, match=r"nothing came on /nobody/front/image_raw within 0 s: check the camera"),
    ):
        listener.wait(0.2)


def test_a_camera_is_calibrated_while_the_arm_goes_from_place_to_place(robot, tmp_path):
    s = scene(COUNT, 1)
    pictures = s.pictures()
    namespace = robot.node.get_namespace()
    command = [
        "-m", "jepa_planner.cli.main", "camera", "calibrate", str(tmp_path / "samples"), "--live", "--view", "front",
        "--cameras", str(tmp_path / "cameras.yaml"), "--count", str(COUNT), "--namespace", namespace,
        "--keep-intrinsics",
    ]  # fmt: skip
    log = Path(tmp_path / "log.txt")
    with log.open("w") as out:
        process = subprocess.Popen([sys.executable, *command], stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        try:
            end_s, samples = time.monotonic() + 120.0, tmp_path / "samples"
            while process.poll() is None and time.monotonic() < end_s:
                number = min(len(list(samples.glob("0*.png"))), COUNT - 1)  # on to the next place once one is taken
                robot.show(pictures[number], s.base_from_tcp[number], s.camera.matrix)
                time.sleep(0.05)
        finally:
            process.terminate()
            process.wait(20)
    assert process.returncode == 0, log.read_text()
    camera = load_cameras(tmp_path)["front"]
    millimetres, degrees = off(from_quaternion(camera.xyz_m, camera.quaternion_xyzw), s.camera.base_from_camera)
    assert millimetres < 1.0 and degrees < 0.1 and camera.frame == "base_link"
