"""Closed-loop trials on scenes that training never saw."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jepa_planner.learning.evaluation.policies import Policy, has_ended
from jepa_planner.learning.evaluation.scenes import EVALUATION_SEED_START, Scene, make_scene, source_of
from jepa_planner.planning.decision import OUT_OF_DISTRIBUTION, Reason

UNREACHABLE = ("missing", "outside", "other-scene")
"""Goals that cannot be reached. missing: the object is gone, which the goal pictures show; outside: the last of them
shows it where the arm may not go; other-scene: they are of another table with other things.
"""
WITHIN_STEPS = 15
"""A goal that cannot be reached should have ended by then."""
Observed = Callable[[int, Scene, dict[str, np.ndarray]], None]
"""Told of each look once the policy has acted on it: actions so far, the scene, the observation."""


@dataclass(frozen=True)
class TrialSettings:
    """What is tried, on how many scenes, and what these show and vary."""

    task: str
    """Of an installed simulator by name, or a SceneAdapter as MODULE:CLASS."""
    episodes: int
    """Scenes, one trial on each; at least 1."""
    seed: int = 0
    """That of the first scene, counted from where evaluation's begin; at least 0."""
    goal_images: str = "dense"
    """How many pictures the planner is given: dense, one, or a count."""
    vary: frozenset[str] = frozenset()
    """What the scenes vary, by the simulator's names."""
    strength: float = 1.0
    """Scale of the ranges in which they vary, at least 0; 1: as documented."""
    stop_at_success: bool = False
    """The simulator's judge ends a trial at its first success, as other projects count, and what the planner says of
    itself does not matter.
    """
    unreachable: str = ""
    """The goals are made such, as UNREACHABLE tells; empty: they are not."""
    setup: int | None = None
    """What varies is drawn by this number alone, at least 0, and is the same in all scenes; None: by each anew."""

    def __post_init__(self) -> None:
        own = ":" in self.task
        if not own:
            source_of(self.task)  # refuses one that is not there
        if self.unreachable and (self.unreachable not in UNREACHABLE or own or self.stop_at_success):
            raise ValueError(
                f"unreachable {self.unreachable!r} of {self.task!r}, stop_at_success {self.stop_at_success}: expected "
                f"one of {', '.join(UNREACHABLE)}, a task of the simulator, and trials that the planner ends"
            )
        if self.setup is not None and (self.setup < 0 or not self.vary):
            raise ValueError(
                f"setup {self.setup} of scenes that vary {', '.join(sorted(self.vary)) or 'nothing'}: expected a "
                "number from 0 up, and something that varies"
            )
        if self.episodes < 1 or self.seed < 0:
            raise ValueError(f"expected at least 1 episode and a seed from 0 up, got {self.episodes} and {self.seed}")

    @property
    def scene_options(self) -> dict[str, Any]:
        """What scenes are told of what they vary."""
        options: dict[str, Any] = {"vary": sorted(self.vary), "strength": self.strength}
        return options if self.setup is None else {**options, "setup": self.setup}

    def scene_seed(self, episode: int) -> int:
        """Seed of a trial's scene, beyond those of training."""
        return EVALUATION_SEED_START + self.seed + episode


@dataclass(frozen=True)
class Trial:
    """How one trial went; distances are to what the goal image shows."""

    seed: int
    """Of the scene."""
    success: bool
    """What counts, see `run_trials`."""
    steps: int
    """Actions until the planner ended, which is when its verdict fell."""
    start_distance_m: float
    """At the start."""
    distance_m: float
    """At the end."""
    ended: str
    """What the planner said last, in words; empty where nothing is said."""
    draws: int = 1
    """Scenes drawn until there was one that the scripted expert solves."""
    first_success: int | None = None
    """After how many steps the task was solved for the first time; None where it never was or nobody counted."""
    reason: str = ""
    """What the planner said last by its name in `Reason`, or, through the nodes, in `Outcome`; empty where nothing is
    said.
    """
    certainty: float | None = None
    """Chance, as then judged, that the objects lie as shown; None where nobody judged."""
    off_m: float | None = None
    """How far off the objects were then thought to be; None where nobody judged, or it is beyond telling."""
    true_since: int | None = None
    """After how many steps what is true at the end became so, and stayed."""
    was_solved: bool = False
    """Whether the task was solved at some moment."""
    solved_at_end: bool = False
    """Whether it is once the arm has rested after the end."""

    @property
    def reached(self) -> bool:
        """Whether the planner said that the work was done."""
        return self.reason == Reason.REACHED.name


class Truth:
    """What the simulator knows of a task, step after step."""

    def __init__(self, possible: bool = True) -> None:
        self._possible = possible
        self.solved = False
        self.first_success: int | None = None
        self.since: int | None = None

    def record(self, steps: int, info: Mapping[str, bool]) -> None:
        """After so many steps; info: of the scene's `step`."""
        self.solved = bool(info["success"]) and self._possible
        self.since = (steps if self.since is None else self.since) if info["holds"] else None
        if self.solved and self.first_success is None:
            self.first_success = steps


def run_trials(policy: Policy, settings: TrialSettings) -> Iterator[Trial]:
    """Run the trials one after another, yielding each as it ends; see `run_trial`."""
    env = make_scene(settings.task, policy.image_size_px, policy.cameras)
    try:
        for episode in range(settings.episodes):
            yield run_trial(env, policy, settings, settings.scene_seed(episode))
    finally:
        env.close()


def run_trial(
    env: Scene, policy: Policy, settings: TrialSettings, seed: int, on_observation: Observed = lambda *_: None
) -> Trial:
    """Play one scene until the planner ends, whatever it says, or the task's steps are spent; then the arm rests for
    `rest_steps` of the scene, and what is true then is the truth.

    It is a success where the planner said that the goal is reached, and it was. Of a policy that says nothing, what
    holds at the end counts; with `stop_at_success`, what held at some moment, which ends the trial at once. A goal that
    cannot be reached is never true: it is a success to end as STALLED or as out of distribution within WITHIN_STEPS.
    """
    options = {"goal_images": settings.goal_images, **settings.scene_options}
    if settings.unreachable:
        options["unreachable"] = settings.unreachable
    observation, info = env.reset(seed=seed, options=options)
    goals = env.goal_images
    start_m, draws = info["distance_m"], info["draws"]
    policy.start(env, goals, seed)
    truth, steps, truncated = Truth(possible=not settings.unreachable), 0, False
    while True:
        action = policy.act(observation)
        on_observation(steps, env, observation)
        if truncated or (has_ended(policy) and not settings.stop_at_success):
            break
        observation, _, success, truncated, info = env.step(action)
        steps += 1
        truth.record(steps, info)
        if success and settings.stop_at_success:
            break
    for rest in range(0 if settings.stop_at_success else env.rest_steps):
        info = env.step(np.zeros_like(action))[-1]
        truth.record(steps + 1 + rest, info)
    last = policy.last
    verdict = None if last is None else last.verdict
    if settings.unreachable:
        success = last is not None and last.reason in (Reason.STALLED, *OUT_OF_DISTRIBUTION) and steps <= WITHIN_STEPS
    else:
        said = last is None or settings.stop_at_success or last.reason is Reason.REACHED
        success = said and truth.solved
    return Trial(
        seed,
        success=success,
        steps=steps,
        start_distance_m=start_m,
        distance_m=info["distance_m"],
        ended="" if last is None else last.message,
        draws=draws,
        first_success=truth.first_success,
        reason="" if last is None else last.reason.name,
        certainty=None if verdict is None else verdict.certainty,
        off_m=verdict.off_m if verdict is not None and math.isfinite(verdict.off_m) else None,
        true_since=truth.since if truth.solved else None,
        was_solved=truth.first_success is not None,
        solved_at_end=truth.solved,
    )
