"""Six families of arms: a limits file from their description alone, and motions within it, of simulated physics."""

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import yaml
from bullet_arm import BulletArm
from harness import Rig, numbers
from jepa_planner.msg import ArmState
from rclpy.node import Node
from robot_arms import FAMILIES, Family, urdf
from sensor_msgs.msg import JointState
from std_msgs.msg import Header, String
from trajectory_msgs.msg import JointTrajectory

from jepa_planner.cli.main import main
from jepa_planner.control.arm_executive import ArmExecutive
from jepa_planner.control.arm_settings import ArmSettings
from jepa_planner.control.kinematics import ArmKinematics, rotation_from_rpy, rotation_vector
from jepa_planner.control.limits import SafetyLimits
from jepa_planner.control.setpoints import Setpoint
from jepa_planner.control.step_checks import Step
from jepa_planner.nodes import qos

PERIOD_S = 0.02
SETTLE_S = 0.1
POSES, REACHED_M = 20, 0.002
STEP_S = 1.0
TOLERANCE = 1e-6
NAMES = [family.name for family in FAMILIES]
PREFIX = "cell_"


@dataclass(frozen=True)
class Described:
    """A family with the limits file that was written for it."""

    family: Family
    file: Path
    limits: SafetyLimits
    arm: ArmKinematics

    @property
    def posture_rad(self) -> np.ndarray:
        return np.array(self.limits.posture_rad)


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """The limits of each family, written once by the verb."""
    found: dict[str, Described] = {}

    def of(name: str) -> Described:
        if name not in found:
            folder = tmp_path_factory.mktemp(name)
            (folder / "arm.urdf").write_text(urdf(name))
            assert main(["robot", str(folder / "arm.urdf"), "--out", str(folder / "limits.yaml")]) == 0
            limits = SafetyLimits.load(folder / "limits.yaml")
            family = next(family for family in FAMILIES if family.name == name)
            found[name] = Described(family, folder / "limits.yaml", limits, limits.kinematics())
        return found[name]

    return of


@pytest.fixture
def simulated(tmp_path):
    """Makes arms of simulated physics, and ends them."""
    arms: list[BulletArm] = []

    def of(described: Described) -> BulletArm:
        family = described.family
        arms.append(BulletArm(tmp_path, urdf(family.name), family.joints, described.posture_rad, PERIOD_S))
        return arms[-1]

    yield of
    for arm in arms:
        arm.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_first_limits_file_is_for_the_arm_as_it_is(described, name):
    found = described(name)
    family, limits, arm = found.family, found.limits, found.arm
    assert arm.joint_names == family.joints
    assert limits.gripper.joints == family.fingers
    assert limits.linear_velocity_m_s <= 0.1
    assert np.max(arm.velocity_rad_s) * limits.joint_velocity_scale <= 0.85
    xyz_m, rotation = arm.tcp_pose(found.posture_rad)
    assert limits.inside_workspace(xyz_m)
    assert arm.turning_axes(found.posture_rad)[-1][2] ** 2 > 0.999
    np.testing.assert_allclose(limits.clip_yaw(rotation, rotation), rotation)
    elbow_m = np.max(arm.joint_points(found.posture_rad)[:, 2])
    assert elbow_m > xyz_m[2] + 0.1
    assert np.min(np.subtract(limits.workspace_max_m, limits.workspace_min_m)) > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_kinematics_are_those_of_the_engine(described, simulated, name):
    found, rng = described(name), np.random.default_rng(0)
    engine = simulated(found)
    lower, upper = np.clip(found.arm.lower_rad, -3, 3), np.clip(found.arm.upper_rad, -3, 3)
    for _ in range(5):
        q_rad = rng.uniform(lower, upper)
        for number, position in zip(engine._joints, q_rad, strict=True):
            engine.engine.resetJointState(engine._body, number, position)
        seen_m = engine.place_m(found.limits.tcp_frame, found.limits.base_frame)
        np.testing.assert_allclose(seen_m, found.arm.tcp_pose(q_rad)[0], atol=1e-4)


class Course:
    """An executive around an arm of simulated physics, as fast as both can; each setpoint is judged."""

    def __init__(self, found: Described, engine: BulletArm) -> None:
        self.found, self.engine = found, engine
        self.executive = ArmExecutive(found.arm, found.limits, 1.0 / PERIOD_S, ArmSettings())
        self.now_s, self.plan, self._before_rad = 100.0, 0, found.posture_rad
        self.setpoints = 0
        self._down = found.arm.tcp_pose(found.posture_rad)[1]

    def tick(self) -> None:
        self.now_s += PERIOD_S
        self.executive.measured(self.now_s, self.now_s, self.engine.measured()[0], 0.0)
        if (setpoint := self.executive.tick(self.now_s)) is not None:
            self._judge(setpoint)
            self.engine.position, self.engine.velocity = setpoint.q_rad, setpoint.dq_rad_s
        self.engine.step()

    def _judge(self, setpoint: Setpoint) -> None:
        arm, limits = self.found.arm, self.found.limits
        assert np.all(setpoint.q_rad >= arm.lower_rad - TOLERANCE)
        assert np.all(setpoint.q_rad <= arm.upper_rad + TOLERANCE)
        most_rad_s = arm.velocity_rad_s * limits.joint_velocity_scale + TOLERANCE
        assert np.all(np.abs(setpoint.dq_rad_s) <= most_rad_s)
        assert np.all(np.abs(setpoint.q_rad - self._before_rad) <= most_rad_s * PERIOD_S)
        xyz_m, rotation = arm.tcp_pose(setpoint.q_rad)
        assert limits.inside_workspace(xyz_m, 5e-4)
        assert np.all(np.abs(setpoint.linear_velocity_m_s) <= limits.linear_velocity_m_s + TOLERANCE)
        assert np.max(np.abs(limits.clip_yaw(rotation, self._down) - rotation)) < 5e-3
        self._before_rad = setpoint.q_rad
        self.setpoints += 1

    def go(self, xyz_m: np.ndarray, rotation: np.ndarray) -> None:
        """In steps, each begun at rest, to a pose; returns at rest."""
        start_m, start = self.executive.stream.pose()
        turn = rotation_vector(rotation @ start.T)
        steps = int(np.ceil(max(np.linalg.norm(xyz_m - start_m) / 0.08, np.linalg.norm(turn) / 0.35, 1.0)))
        for number in range(1, steps + 1):
            share = number / steps
            self.plan += 1
            step = Step(
                self.plan, self.now_s, self.now_s, 0.5, STEP_S, start_m + share * (xyz_m - start_m),
                _turned(start, share * turn), 0.0,
            )  # fmt: skip
            assert self.executive.offer(self.now_s, step).text == ""
            self._wait()

    def _wait(self) -> None:
        self.tick()
        while self.executive.moving:
            self.tick()
        assert "done" in self.executive.reason or "reset" in self.executive.reason, self.executive.reason


def _turned(rotation: np.ndarray, vector: np.ndarray) -> np.ndarray:
    from jepa_planner.control.kinematics import rotation_from_vector

    return rotation_from_vector(vector) @ rotation


def poses_in_the_box(found: Described, count: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Poses all over the box, the tool down and turned, each the nearest that is left to the one before."""
    rng, limits = np.random.default_rng(seed), found.limits
    low_m, high_m = np.array(limits.workspace_min_m), np.array(limits.workspace_max_m)
    middle_m, rotation = found.arm.tcp_pose(found.posture_rad)
    least_rad, most_rad = limits.workspace_yaw_rad
    left = [(rng.uniform(low_m, high_m), rng.uniform(-0.4, 0.4) * (most_rad - least_rad) / 2) for _ in range(count - 2)]
    left += [(low_m, 0.0), (high_m, 0.0)]
    poses, at_m = [], middle_m
    while left:
        nearest = min(range(len(left)), key=lambda number: np.linalg.norm(left[number][0] - at_m))
        at_m, yaw_rad = left.pop(nearest)
        poses.append((at_m, rotation_from_rpy(np.array([0.0, 0.0, yaw_rad])) @ rotation))
    return poses


def move_through(found: Described, engine: BulletArm, poses) -> float:
    """Moves through poses; returns the furthest (m) that the simulated arm was from one of them."""
    course, worst_m = Course(found, engine), 0.0
    for _ in range(5):
        course.tick()
    for xyz_m, rotation in poses:
        course.go(xyz_m, rotation)
        for _ in range(int(SETTLE_S / PERIOD_S)):
            course.tick()
        seen_m = engine.place_m(found.limits.tcp_frame, found.limits.base_frame)
        worst_m = max(worst_m, float(np.linalg.norm(seen_m - xyz_m)))
        turned = rotation_vector(rotation @ found.arm.tcp_pose(engine.measured()[0])[1].T)
        assert np.linalg.norm(turned) < 0.02
    assert course.setpoints > 50 * len(poses)
    return worst_m


@pytest.mark.parametrize("name", NAMES)
def test_an_arm_reaches_poses_all_over_its_box_and_never_exceeds_its_limits(described, simulated, name):
    found = described(name)
    assert move_through(found, simulated(found), poses_in_the_box(found, POSES)) < REACHED_M


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("name", NAMES)
def test_so_it_does_from_any_pose_to_any_other(described, simulated, name, seed):
    found = described(name)
    poses = poses_in_the_box(found, 40, seed)
    shuffled = [poses[number] for number in np.random.default_rng(seed).permutation(len(poses))]
    assert move_through(found, simulated(found), shuffled) < REACHED_M


class Driver(Node):
    """A driver that calls its joints by a prefix, has them in an order of its own, and obeys the engine's physics."""

    def __init__(self, namespace: str, found: Described, engine: BulletArm) -> None:
        super().__init__("driver", namespace=namespace)
        self._engine, self._found = engine, found
        self.arm_states: list[ArmState] = []
        self.commands: list[JointTrajectory] = []
        self.joints = [PREFIX + name for name in found.family.joints]
        self.fingers = [PREFIX + name for name in found.family.fingers]
        order = np.random.default_rng(1).permutation(len(self.joints) + len(self.fingers) + 1)
        names = [*self.joints, *self.fingers, "somebody_elses_joint"]
        self._order, self._names = order, [names[number] for number in order]
        self._states = self.create_publisher(JointState, "joint_states", qos.STREAM)
        self._description = self.create_publisher(String, "robot_description", qos.LATCHED)
        self._description.publish(String(data=urdf(found.family.name)))
        self.create_subscription(JointTrajectory, "joint_trajectory", self._obey, 50)
        self.create_subscription(ArmState, "arm_state", self.arm_states.append, 50)
        for name in found.family.fingers:
            engine.hold(name, found.limits.gripper.open)
            self.create_subscription(JointTrajectory, "gripper_command", self._grip, 50)
        self.create_timer(PERIOD_S, self._tick)

    def _obey(self, message: JointTrajectory) -> None:
        self.commands.append(message)
        order = [message.joint_names.index(name) for name in self.joints]
        point = message.points[0]
        self._engine.position = np.array(point.positions)[order]
        self._engine.velocity = np.array(point.velocities)[order]

    def _grip(self, message: JointTrajectory) -> None:
        [name] = message.joint_names
        self._engine.hold(name.removeprefix(PREFIX), message.points[0].positions[0])

    def _tick(self) -> None:
        self._engine.step()
        fingers = [self._engine.finger(name) for name in self._found.family.fingers]
        positions = np.array([*self._engine.measured()[0], *fingers, 1.0])[self._order]
        message = JointState(name=self._names, position=positions.tolist())
        message.header.stamp = self.get_clock().now().to_msg()
        self._states.publish(message)


class DriverRig(Rig):
    def __init__(self, found: Described, engine: BulletArm) -> None:
        self.robot_class = partial(Driver, found=found, engine=engine)
        super().__init__("")


@pytest.mark.parametrize("name", NAMES)
def test_a_driver_with_names_of_its_own_is_served_over_topics(ros, described, simulated, tmp_path, name):
    found = described(name)
    engine = simulated(found)
    by_topic = NAMES.index(name) % 2 == 0
    plain = yaml.safe_load(found.file.read_text()) | {"joint_prefix": PREFIX}
    plain["robot_description"] = "topic" if by_topic else str(found.limits.robot_description)
    (tmp_path / "limits.yaml").write_text(yaml.safe_dump(plain))
    rig = DriverRig(found, engine)
    try:
        rig.arm(limits_file=str(tmp_path / "limits.yaml"), rate_hz=1.0 / PERIOD_S)
        rig.until(rig.holding)
        start_m = numbers(rig.state().commanded_pose.position)
        header = Header(frame_id=found.limits.base_frame, stamp=rig.robot.get_clock().now().to_msg())
        closure = 1.0 if found.family.fingers else 0.0
        plan = rig.send_plan(1, (0.02, 0.02, 0.02), header=header, gripper_closure=[closure])
        rig.until(lambda: rig.state().plan_id == 1 and not rig.state().moving)
        rig.commands_settle()
        time.sleep(SETTLE_S)
        assert rig.robot.commands and set(rig.robot.commands[0].joint_names) == set(rig.robot.joints)
        target_m = numbers(plan.poses[0].position)
        np.testing.assert_allclose(target_m - start_m, 0.02, atol=1e-6)
        rig.until(lambda: np.linalg.norm(numbers(rig.state().pose.position) - target_m) < REACHED_M)
        rig.until(lambda: abs(rig.state().closure_measured - closure) < 0.05)
    finally:
        rig.close()
