"""An executive without ROS, its arm, and a clock that the test moves."""

from dataclasses import replace

import numpy as np

from jepa_planner.control.arm_executive import ArmExecutive
from jepa_planner.control.arm_settings import ArmSettings
from jepa_planner.control.limits import SafetyLimits
from jepa_planner.control.step_checks import Step

PERIOD_S = 0.01
LIMITS = SafetyLimits.panda()
POSTURE_RAD = np.array(LIMITS.posture_rad)
KINEMATICS = LIMITS.kinematics()
HOME_RAD = KINEMATICS.inverse(np.array([0.5, 0.0, 0.15]), np.eye(3), POSTURE_RAD)

RAISED_RAD = np.array([0.0, -np.pi / 4, 0.0, -3 * np.pi / 4, 0.0, np.pi / 2, np.pi / 4])
"""Where many Pandas start: the tcp 0.242 m above the box and 0.043 m short of it."""


class Rig:
    """An executive whose arm obeys at once, and a clock that the test moves."""

    def __init__(self, start_s: float = 100.0, q_rad: np.ndarray = HOME_RAD, ahead_s: float = 0.0) -> None:
        self.executive = ArmExecutive(KINEMATICS, LIMITS, 1.0 / PERIOD_S, ArmSettings(ahead_s=ahead_s))
        self.now_s = start_s
        self.q_rad = q_rad
        self.closure = 0.0
        self.sent = []
        self.joint_states_arrive = True
        self.clock_set_s = 0.0
        """How far the clock of stamps was set; the one that paces the stream cannot be."""
        self.robot_ahead_s = 0.0
        """How far the clock that stamps joint states is ahead of the executive's."""

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.now_s += PERIOD_S
            clock_s = self.now_s + self.clock_set_s
            if self.joint_states_arrive:
                self.executive.measured(clock_s, clock_s + self.robot_ahead_s, self.q_rad, self.closure)
            setpoint = self.executive.tick(clock_s, self.now_s)
            if setpoint is not None:
                self.sent.append(setpoint)
                self.q_rad, self.closure = setpoint.q_rad, setpoint.closure

    def step(self, plan_id: int = 1, by_m=(0.0, 0.0, 0.05), **changes) -> Step:
        xyz, rotation = self.executive.stream.pose()
        step = Step(plan_id, self.now_s, self.now_s, 0.5, 0.25, xyz + by_m, rotation, 0.0)
        return replace(step, **changes)

    def offer(self, *args, **changes) -> str:
        """Why the step was refused, empty where it is followed."""
        return self.executive.offer(self.now_s, self.step(*args, **changes)).text

    def xyz(self) -> np.ndarray:
        return KINEMATICS.tcp_pose(self.q_rad)[0]
