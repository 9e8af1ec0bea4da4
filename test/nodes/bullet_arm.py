"""Any arm as PyBullet simulates it: gravity, torques that follow setpoints, and nothing to look at or to touch."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pybullet
from pybullet_utils.bullet_client import BulletClient

from jepa_planner.control.description_text import DescriptionText

ENGINE_S = 0.01
"""A step of the engine."""
STIFFNESS, DAMPING = 400.0, 40.0
"""Of each joint (1/s2, 1/s), whose inertia the controller knows: errors are halved in 0.08 s."""


class BulletArm:
    """joints: names in the order of setpoints; held: joints that stay where they are told to be, as fingers do."""

    def __init__(self, folder: Path, urdf: str, joints: tuple[str, ...], q_rad: np.ndarray, period_s: float) -> None:
        (folder / "bare.urdf").write_text(_bare(urdf))
        self.engine = BulletClient(pybullet.DIRECT)
        self.engine.setTimeStep(ENGINE_S)
        self._steps = round(period_s / ENGINE_S)
        self.engine.setGravity(0.0, 0.0, -9.81)
        self._body = self.engine.loadURDF(str(folder / "bare.urdf"), useFixedBase=True)
        infos = [self.engine.getJointInfo(self._body, n) for n in range(self.engine.getNumJoints(self._body))]
        self._number = {info[1].decode(): info[0] for info in infos}
        self._link = {info[12].decode(): info[0] for info in infos}
        self._joints = [self._number[name] for name in joints]
        for number, position in zip(self._joints, q_rad, strict=True):
            self.engine.resetJointState(self._body, number, float(position))
        self._driven = [info[0] for info in infos if info[2] != pybullet.JOINT_FIXED]
        self._place = [self._driven.index(number) for number in self._joints]
        for number in self._joints:  # whose motors hold it where nothing else is said
            self.engine.setJointMotorControl2(self._body, number, pybullet.VELOCITY_CONTROL, force=0.0)
        self.position, self.velocity = np.array(q_rad, dtype=float), np.zeros(len(joints))

    def step(self) -> None:
        """One period on, toward `position` and `velocity`, by the torques that it takes."""
        for _ in range(self._steps):
            states = self.engine.getJointStates(self._body, self._driven)
            q, dq = np.array([state[0] for state in states]), np.array([state[1] for state in states])
            ddq = np.zeros(len(q))
            ddq[self._place] = STIFFNESS * (self.position - q[self._place]) + DAMPING * (
                self.velocity - dq[self._place]
            )
            torques = self.engine.calculateInverseDynamics(self._body, q.tolist(), dq.tolist(), ddq.tolist())
            self.engine.setJointMotorControlArray(
                self._body, self._joints, pybullet.TORQUE_CONTROL, forces=[torques[place] for place in self._place]
            )
            self.engine.stepSimulation()

    def measured(self) -> tuple[np.ndarray, np.ndarray]:
        """Joint positions (rad) and velocities (rad/s)."""
        states = self.engine.getJointStates(self._body, self._joints)
        return np.array([state[0] for state in states]), np.array([state[1] for state in states])

    def hold(self, finger: str, position: float) -> None:
        self.engine.setJointMotorControl2(
            self._body, self._number[finger], pybullet.POSITION_CONTROL, targetPosition=position, force=50.0
        )

    def finger(self, name: str) -> float:
        return self.engine.getJointState(self._body, self._number[name])[0]

    def place_m(self, link: str, base: str) -> np.ndarray:
        """Where a link's frame is in another's, as the engine has it."""
        link_xyz, _ = self._frame(link)
        base_xyz, turn = self._frame(base)
        return np.array(pybullet.getMatrixFromQuaternion(turn)).reshape(3, 3).T @ (np.array(link_xyz) - base_xyz)

    def _frame(self, link: str) -> tuple:
        if link not in self._link:  # the root
            return self.engine.getBasePositionAndOrientation(self._body)
        return self.engine.getLinkState(self._body, self._link[link], computeForwardKinematics=True)[4:6]

    def close(self) -> None:
        self.engine.disconnect()


def _bare(urdf: str) -> str:
    """A description with no shapes, and the same mass for each link; without damping, which is stiff for so little."""
    robot = DescriptionText(urdf, "test").robot()
    for part in list(robot):
        if part.tag not in ("link", "joint"):
            robot.remove(part)
        elif (dynamics := part.find("dynamics")) is not None:
            part.remove(dynamics)
    for link in robot.findall("link"):
        for part in list(link):
            link.remove(part)
        inertial = ElementTree.SubElement(link, "inertial")
        ElementTree.SubElement(inertial, "mass", value="0.5")
        ElementTree.SubElement(inertial, "inertia", ixx="0.02", iyy="0.02", izz="0.02", ixy="0", ixz="0", iyz="0")
    return ElementTree.tostring(robot, encoding="unicode")
