"""The two heads that a bundle may be given later, for tests of what adding either of them has in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from small_planner import small_planner
from tiny_training import encoder, episodes, predictor

from jepa_planner.learning.data.episodes import Episodes, write_shard
from jepa_planner.learning.training import add_sub_goals, add_verdict
from jepa_planner.learning.training.add_sub_goals import SubGoalRun
from jepa_planner.learning.training.add_verdict import VerdictRun
from jepa_planner.learning.training.recipe import Recipe, contract
from jepa_planner.model.bundle import load_sub_goal_head, load_verdict_head, save_bundle

SOME = episodes(count=6, steps=10)


def acting(some: Episodes = SOME) -> Episodes:
    """The same pictures, of a hand that takes something in each episode, carries it and lets it go again."""
    states = some.states.copy()
    states[..., 2], states[..., 6:] = 0.02, 0.0
    states[:, 3:7, 6], states[:, 3:7, 7] = 1.0, 0.5
    states[:, :, 0] = 0.4 + 0.02 * np.clip(np.arange(states.shape[1]) - 3, 0, 3)
    return replace(some, states=states)


ACTING = acting()


@dataclass(frozen=True)
class Head:
    """How one of them is learned, by `add` of `module`; section: its name in contract and run folder."""

    section: str
    module: ModuleType
    add: Callable[..., dict[str, object]]
    load: Callable[[Path], torch.nn.Module | None]
    short: SubGoalRun | VerdictRun

    @property
    def file(self) -> str:
        return f"{self.section}.safetensors"

    def learn(
        self, folder: Path, init: Path, settings: object = None, some: Episodes = ACTING, bundle: str = "bundle"
    ) -> dict[str, object]:
        """From episodes, written into the folder first, into a bundle there; settings: a short run unless given."""
        write_shard(folder / "demonstrations" / "episodes-000000.h5", some)
        return self.add([folder / "demonstrations"], init, folder / bundle, folder / "run", settings or self.short)


SUB_GOALS = Head(
    "sub_goals", add_sub_goals, add_sub_goals.add_sub_goals, load_sub_goal_head,
    SubGoalRun(seed=2, iterations=5, command="jepa-planner train --sub-goals-only"),
)  # fmt: skip
VERDICT = Head(
    "verdict", add_verdict, add_verdict.add_verdict, load_verdict_head,
    VerdictRun(seed=2, iterations=3, command="jepa-planner train --verdict-only"),
)  # fmt: skip


def write_first(folder: Path) -> Path:
    """A bundle with random weights and no head."""
    small_planner().save(folder)
    save_bundle(folder, encoder(), predictor(), contract(encoder(), predictor(), SOME, Recipe()), torch.float16)
    return folder
