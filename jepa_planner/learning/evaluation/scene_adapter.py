"""Your own scene: a Gymnasium environment with a picture and delta actions, made fit for collecting, training and
trials by a class with a few methods.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from jepa_planner.core.arm_layout import GRIPPER
from jepa_planner.core.uncopyable import ANOTHER_ENV, Uncopyable


class AdapterError(ValueError):
    """A name that does not lead to an adapter, or an adapter whose pictures are not what it promises."""


class SceneAdapter(Uncopyable, gymnasium.Env, ABC):
    """What the planner asks of a scene; subclasses say how the environment at hand does it.

    views: names of the cameras, in the order of the pictures. action_max: bounds of an action [7]: dx, dy, dz (m),
    three rotations (rad), dclosure (0 open .. 1 closed); 0 holds an axis. max_steps: of a trial. rest_steps: that
    the arm rests before what is true at its end counts. time_step_s: of an action. base_frame, tcp_frame: what poses
    are given in and of, as the robot calls it. goal_images: those of the last `reset`, uint8 [V, H, W, 3] each. Copying
    is refused, as for what owns a simulation; one that can be copied says `__reduce_ex__ = object.__reduce_ex__`.
    """

    instead = ANOTHER_ENV
    views: tuple[str, ...] = ("camera",)
    action_max: np.ndarray = np.array([0.06, 0.06, 0.06, 0.0, 0.0, 0.0, 1.0], dtype=np.float32)
    max_steps: int = 30
    rest_steps: int = 4
    time_step_s: float = 0.25
    base_frame: str = "base"
    tcp_frame: str = "tcp"
    goal_images: list[np.ndarray]

    @abstractmethod
    def build(self, seed: int) -> int:
        """Draw scene, start and goal; the same seed gives the same ones. Returns how many draws it took."""

    @abstractmethod
    def pictures(self) -> np.ndarray:
        """What the cameras see, uint8 RGB [V, H, W, 3]."""

    @abstractmethod
    def state(self) -> np.ndarray:
        """The arm's state, float32 [8]: x, y, z (m), roll, pitch, yaw (rad) of the tcp in the base frame, closure
        commanded and measured.
        """

    @abstractmethod
    def act(self, action: np.ndarray) -> None:
        """Carry out an action [7] within `action_max`, to its end."""

    @abstractmethod
    def draw_goal_images(self, kind: str) -> list[np.ndarray]:
        """Pictures that show the goal, "dense", "one" or a count; the scene stays as it is."""

    @abstractmethod
    def distance_m(self) -> float:
        """How far the scene is from the goal."""

    @abstractmethod
    def solved(self) -> bool:
        """Whether the goal is reached at this moment."""

    @abstractmethod
    def foresee(self, action: np.ndarray) -> np.ndarray:
        """The pictures that an action would lead to; the scene stays as it is. For the baseline "pixel" alone."""

    @property
    def action_space(self) -> spaces.Box:  # type: ignore[override]  # of Env an attribute; follows `action_max` here
        """Within `action_max`."""
        return spaces.Box(-self.action_max, self.action_max, dtype=np.float32)

    @cached_property
    def observation_space(self) -> spaces.Dict:  # type: ignore[override]  # of Env an attribute; known later here
        """Pictures and state; known once a scene was built."""
        pictures = spaces.Box(0, 255, self.pictures().shape, np.uint8)
        return spaces.Dict(images=pictures, state=spaces.Box(-np.inf, np.inf, (8,), np.float32))

    def object_pose(self) -> np.ndarray:
        """x, y, z (m), yaw (rad) of the object, float32 [4]: for probes alone."""
        return np.zeros(4, np.float32)

    def explore(self, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Actions [7] without end, to learn from; by default a random walk that rarely moves the gripper."""
        while True:
            velocity = rng.uniform(-self.action_max, self.action_max)
            for _ in range(int(rng.integers(3, 9))):
                velocity = 0.6 * velocity + 0.6 * rng.uniform(-self.action_max, self.action_max)
                velocity[GRIPPER] = rng.uniform(-1.0, 1.0) * self.action_max[GRIPPER] * (rng.random() < 0.1)
                yield np.clip(velocity, -self.action_max, self.action_max)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Draws a scene; options: `goal_images`, "dense", "one" or a count, which then stand in `goal_images`."""
        super().reset(seed=seed)
        options = options or {}
        if options.get("vary") or set(options) - {"vary", "strength", "goal_images"}:
            raise ValueError(f"reset options of this scene are goal_images, got {options}")
        draws = self.build(int(self.np_random.integers(2**31)) if seed is None else seed)
        self._steps = 0
        self.goal_images = self.draw_goal_images(str(options["goal_images"])) if "goal_images" in options else []
        observation = self._observe()
        for goal in self.goal_images:
            if self._checked(goal, "draw_goal_images").shape != observation["images"].shape:
                raise AdapterError(
                    f"{type(self).__name__}.draw_goal_images gave {list(goal.shape)}, but pictures() are "
                    f"{list(observation['images'].shape)}: both must be whole pictures of the same cameras"
                )
        return observation, {**self._info(), "draws": draws}

    def step(self, action: np.ndarray) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """One action; the reward is 1.0 in the step that solves the task, else 0.0."""
        action = np.asarray(action, dtype=float)
        if action.shape != self.action_max.shape or not np.all(np.isfinite(action)):
            raise ValueError(f"an action is {len(self.action_max)} finite numbers, got {action}")
        self.act(np.clip(action, -self.action_max, self.action_max))
        self._steps += 1
        info = self._info()
        return self._observe(), float(info["success"]), info["success"], self._steps >= self.max_steps, info

    def checked_pictures(self) -> np.ndarray:
        """`pictures`, checked to be what they should; raises AdapterError."""
        return self._checked(self.pictures(), "pictures")

    def _checked(self, pictures: np.ndarray, method: str) -> np.ndarray:
        shape = pictures.shape
        if pictures.dtype != np.uint8 or len(shape) != 4 or shape[0] != len(self.views) or shape[-1] != 3:
            raise AdapterError(
                f"{type(self).__name__}.{method} gave {pictures.dtype} {list(shape)}; expected uint8 RGB, 0 to 255, "
                f"[{len(self.views)}, height, width, 3], one for each of its views {', '.join(self.views)}"
            )
        return pictures

    def _observe(self) -> dict[str, np.ndarray]:
        return {"images": self.checked_pictures(), "state": self.state()}

    def _info(self) -> dict[str, Any]:
        solved = self.solved()
        return {"success": solved, "holds": solved, "distance_m": self.distance_m()}


def load_adapter(name: str, **options: Any) -> SceneAdapter:
    """The adapter that MODULE:CLASS names. Raises AdapterError saying what is wrong with the name."""
    return adapter_class(name)(**options)


def adapter_class(name: str) -> type[SceneAdapter]:
    """The class that MODULE:CLASS names; raises AdapterError."""
    module_name, _, class_name = name.partition(":")
    try:
        adapter = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise AdapterError(f"{name!r}: {error}; expected MODULE:CLASS, a SceneAdapter that can be imported") from error
    if not (isinstance(adapter, type) and issubclass(adapter, SceneAdapter)):
        raise AdapterError(f"{name!r} is no SceneAdapter")
    return adapter
