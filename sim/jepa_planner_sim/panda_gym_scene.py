"""panda-gym (Gallouédec et al., 2021): its simulation, its arm and two cameras, behind a SceneAdapter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import gymnasium
import numpy as np

from jepa_planner.core.arm_layout import GRIPPER, XYZ
from jepa_planner.learning.evaluation.scene_adapter import SceneAdapter
from jepa_planner_sim.bullet import silence
from jepa_planner_sim.expert import CLOSED, OPEN, ScriptedExpert, Waypoint
from jepa_planner_sim.scene import Scene, TableObject

BASE_X_M = -0.6
"""Where the arm stands in panda-gym's world; states are given from there."""
STEP_M, STEP_WIDTH_M = 0.05, 0.2
"""What an action of 1 asks of panda-gym: a way of the hand, a change of the width between the fingers."""
CUBE_M, STROKE_M = 0.04, 0.08
SUBSTEPS = 6
"""Steps of panda-gym, 0.04 s each, that carry out one action."""
MIN_DISTANCE_M = 0.10
DRAWS = 200
CAMERA_YAW_DEG = {"front": 90.0, "side": 0.0}
CAMERA = {"cameraTargetPosition": [0.0, 0.0, 0.11], "distance": 0.7, "pitch": -25.0, "roll": 0.0, "upAxisIndex": 2}
LENS = {"fov": 45.0, "aspect": 1.0, "nearVal": 0.1, "farVal": 10.0}
OUT_OF_SIGHT_M = np.array([0.0, 0.0, -5.0])


class PandaGym(SceneAdapter):
    """A scene of panda-gym; lengths in metres in the frame of the arm's base."""

    env_id: ClassVar[str]
    views = tuple(CAMERA_YAW_DEG)
    time_step_s = 0.24
    base_frame = "panda_link0"

    def __init__(self, image_size_px: int = 64) -> None:
        self._size_px = image_size_px
        self.as_world = _AsWorld(self)
        self._start()

    def _start(self) -> None:
        """A new simulation: panda-gym's reset leaves contacts and motors as they were, and no two episodes alike."""
        with silence():
            import panda_gym  # noqa: F401  registers the environments

            self._env: Any = gymnasium.make(self.env_id, render_mode="rgb_array").unwrapped

    def build(self, seed: int) -> int:
        """panda-gym's own draw, the hand then moved to a random place with the gripper open; drawn again where the goal
        is nearer than MIN_DISTANCE_M, or the expert does not reach it. The marker of the goal, which looks like the
        cube, is taken out of sight: goal images say what is wanted.
        """
        rng = np.random.default_rng(seed)
        self._env.close()
        self._start()
        for draw in range(1, DRAWS + 1):
            self._observation, _ = self._env.reset(seed=int(rng.integers(2**31)))
            self._env.sim.set_base_pose("target", OUT_OF_SIGHT_M, np.array([0.0, 0.0, 0.0, 1.0]))
            self.closure_commanded = OPEN if self._has_gripper else CLOSED  # panda-gym blocks it closed
            start = rng.uniform([0.48, -0.15, 0.12], [0.72, 0.15, 0.25])
            for _ in range(4):
                self._go(start)
            if self.distance_m() >= MIN_DISTANCE_M and self._demonstrate()[1]:
                return draw
        raise RuntimeError(f"seed {seed}: no scene that the expert solves in {DRAWS} draws")

    def pictures(self) -> np.ndarray:
        """Two cameras, without shadows: these take as long as the rest."""
        return np.stack([self._picture(yaw) for yaw in CAMERA_YAW_DEG.values()])

    def _picture(self, yaw_deg: float) -> np.ndarray:
        bullet, size = self._env.sim.physics_client, self._size_px
        view = bullet.computeViewMatrixFromYawPitchRoll(yaw=yaw_deg, **CAMERA)
        projection = bullet.computeProjectionMatrixFOV(**LENS)
        rgba = bullet.getCameraImage(size, size, view, projection, shadow=0, renderer=bullet.ER_TINY_RENDERER)[2]
        return np.reshape(rgba, (size, size, 4))[..., :3].astype(np.uint8)

    def state(self) -> np.ndarray:
        measured = 1.0 - float(self._env.robot.get_fingers_width()) / STROKE_M
        commanded = self.closure_commanded
        return np.array([*self.tcp_m(), 0.0, 0.0, 0.0, commanded, np.clip(measured, 0.0, 1.0)], np.float32)

    def act(self, action: np.ndarray) -> None:
        self.closure_commanded = float(np.clip(self.closure_commanded + action[GRIPPER], 0.0, 1.0))
        self._go(self.tcp_m() + action[XYZ])

    def distance_m(self) -> float:
        return float(np.linalg.norm(self._observation["achieved_goal"] - self._observation["desired_goal"]))

    def solved(self) -> bool:
        """By panda-gym's own measure: within 5 cm."""
        return bool(self._env.task.is_success(self._observation["achieved_goal"], self._observation["desired_goal"]))

    def foresee(self, action: np.ndarray) -> np.ndarray:
        saved = self._save()
        self.act(action)
        pictures = self.pictures()
        self._restore(saved)
        return pictures

    def draw_goal_images(self, kind: str) -> list[np.ndarray]:
        """Pictures of the expert's stages: all, the last, or so many evenly spread, the last among them."""
        drawn = self._demonstrate(draw=True)[0]
        count = {"dense": len(drawn), "one": 1}.get(kind) or int(kind)
        if not 1 <= count <= len(drawn):
            raise ValueError(
                f"goal images of this task are 'dense', 'one' or a count of 1 to {len(drawn)}, got {kind!r}"
            )
        return [drawn[-(-len(drawn) * number // count) - 1] for number in range(1, count + 1)]

    def object_pose(self) -> np.ndarray:
        if "object" not in self._env.sim._bodies_idx:
            return super().object_pose()
        sim = self._env.sim
        yaw = sim.get_base_rotation("object")[2]
        return np.array([*(sim.get_base_position("object") - [BASE_X_M, 0.0, 0.0]), yaw], np.float32)

    def fingers_touch(self) -> bool:
        """Whether the arm is in contact with the object."""
        sim = self._env.sim
        return bool(sim.physics_client.getContactPoints(sim._bodies_idx["panda"], sim._bodies_idx["object"]))

    def tcp_m(self) -> np.ndarray:
        """Where the tcp is."""
        return self._observation["observation"][:3].astype(float) - [BASE_X_M, 0.0, 0.0]

    def goal_m(self) -> np.ndarray:
        """Where panda-gym wants tcp or object."""
        return self._observation["desired_goal"].astype(float) - [BASE_X_M, 0.0, 0.0]

    def goal_script(self) -> list[Waypoint]:
        """What the expert does to reach the goal."""
        raise NotImplementedError

    def behaviour(self, rng: np.random.Generator) -> list[Waypoint]:
        """One thing that is done while exploring."""
        raise NotImplementedError

    def explore(self, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Scripts with errors and noise, and random walks in between."""
        noise_m = float(rng.choice([0.0, 0.006, 0.015]))
        wander = super().explore(rng)
        while True:
            if rng.random() < 0.2:
                yield from (next(wander) for _ in range(8))
                continue
            runner = ScriptedExpert(self.behaviour(rng))
            while not runner.done:
                action = runner.act(self.as_world)
                action[XYZ] += rng.normal(0.0, noise_m, 3)
                yield np.clip(action, -self.action_max, self.action_max)
                runner.update(self.as_world)

    @property
    def _has_gripper(self) -> bool:
        return not self._env.robot.block_gripper

    def _demonstrate(self, draw: bool = False) -> tuple[list[np.ndarray], bool]:
        """Pictures of the expert's stages if asked for, and whether the goal was reached; the scene stays as it is."""
        saved, drawn, solved = self._save(), [], False
        runner = ScriptedExpert(self.goal_script())
        while not runner.done:
            self.act(runner.act(self.as_world))
            runner.update(self.as_world)
            if runner.reached and draw:
                drawn.append(self.pictures())
        solved = self.solved()
        self._restore(saved)
        return drawn, solved

    def _go(self, target_m: np.ndarray) -> None:
        """Steps of panda-gym toward a point and the commanded width, evenly: a hand that leaps knocks the cube away."""
        start_m = self.tcp_m()
        for step in range(1, SUBSTEPS + 1):
            due_m = start_m + (target_m - start_m) * min(1.0, step / (SUBSTEPS - 1))
            offset = np.clip((due_m - self.tcp_m()) / STEP_M, -1.0, 1.0)
            width = self._observation["observation"][6] if self._has_gripper else 0.0
            wanted = STROKE_M * (1.0 - self.closure_commanded) - width
            if self.closure_commanded > 0.5:
                wanted -= 0.02  # presses, as a force-controlled gripper does
            gripper = [np.clip(wanted / STEP_WIDTH_M, -1.0, 1.0)] if self._has_gripper else []
            self._observation = self._env.step(np.array([*offset, *gripper], np.float32))[0]

    def _save(self) -> tuple[int, dict[str, np.ndarray], float]:
        return self._env.save_state(), self._observation, self.closure_commanded

    def _restore(self, saved: tuple[int, dict[str, np.ndarray], float]) -> None:
        number, self._observation, self.closure_commanded = saved
        self._env.restore_state(number)
        self._env.remove_state(number)

    def close(self) -> None:
        self._env.close()


class _AsWorld:
    """A PandaGym as the scripted expert knows worlds."""

    def __init__(self, env: PandaGym) -> None:
        self._env = env
        self.scene = Scene(objects=(TableObject(extents_m=(CUBE_M,) * 3),))

    @property
    def closure_commanded(self) -> float:
        return self._env.closure_commanded

    def tcp_pose(self) -> tuple[np.ndarray, np.ndarray]:
        """Position [3] and rotation [3, 3]."""
        return self._env.tcp_m(), np.eye(3)

    def tcp_yaw_rad(self) -> float:
        """panda-gym's gripper does not turn."""
        return 0.0

    def tcp_yaw_bounds_rad(self) -> tuple[float, float]:
        """Least and most."""
        return 0.0, 0.0

    def object_pose(self, index: int = 0) -> tuple[np.ndarray, float]:
        """Position [3] (m) and yaw (rad) of the cube, the only object."""
        *xyz, yaw = self._env.object_pose().astype(float)
        return np.array(xyz), yaw

    def fingers_touch(self, index: int = 0) -> bool:
        """Whether the arm touches the cube."""
        return self._env.fingers_touch()
