"""Gymnasium environments over the simulated world."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces

from jepa_planner.core.uncopyable import ANOTHER_ENV, Uncopyable
from jepa_planner_sim.arm_driver import ACTION_MAX, ArmDriver, action_max
from jepa_planner_sim.cameras import STANDARD_CAMERAS, cameras_named
from jepa_planner_sim.expert import ScriptedExpert
from jepa_planner_sim.scene_draws import sample_scene, setup_generator
from jepa_planner_sim.tasks import HOLD_STEPS, TASKS, achieved_now, distance_m, sample_plan, script, shown_m
from jepa_planner_sim.unreachable import set_up_unreachable
from jepa_planner_sim.world import BASE_FRAME, World


class GoalImageError(ValueError):
    """A request for goal images that the task does not have."""


RESET_OPTIONS = ("vary", "strength", "setup", "goal_images", "unreachable")


class PandaTaskEnv(Uncopyable, gymnasium.Env):
    """A Panda before a table, one task, goals as images.

    | | key | shape | unit |
    |---|---|---|---|
    | observation | images | uint8 [V, H, W, 3] | RGB, `views` in their order; also "wrist" |
    | observation | state | float32 [8] | xyz m, roll pitch yaw rad, closure commanded and measured |
    | action | | float32 [7] | dx dy dz m within 0.06, droll dpitch held at 0, dyaw rad within 0.12, dclosure |

    One step is 0.25 s. The reward is 1.0 in the step that solves the task, which ends the episode, else 0.0. `info`
    has `success`, `holds` (the task's condition, which a grasp must meet for some steps) and `distance_m`; that of
    `reset` also `draws`: scenes drawn until the expert solves one. Reset options: `vary` (names of PERTURBATIONS),
    `strength`, `setup` (a number by which alone what varies is drawn, the same in all scenes but for where things
    stand), and `goal_images` ("dense", "one" or a count), which draws them at once: they then stand in `goal_images`.
    `unreachable` makes them such as no planner can reach.
    """

    instead = ANOTHER_ENV
    rest_steps = HOLD_STEPS
    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 4}  # type: ignore[misc]  # Env declares it of instances

    def __init__(
        self,
        task: str,
        image_size_px: int = 64,
        render_mode: str | None = None,
        render_size_px: int = 384,
        views: Sequence[str] = tuple(STANDARD_CAMERAS),
    ) -> None:
        if task not in TASKS:
            raise ValueError(f"unknown task {task!r}; known are {', '.join(TASKS)}")
        self.task = TASKS[task]
        self.render_mode = render_mode
        self._render_size_px = render_size_px
        self.world = World(cameras_named(views), image_size_px)
        self.driver = ArmDriver(self.world)
        self.base_frame, self.tcp_frame = BASE_FRAME, self.world.limits.tcp_frame
        self.views, self.max_steps = tuple(self.world.cameras), self.task.max_steps
        self.observation_space = spaces.Dict(
            images=spaces.Box(0, 255, (len(self.views), image_size_px, image_size_px, 3), np.uint8),
            state=spaces.Box(-np.inf, np.inf, (8,), np.float32),
        )
        self.action_space = spaces.Box(-ACTION_MAX, ACTION_MAX, dtype=np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Build a scene, put the arm at its start, let the expert find out where the goal image will show the
        object.
        """
        super().reset(seed=seed)
        options = options or {}
        if unknown := set(options) - set(RESET_OPTIONS):
            raise ValueError(f"unknown reset option {', '.join(sorted(unknown))}; known are {', '.join(RESET_OPTIONS)}")
        if kind := options.get("unreachable", ""):
            others = {name: value for name, value in options.items() if name != "unreachable"}
            observation, info, self.goal_images = set_up_unreachable(self, kind, others, seed)
            return observation, info
        vary, setup = frozenset(options.get("vary", ())), options.get("setup")
        self.action_max = action_max(vary)
        self._draws = 0
        while True:  # a draw in which the expert fails, or ends near to where it started, is no task
            appearance = self.np_random if setup is None else setup_generator(setup)
            scene = sample_scene(appearance, vary, options.get("strength", 1.0), self.task.cubes, self.np_random)
            self.world.build(scene)
            plan = sample_plan(self.task, scene, self.np_random)
            if plan is None:
                continue
            self.plan = plan
            self._draws += 1
            self.driver.place_tcp(self.plan.start_tcp_m, yaw_rad=scene.start_yaw_rad)
            self.world.advance(0.1)
            self._steps = self._held_steps = 0
            if self._expert_succeeds() and self._far_from_solved():
                break
        self.goal_images = self.draw_goal_images(str(options["goal_images"])) if "goal_images" in options else []
        return self._observe(), {**self._info(), "draws": self._draws}

    def step(self, action: np.ndarray) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Execute one action for 0.25 s."""
        self.driver.execute(action)
        self._steps += 1
        info = self._info()
        success = info["success"]
        return self._observe(), float(success), success, self._steps >= self.task.max_steps, info

    def draw_goal_images(self, kind: str) -> list[np.ndarray]:
        """Goal images, uint8 [V, H, W, 3] each: "dense" (all stages), "one" (only the end, the arm out of the way),
        or a count.

        The world is left as it was. Raises GoalImageError for a count that the task does not have.
        """
        if self.task.name not in ("reach", "grasp") and kind == "one":
            names: tuple[str, ...] = ("aside",)
        elif kind == "dense":
            names = self.task.dense
        elif kind == "one":
            names = self.task.dense[-1:]
        elif kind.isdecimal() and 1 <= int(kind) <= len(self.task.dense):
            count, stages = int(kind), len(self.task.dense)
            if count == len(self.task.few):
                names = self.task.few
            else:  # evenly spread, none twice, the last among them
                names = tuple(self.task.dense[-(-stages * i // count) - 1] for i in range(1, count + 1))
        else:
            raise GoalImageError(
                f"goal images of {self.task.name} are 'dense', 'one' or a count of 1 to {len(self.task.dense)}, "
                f"got {kind!r}"
            )
        images = self._run_expert(set(names), aside=names == ("aside",))[0]
        return [images[name] for name in names]

    def expert(self) -> Iterator[np.ndarray]:
        """Actions [7] of the scripted expert, one after each step, until it is done."""
        runner = ScriptedExpert(script(self.task, self.plan))
        while not runner.done:
            yield runner.act(self.world)
            runner.update(self.world)

    def foresee(self, action: np.ndarray) -> np.ndarray:
        """The pictures that an action would lead to; the world stays as it is."""
        saved = self.world.save()
        self.driver.execute(action)
        pictures = self.world.render()
        self.world.restore(saved)
        self.driver.reset()
        return pictures

    def render(self) -> np.ndarray | None:
        """The front view, uint8 [H, W, 3], in mode "rgb_array"."""
        if self.render_mode == "rgb_array":
            return self.world.render_view("front", self._render_size_px, shadow=True)
        return None

    def close(self) -> None:
        """Release the physics server."""
        self.world.close()

    def _far_from_solved(self) -> bool:
        """Whether the goal as the expert left it, which may be off the one drawn, is at its distance from the start."""
        if self.task.name == "grasp":
            return not achieved_now(self.task, self.world, self.goal_m)
        return distance_m(self.task, self.world, self.goal_m) >= self.task.min_distance_m

    def _expert_succeeds(self) -> bool:
        _, self.goal_m, success = self._run_expert(set(), aside=False)
        return success

    def _run_expert(self, image_names: set[str], aside: bool) -> tuple[dict[str, np.ndarray], np.ndarray, bool]:
        """Let the expert do the task and go back; returns images of stages, where the tcp or object ended, and
        success.
        """
        saved = self.world.save()
        runner = ScriptedExpert(script(self.task, self.plan, aside))
        images: dict[str, np.ndarray] = {}
        while not runner.done:
            self.driver.execute(runner.act(self.world))
            runner.update(self.world)
            if runner.reached in image_names and runner.reached:
                images[runner.reached] = self.world.render()
        end_m = shown_m(self.task, self.world)
        off_m = np.linalg.norm((end_m - self.plan.goal_m)[..., :2], axis=-1)
        near = self.task.name == "grasp" or np.max(off_m) < 0.03
        success = bool(near and achieved_now(self.task, self.world, end_m))
        self.world.restore(saved)
        self.driver.reset()
        return images, end_m, success

    def _observe(self) -> dict[str, np.ndarray]:
        return {"images": self.world.render(), "state": self.world.state()}

    def _info(self) -> dict[str, Any]:
        now = achieved_now(self.task, self.world, self.goal_m)
        self._held_steps = self._held_steps + 1 if now else 0
        needed = HOLD_STEPS if self.task.name == "grasp" else 1
        distance = distance_m(self.task, self.world, self.goal_m)
        return {"success": self._held_steps >= needed, "holds": now, "distance_m": distance}
