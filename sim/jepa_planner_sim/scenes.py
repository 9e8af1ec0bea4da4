"""The simulator's scenes as trials find them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import gymnasium

from jepa_planner.learning.evaluation.scenes import SceneSource
from jepa_planner_sim import ENV_IDS
from jepa_planner_sim.cameras import CAMERAS, STANDARD_CAMERAS
from jepa_planner_sim.envs import PandaTaskEnv
from jepa_planner_sim.scene_draws import PERTURBATIONS


def make(task: str, image_size_px: int, cameras: Sequence[str]) -> PandaTaskEnv:
    """The environment of a task; cameras: besides the standard ones, those of CAMERAS."""
    views = dict.fromkeys([*STANDARD_CAMERAS, *(name for name in cameras if name in CAMERAS)])
    given: dict[str, Any] = {"image_size_px": image_size_px, "views": tuple(views)}
    return cast(PandaTaskEnv, gymnasium.make(ENV_IDS[task], disable_env_checker=True, **given).unwrapped)


SCENES = SceneSource(tuple(ENV_IDS), tuple(PERTURBATIONS), make)
