"""Goals that the planner pursues, each a bag of its own: real nodes, real DDS, real files."""

import shutil
from pathlib import Path

import h5py
import pytest
import yaml
from harness import ENDLESS, FAR, Rig, goal_of, moves, picture, under_way
from jepa_planner.msg import EpisodeMark, GoalEvent
from rosbags.highlevel import AnyReader

from jepa_planner.cli.main import main
from jepa_planner.core.shipped import shipped
from jepa_planner.nodes.arm_node import ArmNode
from jepa_planner.nodes.goal_executor import Outcome
from jepa_planner.nodes.record_node import RecordNode
from jepa_planner.nodes.recording.episodes import Phase, Success

BRIEF = goal_of(*FAR, budget=2, tolerance=1e-9)
TOLD = ("front/image_raw", "side/image_raw", "joint_states", "arm_state", "plan", "joint_trajectory", "mpc_node/stats")


def with_recorder(rig: Rig, folder: Path, planner: dict | None = None, **parameters: object) -> RecordNode:
    """A planner, and beside it who records its goals, once that hears all."""
    marks = ["--ros-args", "-r", "episode_marks:=/episode_marks"]  # as of a robot that has no namespace
    options = rig.options(out=str(folder), goals=True, model=rig.bundle, **parameters)
    node = RecordNode(cli_args=marks, **options)
    rig.run(node)
    mpc, _, _ = rig.planner(**(planner or {}))
    told = {f"{rig.namespace}/{name}" for name in (*TOLD, "mpc_node/goal_events")}
    rig.until(lambda: told <= set(node.now().counts))
    rig.until(lambda: mpc._goals._events._publisher.get_subscription_count() == 2)
    return node


def kept(rig: Rig, node: RecordNode, episodes: int) -> dict[str, Success]:
    """What became of episodes, once there are so many and all is written."""
    rig.until(lambda: len(node.episodes.kept) == episodes)
    thread = rig.thread(node)
    rig.threads.remove(thread)
    thread.call(node.trigger_shutdown)
    thread.stop()
    return dict(node.episodes.kept)


def messages(rig: Rig, bag: Path) -> list[tuple[str, object]]:
    """All of a bag in its order: topics without the namespace, and what was said there."""
    with AnyReader([bag]) as reader:
        return [
            (connection.topic.removeprefix(f"{rig.namespace}/"), reader.deserialize(data, connection.msgtype))
            for connection, _, data in reader.messages()
        ]


def said_on(found: list[tuple[str, object]], topic: str) -> list:
    return [message for name, message in found if name == topic]


def events(rig: Rig, bag: Path) -> list[tuple[int, str, int]]:
    return [(one.kind, one.goal_id, one.code) for one in said_on(messages(rig, bag), "mpc_node/goal_events")]


def identity(handle) -> str:
    return bytes(handle.goal_id.uuid).hex()


def test_a_goal_that_is_reached_is_one_bag_from_its_beginning_to_its_end(rig, tmp_path):
    node = with_recorder(rig, tmp_path)
    handle = under_way(rig)
    rig.robot.views = list(FAR)
    result = rig.result(handle)
    assert result.outcome is Outcome.REACHED and result.steps >= 2
    assert kept(rig, node, 1) == {"episode_0001": Success.YES}
    found = messages(rig, tmp_path / "episode_0001")
    assert all(said_on(found, topic) for topic in TOLD)
    began, ended = said_on(found, "mpc_node/goal_events")
    assert (began.kind, ended.kind) == (GoalEvent.BEGAN, GoalEvent.ENDED)
    assert began.goal_id == ended.goal_id == identity(handle)
    assert [bytes(view.data) for view in began.goals[0].views] == [view.tobytes() for view in FAR]
    assert (ended.code, ended.message, ended.steps) == (result.outcome, result.message, result.steps)
    assert ended.final_energy == pytest.approx(result.final_energy)
    topics = [topic for topic, _ in found]
    first, last = topics.index("mpc_node/goal_events"), len(topics) - 1 - topics[::-1].index("mpc_node/goal_events")
    assert topics[0] == "/episode_marks" and first < topics.index("plan") and topics.index("mpc_node/stats") < last
    assert len(said_on(found, "mpc_node/stats")) == len({plan.id for plan in moves(rig)})
    assert [(mark.kind, mark.success) for mark in said_on(found, "/episode_marks")] == [
        (EpisodeMark.START, EpisodeMark.SUCCESS_NOT_TOLD),
        (EpisodeMark.STOP, EpisodeMark.SUCCESS_NOT_TOLD),
        (EpisodeMark.KEEP, EpisodeMark.SUCCESS_YES),
    ]


def test_a_goal_that_takes_the_place_of_another_has_the_next_bag(rig, tmp_path):
    node = with_recorder(rig, tmp_path)
    first = under_way(rig)
    second = rig.send_goals(BRIEF)
    assert rig.result(second).outcome is Outcome.BUDGET_SPENT
    assert kept(rig, node, 2) == {"episode_0001": Success.NO, "episode_0002": Success.NO}
    for name, handle, code in (
        ("episode_0001", first, Outcome.PREEMPTED),
        ("episode_0002", second, Outcome.BUDGET_SPENT),
    ):
        assert events(rig, tmp_path / name) == [
            (GoalEvent.BEGAN, identity(handle), 0),
            (GoalEvent.ENDED, identity(handle), code),
        ]


def test_a_goal_whose_plans_are_refused_is_kept_as_no_success(rig, tmp_path):
    node = with_recorder(rig, tmp_path, planner={"plan_valid_s": 0.02, "max_refusals": 2})
    arm = next(thread.node for thread in rig.threads if isinstance(thread.node, ArmNode))
    offer = arm.executive.offer
    arm.executive.offer = lambda now_s, step: offer(now_s + 0.5, step)
    handle = rig.send_goals(ENDLESS)
    assert rig.result(handle).outcome is Outcome.ARM_REFUSED
    assert kept(rig, node, 1) == {"episode_0001": Success.NO}
    assert events(rig, tmp_path / "episode_0001")[-1] == (GoalEvent.ENDED, identity(handle), Outcome.ARM_REFUSED)


def test_a_goal_under_way_when_the_planner_goes_down_has_its_end_in_its_bag(rig, tmp_path):
    node = with_recorder(rig, tmp_path)
    handle = under_way(rig)
    mpc = next(thread.node for thread in rig.threads if thread.node.get_name() == "mpc_node")
    assert rig.thread(mpc).call(mpc.trigger_shutdown, 10.0)
    assert kept(rig, node, 1) == {"episode_0001": Success.NO}
    assert events(rig, tmp_path / "episode_0001")[-1] == (GoalEvent.ENDED, identity(handle), Outcome.DEACTIVATED)


def test_what_is_recorded_by_hand_goes_on_while_goals_come_and_go(rig, tmp_path):
    node = with_recorder(rig, tmp_path, topics=["joint_states", *TOLD])
    node.carry_out("start")
    assert rig.result(rig.send_goals(BRIEF)).outcome is Outcome.BUDGET_SPENT
    rig.until(lambda: any("recorded by hand" in said for said in node.said))
    assert node.episodes.phase is Phase.RECORDING
    node.carry_out("keep")
    assert kept(rig, node, 1) == {"episode_0001": Success.YES}
    assert [event[0] for event in events(rig, tmp_path / "episode_0001")] == [GoalEvent.BEGAN, GoalEvent.ENDED]


def test_a_disk_without_room_is_said_and_the_planner_goes_on(rig, tmp_path):
    node = with_recorder(rig, tmp_path, keep_free_gb=shutil.disk_usage(tmp_path).free / 1e9 + 1.0)
    assert rig.result(rig.send_goals(BRIEF)).outcome is Outcome.BUDGET_SPENT
    rig.until(lambda: not node.health()[0].ok)
    assert "a goal is not recorded" in node.health()[0].text and "keep_free_gb" in node.health()[0].text
    assert not list(tmp_path.glob("episode*"))


def test_episodes_are_made_of_a_recorded_goal(rig, tmp_path):
    node = with_recorder(rig, tmp_path / "bags")
    handle = under_way(rig, after=6)
    rig.robot.views = list(FAR)
    rig.result(handle)
    kept(rig, node, 1)
    recording = {
        "views": {view: {"topic": f"{rig.namespace}/{view}/image_raw"} for view in ("front", "side")},
        "arm": {
            "kind": "joint_states",
            "topic": f"{rig.namespace}/joint_states",
            "limits_file": str(shipped("config/panda_limits.yaml")),
        },
        "time_step_s": 0.25,
        "picture_size_px": [32, 32],
    }
    (tmp_path / "recording.yaml").write_text(yaml.safe_dump(recording))
    files = ["--recording", str(tmp_path / "recording.yaml"), "--out", str(tmp_path / "episodes")]
    assert main(["data", "from-bag", str(tmp_path / "bags"), *files]) == 0
    [file] = (tmp_path / "episodes").glob("episodes-*.h5")
    with h5py.File(file) as shard:
        assert list(shard["success"]) == [1] and shard["lengths"][0] >= 4
        pictures = shard["images"][0]
    assert (pictures[0] == (picture(1), picture(2))).all() and (pictures[-1] == FAR).all()
