"""What the planner is tried in: scenes of installed simulators, found by the names of their tasks, or your own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol

import numpy as np

from jepa_planner.learning.evaluation.scene_adapter import load_adapter

SCENES_GROUP = "jepa_planner.scenes"
"""Entry points of this group name a `SceneSource` each."""
EVALUATION_SEED_START = 1_000_000
"""Scenes from this seed on are for evaluation, and for no training."""


class Scene(Protocol):
    """What trials ask of an environment; see `SceneAdapter` for the fields and methods.

    rest_steps: so many steps the arm rests after the end before what is true is the truth. One that knows how its task
    is done has a method `expert() -> Iterator[np.ndarray]`, too: actions [7], one after each step, until it is done.
    """

    @property
    def views(self) -> Sequence[str]: ...

    @property
    def action_max(self) -> np.ndarray: ...

    @property
    def max_steps(self) -> int: ...

    @property
    def rest_steps(self) -> int: ...

    @property
    def base_frame(self) -> str: ...

    @property
    def tcp_frame(self) -> str: ...

    @property
    def goal_images(self) -> list[np.ndarray]: ...

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]: ...

    def step(self, action: np.ndarray) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]: ...

    def foresee(self, action: np.ndarray) -> np.ndarray: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class SceneSource:
    """Scenes that a simulator offers."""

    tasks: tuple[str, ...]
    """Their names."""
    perturbations: tuple[str, ...]
    """What scenes may vary, all of which varied ones do."""
    make: Callable[[str, int, Sequence[str]], Scene]
    """From task, size of pictures in pixels and names of cameras to the scene."""


@cache
def sources() -> tuple[SceneSource, ...]:
    """Those of all simulators that are installed."""
    return tuple(entry.load() for entry in entry_points(group=SCENES_GROUP))


def known_tasks() -> tuple[str, ...]:
    """Names of the tasks of all installed simulators."""
    return tuple(dict.fromkeys(task for source in sources() for task in source.tasks))


def source_of(task: str) -> SceneSource:
    """The simulator that has a task; raises ValueError listing the known ones."""
    for source in sources():
        if task in source.tasks:
            return source
    raise ValueError(f"unknown task {task!r}; known are {', '.join(known_tasks())}, and adapters as MODULE:CLASS")


def make_scene(task: str, image_size_px: int, cameras: Sequence[str] = ()) -> Scene:
    """The environment of a task, or of an adapter as MODULE:CLASS; raises AdapterError or ValueError.

    cameras: besides the standard ones, where the simulation has them; an adapter has its own.
    """
    if ":" in task:
        return load_adapter(task, image_size_px=image_size_px)
    return source_of(task).make(task, image_size_px, cameras)
