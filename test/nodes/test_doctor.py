"""`jepa-planner doctor` beside a robot with one fault, over real DDS; and beside a simulator with all well."""

import json

import numpy as np
import pytest
from harness import FINGERS, picture, under_way
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, JointState
from trajectory_msgs.msg import JointTrajectory

from jepa_planner.cli import main as cli
from jepa_planner.cli.doctor import listening, system
from jepa_planner.nodes import qos
from jepa_planner.nodes.arm_node import ArmNode
from jepa_planner.nodes.encoder_node import EncoderNode
from jepa_planner.nodes.mpc_node import MpcNode
from jepa_planner.nodes.predictor_node import PredictorNode
from jepa_planner.nodes.running import Composition

LISTENS_S = "0.5"


@pytest.fixture(autouse=True)
def on_this_machine(monkeypatch):
    """Nodes find each other at once, and the process of the tests goes on at its own pace."""
    monkeypatch.setattr(listening, "LEAST_S", 0.2)
    monkeypatch.setattr(listening, "QUIET_S", 0.25)
    monkeypatch.setattr(system, "POLITE", 0)


@pytest.fixture
def doctor(capfd, rig):
    rig.robot.destroy_publisher(rig.plans)  # the rig's own: a second planner

    def ask(*arguments: str, namespace: str = rig.namespace, seconds: str = LISTENS_S):
        capfd.readouterr()
        command = ["doctor", "--json", "--seconds", seconds, "--namespace", namespace, "--model", rig.bundle]
        status = cli.main([*command, *arguments])
        out, err = capfd.readouterr()
        assert status in (0, 1), err
        found = json.loads(out)
        assert status == (found["level"] == "red")
        return found["findings"]

    return ask


def of(findings: list[dict], about: str, level: str = "red") -> str:
    """All that is said of one thing at a level, with what to do."""
    return "\n".join(f"{f['found']} -> {f['do']}" for f in findings if f["about"] == about and f["level"] == level)


def reds(findings: list[dict]) -> list[tuple[str, str]]:
    return [(finding["about"], finding["found"]) for finding in findings if finding["level"] == "red"]


def test_drivers_alone_with_nothing_wrong_are_green_but_for_the_model_that_knows_none_of_it(rig, doctor):
    findings = doctor()
    assert reds(findings) == []
    assert of(findings, "joint_states", "green").count(f"{rig.namespace}/robot") == 1
    assert "the planner does not run" in of(findings, "nodes", "green")
    assert of(findings, "workspace", "green") and of(findings, "dry run", "green")
    assert float(of(findings, "pairs", "green").split()[0]) > 10
    assert rig.robot.commands == [] and rig.robot.grippers == []


def with_a_prefix(rig) -> None:
    rig.robot.joint_names = [f"fr3_joint{number}" for number in range(1, 8)] + list(FINGERS)


def in_degrees(rig) -> None:
    rig.robot.q_rad = np.degrees(rig.robot.q_rad)


def one_camera_behind(rig) -> None:
    rig.robot.images_skipped = 2
    rig.robot.cameras_ahead_s = [0.0, -0.05]


def in_depths(rig) -> None:
    rig.robot.encoding = "32FC1"


def of_two_shapes(rig) -> None:
    rig.robot.views = [picture(1), picture(2, 64)]


def gripper_in_millimetres(rig) -> None:
    rig.robot.finger_m = 40.0


def clock_ahead(rig) -> None:
    rig.robot.arm_ahead_s = 0.3


def second_arm_publishing(rig) -> None:
    rig.robot.create_publisher(JointTrajectory, "joint_trajectory", 1)


def two_cameras_on_one_topic(rig) -> None:
    rig.robot.create_publisher(Image, "front/image_raw", qos.SENSOR)


def nobody_listens(rig) -> None:
    for subscription in list(rig.robot.subscriptions):
        if "command" in subscription.topic_name or "trajectory" in subscription.topic_name:
            rig.robot.destroy_subscription(subscription)
    rig.robot.create_subscription(JointTrajectory, "my_controller/joint_trajectory", lambda _: None, 1)


def joint_states_elsewhere(rig) -> None:
    rig.robot.joint_states_on = False
    rig.robot.destroy_publisher(rig.robot._joints)
    rig.robot.create_publisher(JointState, "my_arm/joint_states", qos.SENSOR)


FAULTS = [
    (with_a_prefix, "joints", "they all begin with fr3_joint where the description says panda_joint"),
    (in_degrees, "joints", "in degrees? -> the driver must publish radians"),
    (one_camera_behind, "pairs", " s, sync_tolerance_s is 0.03 -> trigger the cameras together"),
    (in_depths, "front/image_raw", "image encoding is '32FC1', expected one of rgb8"),
    (of_two_shapes, "views", "they are 32 x 32 and 64 x 64 pixels"),
    (gripper_in_millimetres, "gripper", "at 40; gripper_open is 0.04, gripper_closed 0"),
    (clock_ahead, "joint_states", "s ahead of this computer's clock"),
    (
        second_arm_publishing,
        "joint_trajectory",
        "{ns}/robot publishes on {ns}/joint_trajectory, where {ns}/arm_node does",
    ),
    (two_cameras_on_one_topic, "front/image_raw", "{ns}/front/image_raw has 2 publishers"),
    (nobody_listens, "joint_trajectory", "--remap joint_trajectory:={ns}/my_controller/joint_trajectory"),
    (joint_states_elsewhere, "joint_states", "{ns}/my_arm/joint_states is published, {ns}/joint_states is not"),
]


@pytest.mark.parametrize(("fault", "about", "words"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_one_fault_of_a_driver_is_named_with_what_to_do(rig, doctor, fault, about, words):
    fault(rig)
    findings = doctor()
    assert words.format(ns=rig.namespace) in of(findings, about)
    assert {name for name, _ in reds(findings)} <= {about, "side/image_raw", "gripper_command"}


def test_a_goal_picture_of_another_aspect_is_named(rig, doctor, tmp_path):
    from PIL import Image as Picture

    file = tmp_path / "goal.png"
    Picture.fromarray(np.zeros((72, 128, 3), np.uint8)).save(file)
    assert "and the goal 128 x 72: both must be whole pictures" in of(
        doctor("--goal", str(file), str(file)), "goal picture"
    )


def test_a_planner_by_a_clock_that_nobody_tells_is_named(rig, doctor):
    rig.arm(use_sim_time=True)
    findings = doctor()
    assert "use_sim_time is true, and nobody publishes /clock" in of(findings, "time")
    assert "encoder_node missing" in of(findings, "nodes") or "missing, arm_node there" in of(findings, "nodes")


def test_a_planner_whose_state_only_a_best_effort_listener_could_hear_is_named(rig, doctor):
    reliable = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
    rig.robot.create_subscription(Image, "picky", lambda _: None, reliable)
    rig.robot.create_publisher(Image, "picky", qos.SENSOR)
    findings = doctor("--remap", f"front/image_raw:={rig.namespace}/picky")
    assert "hears nothing of" in of(findings, "front/image_raw", "yellow")
    assert "reliab" in of(findings, "front/image_raw", "yellow").lower()


def test_a_planner_that_runs_is_asked_for_its_parameters_and_states(rig, doctor, tmp_path):
    _, encoder, _ = rig.planner()
    file = tmp_path / "my.yaml"
    file.write_text("/**/arm_node: {ros__parameters: {joint_state_timeout_s: 0.5}}")
    findings = doctor("--params-file", str(file))
    assert "are active" in of(findings, "nodes", "green")
    assert f"joint_state_timeout_s of {rig.namespace}/arm_node is 2.0, you gave 0.5" in of(
        findings, "parameters", "yellow"
    )
    assert reds(findings) == []
    rig.thread(encoder).call(encoder.trigger_deactivate)
    findings = doctor()
    assert f"{rig.namespace}/encoder_node is inactive" in of(findings, "nodes")
    assert rig.robot.commands == []


def test_a_planner_that_works_for_a_goal_is_let_alone(rig, doctor):
    rig.planner()
    handle = under_way(rig)
    assert "the planner works for a goal now" in of(doctor(seconds="1.2"), "dry run", "green")
    rig.ask(handle.cancel_goal_async)
    rig.result(handle)


def test_a_planner_in_another_namespace_is_found(rig, doctor):
    rig.arm()
    text = of(doctor(namespace="/nobody"), "nodes", "yellow")
    assert f"{rig.namespace}/arm_node" in text and f"--namespace {rig.namespace.strip('/')}" in text


def test_an_inactive_controller_is_named(rig, doctor):
    messages = pytest.importorskip("controller_manager_msgs.msg")
    services = pytest.importorskip("controller_manager_msgs.srv")
    loaded = messages.ControllerState(name="arm_controller", state="inactive")

    def answer(_, response):
        response.controller = [loaded]
        return response

    rig.robot.create_service(services.ListControllers, "controller_manager/list_controllers", answer)
    topic = f"{rig.namespace}/arm_controller/joint_trajectory"
    rig.robot.create_subscription(JointTrajectory, topic, lambda _: None, 1)
    findings = doctor("--remap", f"joint_trajectory:={topic}")
    assert "arm_controller, which takes joint_trajectory, is inactive" in of(findings, "controllers")


def test_beside_the_simulator_and_its_planner_all_is_green(ros, capfd):
    pytest.importorskip("pybullet")
    from jepa_planner_sim.sim_node import SimNode

    options = {"namespace": "/green", "parameter_overrides": [Parameter("use_sim_time", value=True)]}
    encoder, predictor = EncoderNode(**options), PredictorNode(**options)
    planner = [MpcNode(encoder=encoder, predictor=predictor, **options), ArmNode(**options), predictor, encoder]
    nodes = Composition([*planner, SimNode(namespace="/green")])
    nodes.start()
    try:
        capfd.readouterr()
        assert cli.main(["doctor", "--json", "--seconds", "1.5", "--namespace", "green"]) == 0
        findings = json.loads(capfd.readouterr().out)["findings"]
    finally:
        nodes.stop()
    busy = {"cores", "idle planner", "clock", "shared memory", "memory"}
    assert [finding for finding in findings if finding["level"] != "green" and finding["about"] not in busy] == []
    told = {finding["about"] for finding in findings}
    assert told >= {
        "arm in pictures",
        "familiar",
        "pairs",
        "dry run",
        "workspace",
        "joint_trajectory",
        "time",
        "diagnostics",
    }
