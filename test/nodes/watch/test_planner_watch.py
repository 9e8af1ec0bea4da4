"""The node that watches, beside real nodes over real DDS."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped, TransformStamped
from harness import ENDLESS, FAR, goal_of, moves, small_bundle, under_way
from jepa_planner.msg import Plan
from sensor_msgs.msg import CameraInfo, CompressedImage

from jepa_planner.control.arm_executive import Mode
from jepa_planner.model.bundle import add_viewing_decoder, load_contract
from jepa_planner.model.pixel_decoder import PixelDecoder
from jepa_planner.nodes import qos
from jepa_planner.nodes.client import PlannerClient
from jepa_planner.nodes.conversions import array_to_png, picture_to_array
from jepa_planner.nodes.encoder_node import EncoderNode
from jepa_planner.nodes.goal_executor import Outcome
from jepa_planner.nodes.latents import latent_message
from jepa_planner.nodes.models import model_id
from jepa_planner.nodes.plan_publisher import poses_and_closures, tcp_path
from jepa_planner.nodes.plan_sink import PlanSink
from jepa_planner.nodes.state_buffer import ArmReport
from jepa_planner.nodes.watch import plan_listener
from jepa_planner.nodes.watch.described import NOBODY, Described
from jepa_planner.nodes.watch.plan_listener import NOT_YET, actions_of
from jepa_planner.nodes.watch.planner_watch import PlannedPath, PlannerWatch
from jepa_planner.planning.candidates import SHOWN

BRIEF = goal_of(*FAR, budget=2, tolerance=1e-9)


@pytest.fixture
def watch(rig) -> Iterator[PlannerWatch]:
    watch = PlannerWatch(rig.namespace)
    yield watch
    watch.close()


def test_without_a_planner_it_says_who_does_not_answer(watch):
    assert watch.trouble == NOBODY and watch.described is None
    watch.watch(True)
    assert watch.views == {}


def test_views_are_those_of_the_running_model_and_heard_while_somebody_watches(rig, watch):
    rig.planner()
    rig.until(lambda: watch.described is not None)
    assert watch.trouble == "" and watch.views == {}
    heard = lambda: rig.robot.count_subscribers("front/image_raw")  # noqa: E731
    rig.until(lambda: heard() == 1)  # encoder_node
    watch.watch(True)
    assert list(watch.views) == ["front", "side"]
    rig.until(lambda: all(view.newest is not None and view.newest.number > 3 for view in watch.views.values()))
    assert np.array_equal(picture_to_array(watch.views["side"].newest.message), rig.robot.views[1])
    assert watch.views["front"].silence() == ""
    watch.watch(False)
    assert watch.views == {}
    rig.until(lambda: heard() == 1)


def test_a_silent_camera_is_named_with_its_topic(rig, watch, monkeypatch):
    monkeypatch.setattr("jepa_planner.nodes.watch.views.SILENT_S", 0.2)
    rig.planner()
    rig.until(lambda: watch.described is not None)
    watch.watch(True)
    rig.until(lambda: watch.views["front"].newest is not None)
    rig.robot.images_on = False
    topic = f"{rig.namespace}/front/image_raw"
    rig.until(lambda: watch.views["front"].silence().startswith(f"nothing came on {topic}"))
    assert "nobody publishes it" not in watch.views["front"].silence()


def test_a_picture_of_every_few_seconds_is_kept(rig, watch, monkeypatch):
    monkeypatch.setattr("jepa_planner.nodes.watch.views.KEEP_EVERY_S", 0.2)
    rig.planner()
    rig.until(lambda: watch.described is not None)
    watch.watch(True)
    view = watch.views["front"]
    rig.until(lambda: len(view.kept) == view.kept.maxlen)
    arrived_s = [seen.arrived_s for seen in view.kept]
    assert np.diff(arrived_s).min() >= 0.2


def test_compressed_pictures_are_heard_where_the_planner_hears_them(rig, watch):
    rig.run(EncoderNode(**rig.options(model=rig.bundle, image_transport="compressed")))
    sent = rig.robot.create_publisher(CompressedImage, "front/image_raw/compressed", qos.STREAM)
    rig.until(lambda: watch.described is not None)
    watch.watch(True)
    rig.until(lambda: sent.publish(array_to_png(rig.robot.views[0])) or watch.views["front"].newest is not None)
    assert np.array_equal(picture_to_array(watch.views["front"].newest.message), rig.robot.views[0])
    assert "nobody publishes it" in watch.views["side"].silence()


def test_a_goal_is_told_from_its_begin_to_its_end(rig, watch):
    mpc, _, _ = rig.planner()
    rig.until(lambda: watch.described is not None)
    watch.watch(True)
    rig.until(lambda: mpc._goals._events._publisher.get_subscription_count() == 2)
    handle = under_way(rig)
    rig.until(lambda: watch.goals.pursued == bytes(handle.goal_id.uuid).hex() and len(watch.goals.points) > 2)
    assert np.array_equal(picture_to_array(watch.goal_images[0].views[0]), FAR[0])
    assert watch.goals.points[-1].tolerance == pytest.approx(1e-9)
    rig.until(lambda: watch.path is not None)
    assert watch.path.frame == "panda_link0" and watch.path.points_m.shape[1] == 3
    horizon = len(watch.path.points_m) - 1
    assert len(watch.path.candidates_m) == len(watch.path.weights) and len(watch.path.weights) % horizon == 0
    assert np.array_equal(watch.path.candidates_m[::horizon, 0], watch.path.points_m[:1].repeat(SHOWN, axis=0))
    assert watch.plans.trouble.startswith("this model has no viewing decoder")
    ask(rig, lambda client: client.cancel_goals())
    rig.until(lambda: watch.goals.ended)
    (ended,) = watch.goals.ended
    assert (ended.outcome, ended.code) == (
        "CANCELLED",
        Outcome.CANCELLED,
    ) and "cancelled by the sender" in ended.message
    assert watch.goals.pursued == "" and watch.path is None
    rig.result(handle)


def test_plans_are_imagined_again_from_what_they_were_made_from(rig, watch, tmp_path):
    folder = Path(small_bundle(tmp_path))
    add_viewing_decoder(folder, folder, PixelDecoder(load_contract(folder).encoder))
    rig.bundle = str(folder)
    rig.planner()
    rig.until(lambda: watch.described is not None)
    assert watch.plans is None
    watch.watch(True)
    assert watch.plans.trouble == NOT_YET
    handle = under_way(rig)
    rig.until(lambda: watch.plans.newest is not None and watch.plans.newest.expected is not None)
    assert watch.plans.trouble == "" and watch.plans.newest.expected_off >= 0.0
    assert watch.plans.newest.next_step.shape == (2, 32, 32, 3)
    told = rig.robot.count_publishers("mpc_node/observation")
    watch.watch(False)
    assert told == 1 and watch.plans is None
    ask(rig, lambda client: client.cancel_goals())
    rig.result(handle)


def test_it_is_closed_when_nothing_is_imagined_any_more(rig, watch, monkeypatch):
    ended = []

    def slow(*_: object) -> None:
        time.sleep(1.0)
        ended.append(True)
        raise OSError("no weights")

    monkeypatch.setattr(plan_listener, "Imagination", slow)
    rig.planner()
    rig.until(lambda: watch.described is not None)
    for watched in (True, False, True):
        watch.watch(watched)
    watch.close()
    assert ended == [True, True]


def test_after_a_plan_that_was_not_executed_what_is_imagined_begins_anew(rig, watch, tmp_path):
    folder = Path(small_bundle(tmp_path))
    add_viewing_decoder(folder, folder, PixelDecoder(load_contract(folder).encoder))
    rig.bundle = str(folder)
    _, encoder, _ = rig.planner()
    rig.until(lambda: watch.described is not None)
    watch.watch(True)
    plans, observation = watch.plans, encoder._model.observe(np.stack(FAR)[None])[0]
    executed = 0
    for number, follows in ((1, False), (2, True), (3, False)):
        arm = ArmReport(
            0.0,
            Mode.HOLDING,
            False,
            "",
            0.0,
            executed,
            0,
            np.zeros(6),
            np.array([0.5, 0.0, 0.3, 0.0, 0.0, 0.0]),
            0.0,
            0.0,
        )
        poses, closures = poses_and_closures(tcp_path(np.zeros((2, 7)), arm))
        before, plans._rest = plans.newest, arm
        plans._plan = Plan(id=number, poses=poses, gripper_closure=closures)
        plans._on_latent(latent_message(observation, model_id(watch.described.contract), Time()))
        rig.until(lambda before=before: plans.newest is not before)
        assert (plans.newest.expected is not None) == follows
        executed = 1 if number == 1 else 0  # the second is refused


def test_actions_are_read_back_from_the_targets_of_a_plan():
    arm = ArmReport(
        0.0, Mode.HOLDING, False, "", 0.0, 0, 0, np.zeros(6), np.array([0.5, 0.0, 0.3, 0.1, -0.2, 0.7]), 0.25, 0.25
    )
    actions = np.random.default_rng(0).uniform(-0.1, 0.1, (3, 7))
    poses, closures = poses_and_closures(tcp_path(actions, arm))
    assert actions_of(Plan(poses=poses, gripper_closure=closures), arm) == pytest.approx(actions, abs=1e-6)


def ask(rig, what: Callable[[PlannerClient], object]) -> object:
    with PlannerClient(rig.namespace) as client:
        return what(client)


def test_nobody_to_cancel_is_none(rig):
    rig.planner()
    assert ask(rig, lambda client: client.cancel_goals()) == 0


def test_a_path_cannot_be_drawn_before_somebody_tells_where_the_camera_stands(rig, watch):
    rig.planner()
    rig.until(lambda: watch.described is not None)
    watch.watch(True)
    handle = under_way(rig)
    rig.until(lambda: watch.path is not None)
    path, view = watch.path, watch.views["front"]
    with pytest.raises(ValueError, match=r"no cameras.yaml beside the model, and nothing came on .*/front/camera_info"):
        watch.path_pixels(view, path, (32, 32))
    told = CameraInfo(width=32, height=32, distortion_model="plumb_bob", d=[0.0] * 5)
    told.header.frame_id = "lens"
    told.k = [30.0, 0.0, 15.5, 0.0, 30.0, 15.5, 0.0, 0.0, 1.0]
    infos = rig.robot.create_publisher(CameraInfo, "front/camera_info", qos.STREAM)
    rig.until(lambda: infos.publish(told) or view._info is not None)
    with pytest.raises(ValueError, match=r"nobody tells where the camera of front stands: .* /tf_static from lens"):
        watch.path_pixels(view, path, (32, 32))
    pose = PoseStamped()
    pose.header.frame_id = "panda_link0"
    pose.pose.position.x, pose.pose.position.z = 0.5, 1.5
    pose.pose.orientation.x, pose.pose.orientation.w = 1.0, 0.0
    rig.robot.create_publisher(PoseStamped, "sim_node/front/pose", qos.LATCHED).publish(pose)
    rig.until(lambda: bool(view._poses))
    pixels, _ = watch.path_pixels(view, path, (32, 32))
    assert np.isfinite(pixels).all() and (pixels > 0).all() and (pixels < 32).all()
    pose.header.frame_id = "elsewhere"
    view._poses["sim_node"] = pose
    with pytest.raises(ValueError, match="placed in elsewhere, and the plan in panda_link0"):
        watch.path_pixels(view, path, (32, 32))
    rig.ask(handle.cancel_goal_async)
    rig.result(handle)


def test_a_camera_on_tf_static_is_found_by_the_frame_of_its_pictures(rig, watch):
    messages = pytest.importorskip("tf2_msgs.msg", reason="tf2_msgs is not installed")
    rig.planner()
    rig.until(lambda: watch.described is not None)
    watch.watch(True)
    told = TransformStamped(child_frame_id=f"lens_of_{rig.namespace.strip('/')}")
    told.header.frame_id = "panda_link0"
    told.transform.translation.x, told.transform.translation.z = 0.5, 1.5
    told.transform.rotation.x, told.transform.rotation.w = 1.0, 0.0
    frames = rig.robot.create_publisher(messages.TFMessage, "/tf_static", qos.LATCHED)
    frames.publish(messages.TFMessage(transforms=[told]))
    info = CameraInfo(width=32, height=32, distortion_model="plumb_bob", d=[0.0] * 5)
    info.header.frame_id = told.child_frame_id
    info.k = [30.0, 0.0, 15.5, 0.0, 30.0, 15.5, 0.0, 0.0, 1.0]
    infos, view = rig.robot.create_publisher(CameraInfo, "side/camera_info", qos.STREAM), watch.views["side"]
    rig.until(lambda: infos.publish(info) or view._info is not None)
    rig.until(lambda: told.child_frame_id in watch._frames)
    path = PlannedPath(1, "panda_link0", np.array([[0.5, 0.0, 0.0], [0.6, 0.0, 0.0]]))
    assert watch.path_pixels(view, path, (32, 32))[0] == pytest.approx(np.array([[15.5, 15.5], [17.5, 15.5]]))


def test_it_publishes_nothing_and_its_end_does_not_end_a_goal(rig):
    rig.planner()
    watch = PlannerWatch(rig.namespace)
    sent = PlannerClient(rig.namespace)
    name = watch.node.get_name()
    rig.until(lambda: watch.described is not None)
    watch.watch(True)
    told = dict(rig.robot.get_publisher_names_and_types_by_node(name, rig.namespace))
    assert set(told) <= {"/rosout", "/parameter_events"}
    threading.Thread(target=lambda: sent.reach([ENDLESS]), daemon=True).start()
    rig.until(lambda: len(moves(rig)) > 2)
    watch.close()
    sent.node.destroy_node()  # as when its program is killed: nobody tells the planner
    before = len(moves(rig))
    rig.until(lambda: len(moves(rig)) > before + 2)
    assert ask(rig, lambda client: client.cancel_goals()) == 1
    rig.until(lambda: rig.robot.goal_events[-1].kind == rig.robot.goal_events[-1].ENDED)


def test_how_unfamiliar_the_scene_is_comes_with_the_planners_diagnostics(rig, watch, monkeypatch):
    report = PlanSink.report

    def as_if_monitored(self, decision, status):
        report(self, decision, status)
        self._plans.unfamiliarity = 0.25

    monkeypatch.setattr(PlanSink, "report", as_if_monitored)
    rig.planner()
    assert watch.unfamiliarity is None
    rig.result(rig.send_goals(BRIEF))
    rig.until(lambda: watch.unfamiliarity == 0.25)


def test_a_model_that_is_not_on_this_computer_is_refused_by_name_and_one_that_is_given_counts(bundle):
    told = {"model": "/nowhere/model", "views": [""], "image_topics": [""], "image_transport": "raw"}
    with pytest.raises((ValueError, OSError), match="/nowhere/model"):
        Described.of(told)
    described = Described.of(told, bundle)
    assert dict(described.topics) == {"front": "front/image_raw", "side": "side/image_raw"}
