"""The UR5e's cell as scenes for trials without ROS: `jepa-planner eval --task studies.ur5e.scene:PickPlace`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import mujoco
import numpy as np
from ur5e_cell import CUBE_HIGH_M, CUBE_LOW_M, CUBE_M, CYCLE_S, HIGH_M, LOW_M, VIEWS, Cell
from ur5e_motion import CartesianArm
from ur5e_teleoperator import CLOSED, GRASP_M, OPEN, PUSH_M, STANDOFF_M

from jepa_planner.core.arm_layout import GRIPPER, XYZ, YAW
from jepa_planner.learning.evaluation.scene_adapter import SceneAdapter
from studies.ur5e.episodes import draw_start, pictures_of, state_of

STEP_M, STEP_S, SETTLE_S = 0.05, 0.25, 0.1
DRAWS = 100
FAR_M = 0.10
HELD_M = 0.04
HELD_STEPS = 4


@dataclass(frozen=True)
class Stage:
    """Part of what is done to reach a goal; `image` is drawn where it ends."""

    name: str
    target_m: Callable[[], np.ndarray]
    closure: float
    steps: int = 12


class Ur5eScene(SceneAdapter):
    """What the tasks have in common."""

    views = tuple(view.name for view in VIEWS)
    action_max = np.array([0.05, 0.05, 0.05, 0.0, 0.0, 0.0, 1.0], np.float32)
    max_steps = 45
    base_frame, tcp_frame = "base_link", "grasp_point"
    few: tuple[str, ...]
    dense: tuple[str, ...]

    def __init__(self, image_size_px: int = 64) -> None:
        self._size_px = image_size_px
        self.cell = Cell()
        self.arm = CartesianArm(self.cell)

    def build(self, seed: int) -> int:
        rng = np.random.default_rng([seed, 2])
        for draw in range(1, DRAWS + 1):
            draw_start(self.arm, rng)
            self.goal_m = self.draw_goal(rng)
            self.aside_m = self._draw_aside(rng)
            self._held_steps = 0
            if self.distance_m() >= self.least_m and self._demonstrate()[1]:
                self._held_steps = 0
                return draw
        raise RuntimeError(f"seed {seed}: no scene that the expert solves in {DRAWS} draws")

    least_m = 0.08

    def draw_goal(self, rng: np.random.Generator) -> np.ndarray:
        """Where tool or cube is to be, [3]."""
        raise NotImplementedError

    def stages(self) -> list[Stage]:
        """What leads there from where the cube is now."""
        raise NotImplementedError

    def pictures(self) -> np.ndarray:
        return pictures_of(self.cell, self._size_px)

    def state(self) -> np.ndarray:
        return state_of(self.cell, self.arm.closure)

    def object_pose(self) -> np.ndarray:
        place, yaw = self.cell.cube_pose()
        return np.array((*place, yaw), np.float32)

    def act(self, action: np.ndarray) -> None:
        arm = self.arm
        closure = float(np.clip(arm.closure + action[GRIPPER], 0.0, 1.0))
        arm.glide(arm.target_m + action[XYZ], arm.yaw_rad + action[YAW], closure, STEP_S)
        for _ in range(round(SETTLE_S / CYCLE_S)):
            self.cell.cycle(arm.joints_rad, closure)
        self._held_steps = self._held_steps + 1 if self._lifted() else 0

    def draw_goal_images(self, kind: str) -> list[np.ndarray]:
        if kind == "one":
            names = (self.dense[-1] if not self.ends_aside else "aside",)
        elif kind == "dense":
            names = self.dense
        elif kind.isdecimal() and int(kind) == len(self.few):
            names = self.few
        elif kind.isdecimal() and 1 <= int(kind) <= len(self.dense):
            names = tuple(self.dense[-(-len(self.dense) * n // int(kind)) - 1] for n in range(1, int(kind) + 1))
        else:
            raise ValueError(f"goal images are 'dense', 'one' or a count of 1 to {len(self.dense)}, got {kind!r}")
        drawn = self._demonstrate(names)[0]
        return [drawn[name] for name in names]

    ends_aside = True

    def distance_m(self) -> float:
        return float(np.linalg.norm(self.cell.cube_pose()[0][:2] - self.goal_m[:2]))

    def solved(self) -> bool:
        cube_m = self.cell.cube_pose()[0]
        return self.distance_m() < 0.03 and cube_m[2] < CUBE_M / 2 + 0.01 and not self.touches()

    def touches(self) -> bool:
        """Whether the gripper touches the cube."""
        data, model = self.cell.data, self.cell.model
        cube = model.geom("cube").id
        for contact in data.contact[: data.ncon]:
            if cube in contact.geom:
                other = contact.geom[0] if contact.geom[1] == cube else contact.geom[1]
                if model.body(model.geom_bodyid[other]).name.startswith("gripper_"):
                    return True
        return False

    def foresee(self, action: np.ndarray) -> np.ndarray:
        saved = self._save()
        self.act(action)
        pictures = self.pictures()
        self._restore(saved)
        return pictures

    def expert(self) -> Iterator[np.ndarray]:
        """Actions [7] that solve the task."""
        for stage in self.stages():
            for _ in range(stage.steps):
                off_m = stage.target_m() - self.arm.target_m
                step = off_m * min(1.0, STEP_M / max(1e-9, np.abs(off_m).max()))
                yield np.array((*step, 0.0, 0.0, 0.0, stage.closure - self.arm.closure))
                if np.linalg.norm(stage.target_m() - self.arm.target_m) < 0.004:
                    break
            for _ in range(2 if stage.name in ("grasped", "placed") else 0):
                yield np.array((*np.zeros(6), stage.closure - self.arm.closure))
            self._stage_ended = stage.name

    def _demonstrate(self, names: tuple[str, ...] = ()) -> tuple[dict[str, np.ndarray], bool]:
        """Pictures where the named stages end, and whether the task is solved; the scene stays as it is."""
        saved, drawn, solved, self._stage_ended = self._save(), {}, False, ""
        for action in self.expert():
            if self._stage_ended in names:
                drawn.setdefault(self._stage_ended, self.pictures())
            self.act(np.clip(action, -self.action_max, self.action_max))
            solved = self.solved() or (solved and self.lasts)
        drawn.setdefault(self._stage_ended, self.pictures())
        solved = solved or self.solved()
        self._restore(saved)
        return drawn, solved

    lasts = False

    def _lifted(self) -> bool:
        return self.cell.cube_pose()[0][2] - CUBE_M / 2 > HELD_M and self.touches()

    def _draw_aside(self, rng: np.random.Generator) -> np.ndarray:
        while True:
            aside_m = rng.uniform((LOW_M[0], LOW_M[1], 0.10), HIGH_M)
            if min(np.linalg.norm(aside_m[:2] - x) for x in (self.goal_m[:2], self.cell.cube_pose()[0][:2])) > 0.12:
                return aside_m

    def _over(self, height_m: float) -> Callable[[], np.ndarray]:
        place = self.cell.cube_pose()[0]
        return lambda: np.array((*place[:2], height_m))

    def _take(self) -> list[Stage]:
        return [
            Stage("", lambda: np.maximum(self.arm.target_m, (-9.0, -9.0, 0.10)), OPEN),
            Stage("above", self._over(0.11), OPEN), Stage("at", self._over(GRASP_M), OPEN),
            Stage("grasped", self._over(GRASP_M), CLOSED), Stage("lifted", self._over(0.14), CLOSED),
        ]  # fmt: skip

    def _save(self) -> tuple:
        size = mujoco.mj_stateSize(self.cell.model, mujoco.mjtState.mjSTATE_INTEGRATION)
        state = np.zeros(size)
        mujoco.mj_getState(self.cell.model, self.cell.data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
        arm = self.arm
        return state, arm.joints_rad.copy(), arm.target_m.copy(), arm.yaw_rad, arm.closure, self._held_steps

    def _restore(self, saved: tuple) -> None:
        state, self.arm.joints_rad, self.arm.target_m, self.arm.yaw_rad, self.arm.closure, self._held_steps = saved
        mujoco.mj_setState(self.cell.model, self.cell.data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
        mujoco.mj_forward(self.cell.model, self.cell.data)


class Reach(Ur5eScene):
    """The tool to a point."""

    max_steps = 15
    few = dense = ("reached",)
    ends_aside = False

    def draw_goal(self, rng: np.random.Generator) -> np.ndarray:
        while True:
            goal_m = rng.uniform(np.add(LOW_M, (0.01, 0.01, 0.02)), np.subtract(HIGH_M, 0.01))
            if goal_m[2] > 0.11 or np.linalg.norm(goal_m[:2] - self.cell.cube_pose()[0][:2]) > 0.08:
                return goal_m

    def stages(self) -> list[Stage]:
        return [Stage("reached", lambda: self.goal_m, OPEN)]

    def distance_m(self) -> float:
        return float(np.linalg.norm(self.cell.tool_pose()[0] - self.goal_m))

    def solved(self) -> bool:
        return self.distance_m() < 0.02


class Grasp(Ur5eScene):
    """The cube held up."""

    max_steps = 25
    few, dense = ("at", "grasped", "lifted"), ("above", "at", "grasped", "lifted")
    ends_aside = False
    least_m = 0.0

    def draw_goal(self, rng: np.random.Generator) -> np.ndarray:
        return self.cell.cube_pose()[0] + (0.0, 0.0, 0.12)

    def stages(self) -> list[Stage]:
        return [*self._take(), Stage("lifted", lambda: self.arm.target_m, CLOSED, 4)]

    def distance_m(self) -> float:
        return max(0.0, HELD_M - float(self.cell.cube_pose()[0][2] - CUBE_M / 2))

    def solved(self) -> bool:
        return self._held_steps >= HELD_STEPS


class PickPlace(Ur5eScene):
    """The cube at another place."""

    few = ("grasped", "carried", "placed")
    dense = ("above", "at", "grasped", "lifted", "carried", "lowered", "placed", "left")
    least_m = FAR_M

    def draw_goal(self, rng: np.random.Generator) -> np.ndarray:
        return np.array((*rng.uniform(CUBE_LOW_M, CUBE_HIGH_M), CUBE_M / 2))

    def stages(self) -> list[Stage]:
        def at(height_m: float) -> Callable[[], np.ndarray]:
            return lambda: np.array((*self.goal_m[:2], height_m))

        return [
            *self._take(), Stage("carried", at(0.14), CLOSED), Stage("lowered", at(GRASP_M + 0.003), CLOSED),
            Stage("placed", at(GRASP_M + 0.003), OPEN), Stage("left", at(0.13), OPEN),
            Stage("aside", lambda: self.aside_m, OPEN),
        ]  # fmt: skip


class Push(Ur5eScene):
    """The cube pushed along an axis."""

    max_steps = 30
    few, dense = ("behind", "halfway", "pushed"), ("over", "behind", "halfway", "pushed")

    def draw_goal(self, rng: np.random.Generator) -> np.ndarray:
        cube_m = self.cell.cube_pose()[0]
        axis, far = int(rng.integers(2)), rng.uniform(0.085, 0.15) * rng.choice((-1.0, 1.0))
        goal_m = cube_m.copy()
        goal_m[axis] += far
        inside = np.all(goal_m[:2] > CUBE_LOW_M) and np.all(goal_m[:2] < CUBE_HIGH_M)
        self._way = np.sign(far) * np.eye(2)[axis]
        behind = cube_m[:2] - STANDOFF_M * self._way
        inside &= np.all(behind > LOW_M[:2]) and np.all(behind < HIGH_M[:2])
        return goal_m if inside else cube_m

    def stages(self) -> list[Stage]:
        cube_m, goal_m, way = self.cell.cube_pose()[0][:2].copy(), self.goal_m[:2], self._way

        def at(xy_m: np.ndarray, height_m: float) -> Callable[[], np.ndarray]:
            return lambda: np.array((*xy_m, height_m))

        behind, end = cube_m - STANDOFF_M * way, goal_m - (CUBE_M / 2 + 0.012) * way
        begin = cube_m - (CUBE_M / 2 + 0.012) * way
        return [
            Stage("", lambda: np.maximum(self.arm.target_m, (-9.0, -9.0, 0.10)), CLOSED),
            Stage("over", at(behind, 0.11), CLOSED), Stage("behind", at(behind, PUSH_M), CLOSED),
            Stage("halfway", at((begin + end) / 2, PUSH_M), CLOSED), Stage("pushed", at(end, PUSH_M), CLOSED),
            Stage("", at(end - 0.03 * way, PUSH_M), CLOSED), Stage("", at(end - 0.03 * way, 0.12), CLOSED),
            Stage("aside", lambda: self.aside_m, OPEN),
        ]  # fmt: skip

    def solved(self) -> bool:
        return self.distance_m() < 0.03
