"""What any node knows of why a goal cannot be pursued stands in the goal's result, before or while the arm moves."""

import math

import pytest
from harness import ENDLESS, FAR, FINGERS, KINEMATICS, STALE_S, TIMEOUT_S, Rig, goal_of, picture, small_bundle
from jepa_planner.action import ReachGoalImage
from rclpy.duration import Duration
from rclpy.node import Node

from jepa_planner.nodes.arm_node import ArmNode
from jepa_planner.nodes.client import PlannerClient, PlannerError
from jepa_planner.nodes.conversions import array_to_image
from jepa_planner.nodes.encoder_node import EncoderNode
from jepa_planner.nodes.goal_executor import Outcome
from jepa_planner.nodes.mpc_node import MpcNode
from jepa_planner.nodes.planner_node import start
from jepa_planner.nodes.predictor_node import PredictorNode

START = {"start_timeout_s": STALE_S}
BOTH_WAYS = pytest.mark.parametrize("composed", [True, False], ids=["composed", "apart"])


def apart_in_time(robot) -> None:
    """At 8 Hz; more pictures would leave a nearer one."""
    robot.images_skipped = 2
    robot.cameras_ahead_s = [0.0, -0.05]


def of_two_sizes(robot) -> None:
    robot.views = [picture(1), picture(2, 64)]


def in_planes(robot) -> None:
    robot.encoding = "nv24"


def silent(robot) -> None:
    robot.images_on = False


def ahead(robot) -> None:
    robot.cameras_ahead_s = [0.3, 0.3]


def behind(robot) -> None:
    robot.cameras_ahead_s = [-5.0, -5.0]


@BOTH_WAYS
@pytest.mark.parametrize(
    ("cameras", "words"),
    [
        (apart_in_time, "sync_tolerance_s is 0.03: {ns}/front/image_raw and {ns}/side/image_raw"),
        (of_two_sizes, "views are [[32, 32, 3], [64, 64, 3]]"),
        (in_planes, "view front: image encoding is 'nv24', expected one of rgb8"),
        (silent, "nothing came on {ns}/front/image_raw, {ns}/side/image_raw"),
        (ahead, "image on {ns}/front/image_raw is stamped 0.30 s ahead of encoder_node's clock"),
        (behind, "image is stale: 5.0"),
    ],
)
def test_what_is_wrong_with_the_cameras_ends_the_goal(rig, composed, cameras, words):
    cameras(rig.robot)
    rig.planner(composed, **START)
    result = rig.result(rig.send_goals(ENDLESS))
    assert result.outcome is Outcome.STALE_IMAGE
    assert words.format(ns=rig.namespace) in result.message
    assert "no image yet" not in result.message
    assert rig.commands_settle() == 0


@pytest.mark.parametrize(("ahead_s", "count"), [(0.0, 1), (0.015, 1), (-0.3, 1), (0.05, 0), (0.3, 0), (5.0, 0)])
def test_pictures_of_a_clock_that_is_ahead_are_not_encoded(rig, ahead_s, count):
    encoder = EncoderNode(**rig.options(model=rig.bundle))
    heard = []
    encoder.listen(lambda observation: heard.append(observation.stamp_s), lambda taken_s: True)
    start([encoder])
    for view in (0, 1):
        encoder._on_image(view, array_to_image(picture(view), rig.robot.stamp(ahead_s).to_msg()))
    assert len(heard) == count
    assert all(taken_s <= encoder.now_s() for taken_s in heard)
    encoder.destroy_node()


@pytest.mark.parametrize("cameras", [apart_in_time, of_two_sizes, in_planes, ahead])
def test_what_goes_wrong_with_the_cameras_in_mid_motion_ends_the_goal(rig, cameras):
    rig.planner(False, image_timeout_s=1.0)
    handle = rig.send_goals(ENDLESS)
    rig.until(lambda: len(rig.robot.commands) > 10)
    cameras(rig.robot)
    result = rig.result(handle)
    assert result.outcome is Outcome.STALE_IMAGE
    assert "image is stale" in result.message and "encoder_node: " in result.message
    rig.assert_at_rest()


def planner_around(rig: Rig, composed: bool = True, **arm: object) -> None:
    """A planner whose arm does not get ready."""
    encoder, predictor = EncoderNode(**rig.options(model=rig.bundle)), PredictorNode(**rig.options(model=rig.bundle))
    inside = {"encoder": encoder, "predictor": predictor} if composed else {}
    mpc = MpcNode(**inside, **rig.options(model=rig.bundle, **START, use_sim_time=arm.get("use_sim_time", False)))
    rig.run(encoder, predictor, mpc, ArmNode(**rig.options(**arm)))
    rig.until(rig.reach.server_is_ready)


def other_names(robot) -> None:
    robot.joint_names = [f"fr3_joint{number}" for number in range(1, 8)] + list(FINGERS)


def gripper_in_millimetres(robot) -> None:
    robot.finger_m = 40.0


def one_name_twice(robot) -> None:
    robot.joint_names = [*robot.joint_names, KINEMATICS.joint_names[0]]
    robot.more_positions = [1.0]


def stamped_ahead(robot) -> None:
    robot.arm_ahead_s = 0.3


def stamped_behind(robot) -> None:
    robot.arm_ahead_s = -0.99


def unstamped(robot) -> None:
    robot.stamp = lambda _: type(robot.get_clock().now())()


def no_joint_states(robot) -> None:
    robot.joint_states_on = False


@pytest.mark.parametrize(
    ("joint_states", "words"),
    [
        (other_names, f"joint state lacks {', '.join(KINEMATICS.joint_names)}; it has fr3_joint1, fr3_joint2"),
        (gripper_in_millimetres, "panda_finger_joint2 at 40, far from gripper_open (0.04) and gripper_closed (0)"),
        (one_name_twice, "joint state holds panda_joint1 more than once"),
        (stamped_ahead, "joint state is stamped 0.30 s ahead of arm_node's clock"),
        (stamped_behind, "s old on arrival, limit 0.25 s: it comes late, or the clocks"),
        (unstamped, "joint state carries no time"),
        (no_joint_states, "nothing came on {ns}/joint_states"),
    ],
)
def test_what_is_wrong_with_the_joint_states_ends_the_goal(rig, joint_states, words):
    joint_states(rig.robot)
    planner_around(rig)
    result = rig.result(rig.send_goals(ENDLESS))
    assert result.outcome is Outcome.STALE_JOINT_STATE
    assert words.format(ns=rig.namespace) in result.message
    assert rig.commands_settle() == 0


class Ahead:
    """A clock that is ahead of another, or behind it."""

    def __init__(self, clock, ahead_s: float) -> None:
        self._clock, self._ahead = clock, Duration(nanoseconds=round(ahead_s * 1e9))

    def now(self):
        return self._clock.now() + self._ahead

    def __getattr__(self, name: str):
        return getattr(self._clock, name)


APART = [(whose, ahead_s) for whose in (ArmNode, EncoderNode, MpcNode) for ahead_s in (0.3, 5.0, -0.3, -5.0)]
APART.remove((EncoderNode, -0.3))  # its pictures are only old, and not too old


@pytest.mark.parametrize(("whose", "ahead_s"), APART)
def test_a_node_on_a_computer_whose_clock_differs_moves_nothing_and_the_clocks_are_named(
    rig, monkeypatch, whose, ahead_s
):
    monkeypatch.setattr(whose, "get_clock", lambda node: Ahead(Node.get_clock(node), ahead_s), raising=False)
    if whose is EncoderNode:
        rig.robot.cameras_ahead_s = [ahead_s, ahead_s]  # on the same computer
    planner_around(rig, composed=False)
    result = rig.result(rig.send_goals(ENDLESS))
    assert result.outcome in (Outcome.STALE_JOINT_STATE, Outcome.STALE_IMAGE, Outcome.ARM_REFUSED)
    assert "the clocks of its source's computer and of " in result.message
    assert rig.commands_settle() == 0


def test_simulated_time_that_never_begins_is_named_though_joint_states_come(rig):
    planner_around(rig, use_sim_time=True)
    result = rig.result(rig.send_goals(ENDLESS))
    assert result.outcome is Outcome.STALE_JOINT_STATE
    assert result.message == "simulated time has not begun: nothing came on /clock"
    with PlannerClient(rig.namespace) as client, pytest.raises(PlannerError, match=r"arm_node: .* came on /clock"):
        client.wait_for_planner(3.0)


@BOTH_WAYS
def test_an_encoder_that_is_not_active_ends_the_goal_by_name(rig, composed):
    _, encoder, _ = rig.planner(composed, **START)
    rig.thread(encoder).call(encoder.trigger_deactivate)
    result = rig.result(rig.send_goals(ENDLESS))
    assert "encoder_node is not active" in result.message or "encoder_node: not active" in result.message


@BOTH_WAYS
@pytest.mark.parametrize(("whose", "outcome"), [(0, Outcome.ENCODER_FAILED), (1, Outcome.PREDICTOR_FAILED)])
def test_a_node_with_other_views_than_the_planners_moves_nothing(rig, tmp_path, composed, whose, outcome):
    small_bundle(tmp_path, any_view=True)
    views = [["front"], ["front"]]
    views[whose] = ["side"]
    encoder, predictor = (
        node(**rig.options(model=str(tmp_path), views=views))
        for node, views in zip((EncoderNode, PredictorNode), views, strict=True)
    )
    inside = {"encoder": encoder, "predictor": predictor} if composed else {}
    rig.run(encoder, predictor, MpcNode(**inside, **rig.options(model=str(tmp_path), views=["front"])))
    rig.arm()
    rig.until(lambda: rig.holding() and rig.reach.server_is_ready())
    result = rig.result(rig.send_goals(goal_of(FAR[0], budget=1000, tolerance=1e-9)))
    assert result.outcome in (outcome, Outcome.INVALID_LATENT)  # a live picture may come before the goal's
    assert " front'" in result.message and " side'" in result.message
    assert result.message.endswith("give all nodes one bundle and the same views")
    assert rig.commands_settle() == 0


def test_who_sent_a_goal_that_is_rejected_hears_why(rig):
    rig.planner()
    with PlannerClient(rig.namespace) as client:
        client.wait_for_planner(TIMEOUT_S)
        for goal, why in (
            (goal_of(FAR[0]), "image.views: 1 given; this model needs 2"),
            (goal_of(*FAR, tolerance=math.nan), "tolerance is nan"),
        ):
            with pytest.raises(PlannerError, match=f"^mpc_node rejected the goal: goal image 1: {why}"):
                client.reach([goal])


def test_an_encoder_that_could_not_be_configured_ends_the_goal_with_its_reason(rig, tmp_path):
    encoder = EncoderNode(**rig.options(model=str(tmp_path), autostart=False))
    rig.arm()
    rig.run(encoder, MpcNode(**rig.options(model=rig.bundle, **START)))
    rig.until(lambda: rig.holding() and rig.reach.server_is_ready())
    rig.thread(encoder).call(encoder.trigger_configure)
    result = rig.result(rig.send_goals(ENDLESS))
    assert result.outcome is Outcome.ENCODER_FAILED
    assert f"encoder_node: not configured: cannot configure: {tmp_path}" in result.message


def test_whoever_waits_for_a_goal_hears_what_it_waits_for(rig):
    rig.robot.images_on = False
    rig.planner(**START)
    heard = []
    request = ReachGoalImage.Goal(goals=[ENDLESS])
    sent = rig.ask(lambda: rig.reach.send_goal_async(request, feedback_callback=heard.append))
    rig.until(sent.done)
    rig.until(lambda: any("waiting: encoder_node: nothing came on" in message.feedback.status for message in heard))
