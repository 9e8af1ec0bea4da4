"""Pick and place with the stranger's Panda: scenes by the tabletop model's measure, judged by the robot's own truth."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from bench import ROBOTS, RUN, Person, on_core, processes, until

from jepa_planner.control.limits import SafetyLimits, shipped_config
from jepa_planner.nodes.client import GoalResult, PlannerClient, goal_image
from jepa_planner.nodes.goal_executor import Outcome

CUBE_REGION_M = np.array([[0.40, -0.15], [0.60, 0.15]])
START_REGION_M = np.array([[0.37, -0.18, 0.12], [0.63, 0.18, 0.23]])
ASIDE_M, APART_M = 0.13, 0.11
MAX_STEPS = 45
IMAGE_TOPICS = ("/cam_front/color/image_raw", "/cam_side/color/image_raw")
REMAPS = (
    "joint_trajectory:=/arm_controller/joint_trajectory",
    "gripper_command:=/hand_controller/joint_trajectory",
)
PREFIX = "fr3_"
LATE_S = 5.0
"""A busy machine draws pictures and passes them on late: slow, not wrong."""


@dataclass(frozen=True)
class Scene:
    """Cube (x, y, yaw) and arm (tcp, m) at the start, and as the goal pictures show them."""

    cube: np.ndarray
    arm_m: np.ndarray
    goal: np.ndarray
    aside_m: np.ndarray


def draw_scene(seed: int) -> Scene:
    """Start and goal at least APART_M apart; in the goal pictures the arm is out of the way."""
    rng = np.random.default_rng(seed)
    while True:
        cube, goal = (np.array([*rng.uniform(*CUBE_REGION_M), rng.uniform(-0.25, 0.25)]) for _ in range(2))
        arm_m, aside_m = rng.uniform(*START_REGION_M), rng.uniform(*START_REGION_M)
        if np.linalg.norm(cube[:2] - goal[:2]) > APART_M and in_sight(goal, aside_m):
            return Scene(cube, arm_m, goal, aside_m)


def in_sight(cube: np.ndarray, arm_m: np.ndarray) -> bool:
    """Whether an arm hides the cube neither from the camera before it nor from that at its right."""
    ahead_m, left_m = arm_m[:2] - cube[:2]
    return (abs(left_m) > ASIDE_M or ahead_m < -ASIDE_M) and (abs(ahead_m) > ASIDE_M or left_m > ASIDE_M)


@dataclass(frozen=True)
class Trial:
    """How one scene ended."""

    seed: int
    result: GoalResult
    off_m: float
    rests: bool

    @property
    def solved(self) -> bool:
        """Ended by itself, said reached, and the cube is there."""
        return self.result.outcome is Outcome.REACHED and self.off_m < 0.035 and self.rests


class PandaBench:
    """The robot's person and a client of the planner."""

    def __init__(self) -> None:
        self.person, self.client = Person(IMAGE_TOPICS, "/panda_driver"), PlannerClient()
        self._arm = SafetyLimits.panda()

    def close(self) -> None:
        self.client.close()
        self.person.close()

    def run(self, seed: int) -> Trial:
        """Shows the goal, puts everything back, and lets the planner work."""
        scene = draw_scene(seed)
        self.client.stop_arm()
        shown_s = self.person.set_scene(arm=self._joints(scene.aside_m), hand=0.04, cube=scene.goal)
        goal = self.person.pictures(shown_s + 0.1)
        placed_m = self.person.cube_m
        self.person.set_scene(arm=self._joints(scene.arm_m), hand=0.04, cube=scene.cube)
        self.person.pictures(self.person.get_clock().now().nanoseconds * 1e-9 + 0.1)
        self.client.reset_arm()
        result = self.client.reach([goal_image(goal)], MAX_STEPS, timeout_s=200.0)
        until(self.person.cube_rests, "rest of the cube", 5.0)
        return Trial(seed, result, float(np.linalg.norm(self.person.cube_m - placed_m)), True)

    def _joints(self, xyz_m: np.ndarray) -> np.ndarray:
        return self._arm.kinematics().inverse(xyz_m, np.eye(3), np.array(self._arm.posture_rad))


@contextmanager
def panda_bench(folder: Path, *options: str) -> Iterator[PandaBench]:
    """Robot and planner in processes of their own, the planner on one core; ROS is initialised."""
    shipped = shipped_config("panda_limits.yaml")
    fingers = {f"{PREFIX}finger_joint{number}": f"panda_finger_joint{number}" for number in (1, 2)}
    limits = yaml.safe_load(shipped.read_text()) | {
        "robot_description": str(shipped.parent / "panda.urdf"),
        "joints": {f"{PREFIX}joint{number}": f"panda_joint{number}" for number in range(1, 8)} | fingers,
    }
    (folder / "limits.yaml").write_text(yaml.safe_dump(limits))
    parameters = {
        "/**/arm_node": {"limits_file": str(folder / "limits.yaml"), "joint_state_timeout_s": 1.0},
        "/**/mpc_node": {"image_timeout_s": LATE_S, "joint_state_timeout_s": LATE_S, "plan_valid_s": 2.0},
        "/**/encoder_node": {"image_topics": list(IMAGE_TOPICS), "crop": [80, 0, 480, 480]},
    }
    file = folder / "panda.yaml"
    file.write_text(yaml.safe_dump({node: {"ros__parameters": values} for node, values in parameters.items()}))
    remaps = [word for remap in REMAPS for word in ("--remap", remap)]
    with processes(
        folder,
        planner=[*on_core(0), *RUN, "--params-file", file, *remaps, *options],
        robot=[sys.executable, ROBOTS / "panda_pybullet.py", "--prefix", PREFIX, "--from-desired"],
    ):
        bench = PandaBench()
        try:
            bench.client.wait_for_planner(150.0)
            yield bench
        finally:
            bench.close()
