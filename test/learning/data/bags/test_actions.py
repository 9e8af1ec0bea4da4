"""Actions are what commands asked for, where these explain how the arm moved, and else how its state changed."""

import numpy as np
import pytest
from bag_scenes import (
    FLOAT,
    IMAGE,
    JOINTS,
    POSE,
    TWIST,
    TYPES,
    Said,
    cuts_of,
    every,
    header,
    image,
    joint_state,
    made_of,
    number,
    pose,
    recorded,
    truth,
    twist,
)

from jepa_planner.control.limits import SafetyLimits, shipped_config
from jepa_planner.learning.data.bags.message import BagError
from jepa_planner.learning.data.episodes import read_episodes
from jepa_planner.learning.data.recording import Commands, GripperSource, JointArm

TRAJECTORY, PLAN = "trajectory_msgs/msg/JointTrajectory", "jepa_planner/msg/Plan"
VELOCITY = (0.02, -0.01, 0.0)
"""Of the law by which the tcp moves."""
STEP_S = 0.2
"""So that steps and pictures, which come every 0.1 s, fall together."""


def made(tmp_path, asked: list[Said], said: list[Said] | None = None, **changes):
    said = recorded(views=("front",)) if said is None else said
    given = {"views": ("front",), "time_step_s": STEP_S, "commands": Commands("/command")} | changes
    found = made_of(tmp_path, sorted([*said, *asked], key=lambda one: one.at_s), **given)
    return found, read_episodes(tmp_path / "episodes")


def targets(lag_s: float = 0.0, frame: str = "base") -> list[Said]:
    """Poses to go to: where the tcp will be so much later."""
    return [
        Said("/command", POSE, at_s, pose(at_s, frame=frame, law=lambda t: truth(t + lag_s)))
        for at_s in every(0.05, 0, 6)
    ]


def velocity(seconds: float) -> np.ndarray:
    return np.array(VELOCITY) * seconds


def actions(episodes) -> np.ndarray:
    return episodes.actions[0, : episodes.lengths[0]]


def test_a_pose_that_was_asked_for_is_the_target_of_its_step(tmp_path):
    found, episodes = made(tmp_path, targets(lag_s=0.04))
    planned = found.episodes[0].planned
    assert planned.actions.source == "commands"
    np.testing.assert_allclose(actions(episodes)[:, :3], np.tile(velocity(STEP_S + 0.04), (29, 1)), atol=1e-6)


def test_commands_that_the_arm_lags_behind_do_not_count(tmp_path):
    found, episodes = made(tmp_path, targets(lag_s=0.15))
    planned = found.episodes[0].planned
    assert planned.actions.source == "states"
    assert "missed what was asked by 7" in planned.actions.why  # 0.15 s of 0.2 s
    np.testing.assert_allclose(actions(episodes)[:, 0], VELOCITY[0] * STEP_S, atol=1e-6)


def test_commands_count_where_the_file_says_so(tmp_path):
    found, episodes = made(tmp_path, targets(lag_s=0.15), actions="commands")
    assert found.episodes[0].planned.actions.source == "commands"
    np.testing.assert_allclose(actions(episodes)[:, 0], VELOCITY[0] * (STEP_S + 0.15), atol=1e-6)


def test_states_count_where_the_file_says_so(tmp_path):
    found, _ = made(tmp_path, targets(), actions="states")
    assert found.episodes[0].planned.actions.source == "states"


def test_a_twist_is_what_it_amounts_to_over_its_step(tmp_path):
    found, episodes = made(
        tmp_path, [Said("/command", TWIST, at_s, twist(at_s, VELOCITY, (0, 0, 0.9))) for at_s in every(0.05, 0, 6)]
    )
    assert found.episodes[0].planned.actions.source == "commands"
    np.testing.assert_allclose(actions(episodes)[:, :3], np.tile(velocity(STEP_S), (29, 1)), atol=1e-6)
    np.testing.assert_allclose(actions(episodes)[:, 5], 0.9 * STEP_S, atol=1e-5)


def test_a_twist_of_the_tool_is_turned_into_the_base(tmp_path):
    def in_tool(at_s: float):
        from scipy.spatial.transform import Rotation

        tool = Rotation.from_euler("xyz", truth(at_s)[1])
        return twist(at_s, tuple(tool.inv().apply(VELOCITY)), tuple(tool.inv().apply((0, 0, 0.9))), "tool0")

    found, episodes = made(tmp_path, [Said("/command", TWIST, at_s, in_tool(at_s)) for at_s in every(0.01, 0, 6)])
    assert found.episodes[0].planned.actions.source == "commands"
    np.testing.assert_allclose(actions(episodes)[:, :3], np.tile(velocity(STEP_S), (29, 1)), atol=3e-4)


def test_twists_without_units_are_scaled(tmp_path):
    scaled = [
        Said("/command", TWIST, at_s, twist(at_s, np.array(VELOCITY) / 0.5, (0, 0, 0.9))) for at_s in every(0.05, 0, 6)
    ]
    found, _ = made(tmp_path, scaled, commands=Commands("/command", (0.5, 1.0)))
    assert found.episodes[0].planned.actions.source == "commands"


def test_a_twist_that_is_not_repeated_ends(tmp_path):
    once = [Said("/command", TWIST, 1.0, twist(1.0, (0.1, 0.0, 0.0)))]
    _, episodes = made(tmp_path, [Said("/command", TWIST, 0.0, twist(0.0, (0.0, 0.0, 0.0))), *once], actions="commands")
    moved = actions(episodes)[:, 0]
    assert moved.sum() == pytest.approx(0.025, abs=1e-6)  # 0.1 m/s for a quarter of a second
    assert (moved > 0).sum() <= 3


def plan_message(at_s: float, later_s: float):
    poses = [pose(at_s + later_s).pose, pose(at_s + 2 * later_s).pose]
    duration = TYPES["builtin_interfaces/msg/Duration"](0, 0)
    time = TYPES["builtin_interfaces/msg/Time"](0, 0)
    return TYPES[PLAN](header(at_s), 1, 0, time, duration, duration, poses, np.zeros(2, np.float32))


def test_the_first_step_of_a_plan_is_what_it_asked_for(tmp_path):
    plans = [Said("/command", PLAN, at_s, plan_message(at_s, STEP_S)) for at_s in every(STEP_S, 0.12, 5.9)]
    found, episodes = made(tmp_path, plans)
    assert found.episodes[0].planned.actions.source == "commands"
    np.testing.assert_allclose(actions(episodes)[:, 0], VELOCITY[0] * (STEP_S + 0.02), atol=1e-6)


LIMITS = SafetyLimits.panda()
ARM = LIMITS.kinematics()
HOME = np.array([0.1, -0.3, 0.0, -2.3, 0.0, 2.0, 0.785])
SPEED = np.array([0.1, 0.05, -0.1, 0.05, 0.05, 0.0, 0.2])


def trajectory(at_s: float, stamped: bool):
    """To where the joints are half a second later, with a point in between, the joints in another order."""
    names = ARM.joint_names[::-1]
    points = []
    for after_s in (0.25, 0.5):
        reached = HOME + SPEED * (at_s + after_s)
        duration = TYPES["builtin_interfaces/msg/Duration"](0, round(after_s * 1e9))
        none = np.zeros(0)
        points.append(
            TYPES["trajectory_msgs/msg/JointTrajectoryPoint"](reached[::-1].copy(), none, none, none, duration)
        )
    return TYPES[TRAJECTORY](header(at_s if stamped else None), list(names), points)


@pytest.mark.parametrize("stamped", [True, False])
def test_a_joint_trajectory_is_where_it_would_be_at_the_end_of_the_step(tmp_path, stamped):
    said = [Said("/front/image_raw", IMAGE, at_s, image(at_s)) for at_s in every(0.1, 0.1, 3.9)]
    for at_s in every(0.01, 0.0, 4.0):
        positions = dict(zip(ARM.joint_names, HOME + SPEED * at_s, strict=True)) | {
            "panda_finger_joint1": 0.04, "panda_finger_joint2": 0.04,
        }  # fmt: skip
        said.append(Said("/joint_states", JOINTS, at_s, joint_state(at_s, positions)))
    commands = [Said("/command", TRAJECTORY, at_s, trajectory(at_s, stamped)) for at_s in every(0.05, 0.0, 4.0)]
    arm = JointArm(str(shipped_config("panda_limits.yaml")))
    found, episodes = made(tmp_path, commands, said, arm=arm, gripper=None, actions="commands")
    stamps_s = np.array([0.1 + STEP_S * step for step in range(len(actions(episodes)) + 1)])
    for at_s, then_s, action in zip(stamps_s, stamps_s[1:], actions(episodes), strict=False):
        now_m, _ = ARM.tcp_pose(HOME + SPEED * at_s)
        asked_m, _ = ARM.tcp_pose(HOME + SPEED * (then_s + 0.25))  # the newest is sampled at its first point
        np.testing.assert_allclose(action[:3], asked_m - now_m, atol=1e-5)
    assert found.episodes[0].planned.actions.source == "commands"


def test_gripper_commands_are_asked_closure_and_hold_until_the_next(tmp_path):
    said = [Said("/grip", FLOAT, at_s, number(value)) for at_s, value in ((1.05, 1.0), (3.05, 0.0))]
    _, episodes = made(tmp_path, said, commands=None, gripper_commands=GripperSource("/grip", open=0.0, closed=1.0))
    stamps_s = np.array([0.1 + STEP_S * step for step in range(len(actions(episodes)) + 1)])
    states = episodes.states[0, : len(stamps_s)]
    np.testing.assert_allclose(states[:, 7], 0.1 + 0.05 * stamps_s, atol=1e-6)
    asked = np.where(stamps_s < 1.05, 0.1 + 0.05 * stamps_s, np.where(stamps_s < 3.05, 1.0, 0.0))
    np.testing.assert_allclose(states[:, 6], asked, atol=1e-6)
    np.testing.assert_allclose(actions(episodes)[:, 6], np.diff(asked), atol=1e-6)


def test_without_gripper_commands_where_the_gripper_goes_is_what_was_asked(tmp_path):
    _, episodes = made(tmp_path, [], commands=None)
    np.testing.assert_allclose(actions(episodes)[:, 6], 0.05 * STEP_S, atol=1e-6)
    np.testing.assert_array_equal(episodes.states[..., 6], episodes.states[..., 7])


def test_commands_that_are_not_in_the_bag_leave_the_states(tmp_path):
    found, _ = made(tmp_path, [])
    assert found.episodes[0].planned.actions.source == "states"
    assert "nothing was recorded on /command" in found.plans[0].notes[0]


def test_commands_that_begin_late_do_not_count_unless_they_must(tmp_path):
    late = [one for one in targets() if one.at_s > 2.0]
    found, _ = made(tmp_path, late)
    assert found.episodes[0].planned.actions.source == "states"
    assert "steps have no command on /command" in found.episodes[0].planned.actions.why
    (tmp_path / "must").mkdir()
    said = [*recorded(views=("front",)), *late]
    must = made_of(
        tmp_path / "must", sorted(said, key=lambda one: one.at_s), views=("front",), time_step_s=STEP_S,
        commands=Commands("/command"), actions="commands",
    )  # fmt: skip
    assert [kind for kind, *_ in cuts_of(must)] == ["no command"]


def test_commands_in_another_frame_are_counted_and_do_not_count(tmp_path):
    found, _ = made(tmp_path, targets(frame="camera"))
    assert found.episodes[0].planned.actions.source == "states"
    assert "poses are in 'camera', expected 'base'" in found.plans[0].topics["/command"].notes[0]


def test_commands_that_must_be_there_and_are_not_are_named(tmp_path):
    with pytest.raises(
        BagError, match="the bag has no topic /command with messages; it has /front/image_raw, /gripper"
    ):
        made(tmp_path, [], actions="commands")


def test_commands_of_another_type_are_named(tmp_path):
    wrong = [Said("/command", FLOAT, 1.0, number(0.0))]
    with pytest.raises(
        BagError, match=r"topic /command is of std_msgs/msg/Float64; expected geometry_msgs/msg/TwistStamped"
    ):
        made(tmp_path, wrong)
