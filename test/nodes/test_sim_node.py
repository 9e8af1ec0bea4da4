import numpy as np
import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from harness import TIMEOUT_S
from jepa_planner.msg import GoalImages
from jepa_planner.srv import SetUpTask, TaskStatus
from rclpy.parameter import Parameter
from rclpy.qos import ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from jepa_planner.nodes import qos
from jepa_planner.nodes.client import PlannerClient, PlannerError
from jepa_planner.nodes.conversions import (
    duration_message,
    image_to_array,
    numbers,
    rotation_from,
    seconds,
    time_message,
)
from jepa_planner.nodes.planner_node import wait_until
from jepa_planner.nodes.running import NodeThread
from jepa_planner_sim.cameras import STANDARD_CAMERAS
from jepa_planner_sim.sim_node import SimNode


class SimRig:
    """A running simulator and a node that listens to it."""

    def __init__(self, namespace: str = "sim_test", **parameters: object) -> None:
        overrides = [Parameter(name, value=value) for name, value in {"task": "reach", **parameters}.items()]
        self.sim = SimNode(parameter_overrides=overrides, namespace=f"/{namespace}")
        self.client = PlannerClient(namespace)
        self.heard: dict[str, list] = {}
        self.thread = NodeThread(self.sim, lambda: None)

    def listen(self, kind: type, topic: str, profile=qos.SENSOR) -> list:
        messages = self.heard.setdefault(topic, [])
        self.client.node.create_subscription(kind, topic, messages.append, profile)
        return messages

    def until(self, condition) -> None:
        assert wait_until(condition, TIMEOUT_S)

    def call(self, kind: type, name: str, request):
        client = self.client.node.create_client(kind, f"sim_node/{name}")
        self.until(client.service_is_ready)
        answer = client.call_async(request)
        self.until(answer.done)
        return answer.result()

    def close(self) -> None:
        self.client.close()
        self.thread.stop()


@pytest.fixture(scope="module")
def rig(ros):
    rig = SimRig(speed=2.0)
    yield rig
    rig.close()


def test_cameras_arm_and_clock_are_published_with_the_same_time(rig):
    clock = rig.listen(Clock, "/clock")
    joints = rig.listen(JointState, "joint_states")
    fronts, sides = rig.listen(Image, "front/image_raw"), rig.listen(Image, "side/image_raw")
    infos = rig.listen(CameraInfo, "front/camera_info")
    rig.until(lambda: all(len(messages) > 2 for messages in (clock, joints, fronts, sides, infos)))
    assert {seconds(image.header.stamp) for image in fronts} & {seconds(image.header.stamp) for image in sides}
    assert abs(seconds(joints[-1].header.stamp) - seconds(clock[-1].clock)) < 0.5
    assert image_to_array(fronts[-1]).std() > 10
    assert infos[-1].k[0] > 0 and infos[-1].width == fronts[-1].width
    assert len(joints[-1].name) == len(joints[-1].position) == 9


def test_a_picture_is_taken_when_it_is_wanted_and_not_only_when_it_is_due(ros):
    rig = SimRig("triggered_sim", image_rate_hz=1.0, speed=0.5)
    try:
        fronts, joints = rig.listen(Image, "front/image_raw"), rig.listen(JointState, "joint_states")
        wanted = rig.client.node.create_publisher(Time, "picture_wanted", qos.COMMAND)
        rig.until(lambda: joints and wanted.get_subscription_count())
        rig.until(lambda: fronts)  # the next one is due in a second
        due_s = seconds(fronts[-1].header.stamp) + 1.0
        wanted_s = due_s - 0.4
        wanted.publish(time_message(wanted_s))
        rig.until(lambda: seconds(fronts[-1].header.stamp) >= due_s)
        taken_s = [seconds(front.header.stamp) for front in fronts]
        assert [stamp_s for stamp_s in taken_s if due_s - 0.9 < stamp_s < due_s - 0.01] == [
            pytest.approx(wanted_s, abs=0.011)
        ]
    finally:
        rig.close()


DEFAULT_QUALITY = 10
"""A queue's length alone, as most people subscribe."""


@pytest.mark.parametrize(
    ("kind", "topic"),
    [
        (Clock, "/clock"),
        (JointState, "joint_states"),
        (PoseStamped, "tcp_pose"),
        (Image, "front/image_raw"),
        (Image, "video/image_raw"),
        (CameraInfo, "side/camera_info"),
        (DiagnosticArray, "/diagnostics"),
    ],
)
def test_a_subscriber_of_default_quality_hears_the_simulator(rig, kind, topic):
    messages = []
    rig.client.node.create_subscription(kind, topic, messages.append, DEFAULT_QUALITY)
    rig.until(lambda: messages)


def test_the_arm_follows_a_trajectory_and_the_gripper_its_command(rig):
    joints = rig.listen(JointState, "joint_states")
    rig.until(lambda: joints)
    arm = rig.client.node.create_publisher(JointTrajectory, "joint_trajectory", qos.COMMAND)
    gripper = rig.client.node.create_publisher(JointTrajectory, "gripper_command", qos.COMMAND)
    rig.until(lambda: arm.get_subscription_count() and gripper.get_subscription_count())
    names, start = list(joints[-1].name[:7]), np.array(joints[-1].position[:7])
    target = start + np.array([0.1, 0, 0, 0, 0, 0, 0])
    point = JointTrajectoryPoint(positions=target.tolist(), time_from_start=duration_message(0.3))
    arm.publish(JointTrajectory(joint_names=names, points=[point]))
    gripper.publish(
        JointTrajectory(joint_names=["panda_finger_joint1"], points=[JointTrajectoryPoint(positions=[0.0])])
    )
    rig.until(lambda: abs(joints[-1].position[0] - target[0]) < 0.01 and joints[-1].position[7] < 0.002)


def test_setting_up_a_task_returns_its_goals_and_latches_them(rig):
    request = SetUpTask.Request(task="push", seed=1_000_001, goal_images="one")
    rig.until(lambda: rig.sim._commands.quiet_s > 0.3)
    response = rig.call(SetUpTask, "set_up_task", request)
    assert response.success, response.message
    assert len(response.goals) == 1 and len(response.goals[0].views) == 2
    latched = rig.listen(GoalImages, "goal_images", qos.LATCHED)
    rig.until(lambda: latched)
    assert latched[-1].task == "push" and latched[-1].goals == response.goals
    assert not rig.call(TaskStatus, "task_status", TaskStatus.Request()).solved


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"task": "juggle"}, "'juggle'"),
        ({"goal_images": "many"}, "'many'"),
        ({"options": "[1]"}, "JSON object"),
        ({"options": "{"}, "Expecting"),
        ({"options": '{"gravity": 0}'}, "gravity"),
    ],
)
def test_a_task_that_cannot_be_set_up_is_refused_by_name(rig, changes, named):
    rig.until(lambda: rig.sim._commands.quiet_s > 0.3)
    request = SetUpTask.Request(**{"task": "reach", "seed": 1, "goal_images": "dense", **changes})
    response = rig.call(SetUpTask, "set_up_task", request)
    assert not response.success
    assert named in response.message


def test_a_client_without_a_planner_says_what_is_missing(rig):
    with pytest.raises(PlannerError, match="no mpc_node takes goals"):
        rig.client.wait_for_planner(0.1)


def test_the_simulator_tells_how_it_is(rig):
    heard = rig.listen(DiagnosticArray, "/diagnostics", qos.STATE)
    rig.until(lambda: any(status.name == "sim_test/sim_node" for message in heard for status in message.status))
    status = next(one for message in heard for one in message.status if one.name == "sim_test/sim_node")
    assert status.name == "sim_test/sim_node"
    assert {"task", "simulated_s", "pace"} <= {value.key for value in status.values}
    assert status.level == DiagnosticStatus.OK or "too slow" in status.message


def test_every_publisher_is_reliable_as_drivers_are(rig):
    node = rig.sim
    for topic, _ in node.get_publisher_names_and_types_by_node(node.get_name(), node.get_namespace()):
        for info in node.get_publishers_info_by_topic(topic):
            if (info.node_name, info.node_namespace) == (node.get_name(), node.get_namespace()):
                assert info.qos_profile.reliability is ReliabilityPolicy.RELIABLE, topic


@pytest.mark.parametrize("view", ["front", "side"])
def test_pictures_and_camera_info_are_in_an_optical_frame_that_stands_where_the_camera_is(rig, view):
    images, infos = rig.listen(Image, f"{view}/image_raw"), rig.listen(CameraInfo, f"{view}/camera_info")
    poses = rig.listen(PoseStamped, f"sim_node/{view}/pose", qos.LATCHED)
    rig.until(lambda: images and infos and poses)
    frame = f"sim_test/{view}_optical_frame"
    assert images[-1].header.frame_id == infos[-1].header.frame_id == frame
    assert poses[-1].header.frame_id == "panda_link0"
    size = images[-1].width
    camera, points = STANDARD_CAMERAS[view], np.array([[0.5, 0.0, 0.0], [0.4, 0.1, 0.05], [0.6, -0.1, 0.2]])
    rotation = rotation_from(poses[-1].pose.orientation)
    in_camera = (points - numbers(poses[-1].pose.position)) @ rotation  # z forward, x right, y down
    assert np.all(in_camera[:, 2] > 0.3)
    pixels = in_camera @ np.array(infos[-1].k).reshape(3, 3).T
    np.testing.assert_allclose(pixels[:, :2] / pixels[:, 2:], size * camera.project(points), atol=1e-3 * size)


def test_the_frames_of_its_cameras_stand_on_tf_static(rig):
    tf2_msgs = pytest.importorskip("tf2_msgs.msg")
    told = rig.listen(tf2_msgs.TFMessage, "/tf_static", qos.LATCHED)
    rig.until(lambda: told)
    assert [(one.header.frame_id, one.child_frame_id) for one in told[-1].transforms] == [
        ("panda_link0", f"sim_test/{view}_optical_frame") for view in ("front", "side")
    ]


def test_goals_name_their_views(rig):
    assert [goal.view_names for goal in rig.sim._goals.goals] == [["front", "side"]] * len(rig.sim._goals.goals)
