"""The tcp from whatever tells it, against the law or the kinematics by which the arm moved."""

import numpy as np
import pytest
from bag_scenes import (
    BEGIN_NS,
    IMAGE,
    JOINTS,
    POSE,
    TYPES,
    Said,
    every,
    geometry_pose,
    header,
    image,
    joint_state,
    made_of,
    pose,
    recorded,
    truth,
)
from scipy.spatial.transform import Rotation

from jepa_planner.control.limits import SafetyLimits, shipped_config
from jepa_planner.learning.data.bags.message import BagError
from jepa_planner.learning.data.episodes import read_episodes
from jepa_planner.learning.data.recording import JointArm, PoseArm

ARM_STATE, TF = "jepa_planner/msg/ArmState", "tf2_msgs/msg/TFMessage"
LIMITS = SafetyLimits.panda()
ARM = LIMITS.kinematics()
HOME = np.array([0.1, -0.3, 0.0, -2.3, 0.0, 2.0, 0.785])
SPEED = np.array([0.02, 0.01, -0.03, 0.02, 0.01, 0.0, 0.1])


def joints(at_s: float) -> dict[str, float]:
    return dict(zip(ARM.joint_names, HOME + SPEED * at_s, strict=True))


def fingers(at_s: float) -> dict[str, float]:
    return {"panda_finger_joint1": 0.04 - 0.004 * at_s, "panda_finger_joint2": 0.04 - 0.004 * at_s}


def pictures(seconds: float = 4.0) -> list[Said]:
    return [Said("/front/image_raw", IMAGE, at_s, image(at_s)) for at_s in every(0.1, 0.13, seconds - 0.2)]


def made(tmp_path, said: list[Said], **changes):
    given = {"views": ("front",), "gripper": None} | changes
    return made_of(tmp_path, sorted(said, key=lambda one: one.at_s), **given)


def read(tmp_path):
    return read_episodes(tmp_path / "episodes")


def limits_file() -> str:
    return str(shipped_config("panda_limits.yaml"))


def stamps_s(made) -> np.ndarray:
    return (made.episodes[0].planned.piece.stamps_ns - BEGIN_NS) * 1e-9


def check_joints(tmp_path, found, closure: bool = True) -> None:
    episodes = read(tmp_path)
    for at_s, state in zip(stamps_s(found), episodes.states[0], strict=False):
        xyz_m, rotation = ARM.tcp_pose(HOME + SPEED * at_s)
        np.testing.assert_allclose(state[:3], xyz_m, atol=1e-6)
        np.testing.assert_allclose(Rotation.from_euler("xyz", state[3:6]).as_matrix(), rotation, atol=1e-5)
        np.testing.assert_allclose(state[7], 0.1 * at_s if closure else 0.0, atol=1e-6)
    assert (episodes.frame, episodes.tcp_frame) == ("panda_link0", "tcp")


def test_joint_states_tell_the_tcp_by_the_urdf_and_the_gripper_by_the_limits_file(tmp_path):
    said = [
        Said("/joint_states", JOINTS, at_s, joint_state(at_s, joints(at_s) | fingers(at_s)))
        for at_s in every(0.01, 0, 4)
    ]
    found = made(tmp_path, [*pictures(), *said], arm=JointArm(limits_file()))
    check_joints(tmp_path, found)


def test_joints_may_come_in_several_messages_and_in_any_order(tmp_path):
    said = []
    for at_s in every(0.01, 0.0, 4.0):
        whole = dict(reversed(joints(at_s).items()))
        first = {name: whole[name] for name in list(whole)[:3]}
        rest = {name: whole[name] for name in list(whole)[3:]} | {"wheel": 7.0}
        said.append(Said("/joint_states", JOINTS, at_s, joint_state(at_s, first)))
        said.append(Said("/joint_states", JOINTS, at_s + 0.003, joint_state(at_s + 0.003, _moved(rest, 0.003))))
        said.append(Said("/joint_states", JOINTS, at_s + 0.005, joint_state(at_s + 0.005, fingers(at_s + 0.005))))
    check_joints(tmp_path, made(tmp_path, [*pictures(), *said], arm=JointArm(limits_file())))


def _moved(positions: dict[str, float], later_s: float) -> dict[str, float]:
    speeds = dict(zip(ARM.joint_names, SPEED, strict=True))
    return {name: position + speeds.get(name, 0.0) * later_s for name, position in positions.items()}


def test_a_driver_that_calls_joints_otherwise_is_understood_by_the_limits_file(tmp_path):
    text = shipped_config("panda_limits.yaml").read_text().replace("panda.urdf", str(shipped_config("panda.urdf")))
    (tmp_path / "limits.yaml").write_text(text + "\njoint_prefix: left_\n")
    said = []
    for at_s in every(0.01, 0.0, 4.0):
        named = {f"left_{name}": value for name, value in (joints(at_s) | fingers(at_s)).items()}
        said.append(Said("/joint_states", JOINTS, at_s, joint_state(at_s, named)))
    check_joints(tmp_path, made(tmp_path, [*pictures(), *said], arm=JointArm(str(tmp_path / "limits.yaml"))))


def test_a_joint_that_turns_without_end_takes_the_shorter_way(tmp_path):
    text = shipped_config("panda.urdf").read_text()
    at = text.index('<joint name="panda_joint7" type="revolute">')
    (tmp_path / "endless.urdf").write_text(text[:at] + text[at:].replace('type="revolute"', 'type="continuous"', 1))
    limits = shipped_config("panda_limits.yaml").read_text().replace("panda.urdf", "endless.urdf")
    (tmp_path / "limits.yaml").write_text(limits)
    said = []
    for at_s in every(0.05, 0.0, 4.0):
        turned = joints(0.0) | {"panda_joint7": float(np.remainder(3.0 + 0.9 * at_s + np.pi, 2 * np.pi) - np.pi)}
        said.append(Said("/joint_states", JOINTS, at_s, joint_state(at_s, turned | fingers(at_s))))
    found = made(tmp_path, [*pictures(), *said], arm=JointArm(str(tmp_path / "limits.yaml")))
    for at_s, state in zip(stamps_s(found), read(tmp_path).states[0], strict=False):
        _, rotation = ARM.tcp_pose(np.append(HOME[:6], 3.0 + 0.9 * at_s))
        np.testing.assert_allclose(Rotation.from_euler("xyz", state[3:6]).as_matrix(), rotation, atol=1e-5)


def test_a_joint_that_never_comes_is_named_with_those_that_do(tmp_path):
    said = [
        Said("/joint_states", JOINTS, at_s, joint_state(at_s, {f"fr3_joint{number}": 0.0 for number in range(1, 8)}))
        for at_s in every(0.01, 0.0, 4.0)
    ]
    with pytest.raises(
        BagError, match=r"/joint_states never has a position of panda_joint1.*it has fr3_joint1.*joint_prefix"
    ):
        made(tmp_path, [*pictures(), *said], arm=JointArm(limits_file()))


def test_fingers_that_never_come_are_named(tmp_path):
    said = [Said("/joint_states", JOINTS, at_s, joint_state(at_s, joints(at_s))) for at_s in every(0.01, 0.0, 4.0)]
    with pytest.raises(
        BagError, match="never has a number of panda_finger_joint1, panda_finger_joint2; it has panda_joint1"
    ):
        made(tmp_path, [*pictures(), *said], arm=JointArm(limits_file()))


def test_an_arm_without_a_gripper_has_it_open(tmp_path):
    text = shipped_config("panda_limits.yaml").read_text().replace("panda.urdf", str(shipped_config("panda.urdf")))
    lines = [line for line in text.splitlines() if not line.startswith("gripper_") or "rate" in line]
    (tmp_path / "limits.yaml").write_text("\n".join([*lines, "gripper_joints: []"]))
    said = [Said("/joint_states", JOINTS, at_s, joint_state(at_s, joints(at_s))) for at_s in every(0.01, 0.0, 4.0)]
    found = made(tmp_path, [*pictures(), *said], arm=JointArm(str(tmp_path / "limits.yaml")))
    check_joints(tmp_path, found, closure=False)


def test_positions_that_are_no_numbers_are_passed_over(tmp_path):
    said = []
    for number, at_s in enumerate(every(0.01, 0.0, 4.0)):
        spoilt = {"panda_joint3": float("nan")} if number % 10 == 5 else {}
        said.append(Said("/joint_states", JOINTS, at_s, joint_state(at_s, joints(at_s) | fingers(at_s) | spoilt)))
    check_joints(tmp_path, made(tmp_path, [*pictures(), *said], arm=JointArm(limits_file())))


def check_law(tmp_path, found) -> None:
    for at_s, state in zip(stamps_s(found), read(tmp_path).states[0], strict=False):
        at_m, rpy = truth(at_s)
        np.testing.assert_allclose(state[:3], at_m, atol=1e-5)
        turn = Rotation.from_euler("xyz", state[3:6]).inv() * Rotation.from_euler("xyz", rpy)
        assert turn.magnitude() < 1e-4


def transform(at_s: float, child: str, parent: str, at_m, rpy):
    placed = geometry_pose(at_m, rpy)
    vector = TYPES["geometry_msgs/msg/Vector3"](placed.position.x, placed.position.y, placed.position.z)
    moved = TYPES["geometry_msgs/msg/Transform"](vector, placed.orientation)
    return TYPES["geometry_msgs/msg/TransformStamped"](header(at_s, parent), child, moved)


def test_transforms_lead_from_the_tcp_to_the_base_through_moving_and_fixed_ones(tmp_path):
    said = []
    for at_s in every(0.02, 0.0, 4.0):
        at_m, rpy = truth(at_s)
        chain = [transform(at_s, "wrist", "base", at_m, rpy), transform(at_s, "elsewhere", "base", at_m * 3, rpy)]
        said.append(Said("/tf", TF, at_s, TYPES[TF](chain)))
    fixed = TYPES[TF]([transform(0.0, "tool0", "wrist", (0.0, 0.0, 0.1), (0.0, 0.0, 0.5))])
    said.append(Said("/tf_static", TF, 0.0, fixed))
    found = made(tmp_path, [*pictures(), *said], arm=PoseArm("/tf", "tool0", "base"))
    for at_s, state in zip(stamps_s(found), read(tmp_path).states[0], strict=False):
        at_m, rpy = truth(at_s)
        np.testing.assert_allclose(state[:3], at_m - np.array([0.0, 0.0, 0.1]), atol=1e-5)  # its tool points down
        expected = Rotation.from_euler("xyz", rpy) * Rotation.from_euler("z", 0.5)
        turn = Rotation.from_euler("xyz", state[3:6]).inv() * expected
        assert turn.magnitude() < 1e-4


def test_a_chain_that_is_broken_is_refused_with_the_frames_there_are(tmp_path):
    said = [
        Said("/tf", TF, at_s, TYPES[TF]([transform(at_s, "wrist", "world", *truth(at_s))])) for at_s in every(0.1, 0, 4)
    ]
    with pytest.raises(BagError, match="does not tell wrist in base; it has wrist in world"):
        made(tmp_path, [*pictures(), *said], arm=PoseArm("/tf", "wrist", "base"))


def arm_state(at_s: float):
    never = TYPES["builtin_interfaces/msg/Time"](0, 0)
    placed = geometry_pose(*truth(at_s))
    asked = 0.0 if at_s < 2.0 else 1.0
    return TYPES[ARM_STATE](header(at_s), placed, placed, asked, 0.25 * at_s / 4.0, 1, False, never, 0, 0, "", 0, "")


def test_arm_states_tell_pose_and_gripper_measured_and_asked(tmp_path):
    said = [Said("/arm_state", ARM_STATE, at_s, arm_state(at_s)) for at_s in every(0.02, 0.0, 4.0)]
    found = made(tmp_path, [*pictures(), *said], arm=PoseArm("/arm_state", "tool0"))
    check_law(tmp_path, found)
    states, times_s = read(tmp_path).states[0], stamps_s(found)
    np.testing.assert_allclose(states[: len(times_s), 7], 0.25 * times_s / 4.0, atol=1e-6)
    np.testing.assert_array_equal(states[: len(times_s), 6], times_s >= 2.0)
    assert read(tmp_path).actions[0, :, 6].sum() == 1.0


@pytest.mark.parametrize("kind", ["Odometry", "PoseWithCovarianceStamped", "TransformStamped", "Pose"])
def test_poses_of_other_types_are_taken(tmp_path, kind):
    said = []
    for at_s in every(0.02, 0.0, 4.0):
        placed = geometry_pose(*truth(at_s))
        covered = TYPES["geometry_msgs/msg/PoseWithCovariance"](placed, np.zeros(36))
        if kind == "Odometry":
            zero = TYPES["geometry_msgs/msg/Vector3"](0.0, 0.0, 0.0)
            still = TYPES["geometry_msgs/msg/TwistWithCovariance"](
                TYPES["geometry_msgs/msg/Twist"](zero, zero), np.zeros(36)
            )
            package, message = "nav_msgs", TYPES["nav_msgs/msg/Odometry"](header(at_s), "tool0", covered, still)
        elif kind == "TransformStamped":
            package, message = "geometry_msgs", transform(at_s, "tool0", "base", *truth(at_s))
        elif kind == "Pose":
            package, message = "geometry_msgs", placed
        else:
            package = "geometry_msgs"
            message = TYPES["geometry_msgs/msg/PoseWithCovarianceStamped"](header(at_s), covered)
        said.append(Said("/tcp", f"{package}/msg/{kind}", at_s, message))
    found = made(tmp_path, [*pictures(), *said], arm=PoseArm("/tcp", "tool0", "base"))
    check_law(tmp_path, found)
    assert read(tmp_path).frame == "base"


def test_poses_in_another_frame_are_refused(tmp_path):
    said = [Said("/tcp_pose", POSE, at_s, pose(at_s, frame="world")) for at_s in every(0.02, 0.0, 4.0)]
    with pytest.raises(BagError, match="poses are in 'world', expected 'base'"):
        made(tmp_path, [*pictures(), *said], arm=PoseArm("/tcp_pose", "tool0", "base"))


def test_orientations_that_are_none_are_passed_over_and_counted(tmp_path):
    said = []
    for number, one in enumerate(one for one in recorded(seconds=4.0) if one.topic == "/tcp_pose"):
        if number % 10 == 3:
            one.message.pose.orientation.w += 0.5
        said.append(one)
    found = made(tmp_path, [*pictures(), *said])
    check_law(tmp_path, found)
    assert "20 messages could not be used: a pose on /tcp_pose" in found.plans[0].topics["/tcp_pose"].notes[0]
