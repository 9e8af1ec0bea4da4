"""Closed-loop trials on scenes that training never saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import gymnasium

from jepa_planner.evaluation.policies import Policy, WorldModelPolicy
from jepa_planner_sim import ENV_IDS
from jepa_planner_sim.adapter import SceneAdapter, load_adapter
from jepa_planner_sim.cameras import CAMERAS, STANDARD_CAMERAS
from jepa_planner_sim.collect_settings import EVALUATION_SEED_START
from jepa_planner_sim.envs import PandaTaskEnv


@dataclass(frozen=True)
class TrialSettings:
    """What is tried: a task of ENV_IDS or a SceneAdapter as MODULE:CLASS, how many scenes from which seed on, goal
    images, and what the scenes vary.

    to_the_end: go on after the first success until the task's steps are spent, and count what holds then.
    """

    task: str
    episodes: int
    seed: int = 0
    goal_images: str = "dense"
    vary: frozenset[str] = frozenset()
    strength: float = 1.0
    to_the_end: bool = False

    def __post_init__(self) -> None:
        if self.task not in ENV_IDS and ":" not in self.task:
            raise ValueError(
                f"unknown task {self.task!r}; known are {', '.join(ENV_IDS)}, and adapters as MODULE:CLASS"
            )
        if self.episodes < 1 or self.seed < 0:
            raise ValueError(f"expected at least 1 episode and a seed from 0 up, got {self.episodes} and {self.seed}")

    def scene_seed(self, episode: int) -> int:
        """Seed of a trial's scene, beyond those of training."""
        return EVALUATION_SEED_START + self.seed + episode


@dataclass(frozen=True)
class Trial:
    """How one trial went; distances in metres to what the goal image shows, at the start and at the end.

    draws: scenes drawn until there was one that the scripted expert solves. first_success: after how many steps the
    task was solved for the first time, None where it never was or nobody counted. ended, reason: what the planner said
    last, in words and by its name in `Reason`, or, through the nodes, in `Outcome`.
    """

    seed: int
    success: bool
    steps: int
    start_distance_m: float
    distance_m: float
    ended: str
    draws: int = 1
    first_success: int | None = None
    reason: str = ""


def run_trials(policy: Policy, settings: TrialSettings) -> Iterator[Trial]:
    """Run the trials one after another, yielding each as it ends.

    A trial ends at its first success (unless `to_the_end`) or when the task's steps are spent; what the policy says of
    itself does not count.
    """
    env = make_scene(settings.task, policy.image_size_px, policy.cameras)
    options = {"goal_images": settings.goal_images, "vary": settings.vary, "strength": settings.strength}
    try:
        for episode in range(settings.episodes):
            seed = settings.scene_seed(episode)
            observation, info = env.reset(seed=seed, options=options)
            start_m, draws = info["distance_m"], info["draws"]
            policy.start(env, env.goal_images, seed)
            steps, success, truncated, first_success = 0, False, False, None
            while not (truncated or (success and not settings.to_the_end)):
                observation, _, success, truncated, info = env.step(policy.act(observation))
                steps += 1
                first_success = steps if success and first_success is None else first_success
            last = policy.last if isinstance(policy, WorldModelPolicy) else None
            ended, reason = ("", "") if last is None else (last.message, last.reason.name)
            yield Trial(seed, success, steps, start_m, info["distance_m"], ended, draws, first_success, reason)
    finally:
        env.close()


def make_scene(task: str, image_size_px: int, cameras: Sequence[str] = ()) -> PandaTaskEnv | SceneAdapter:
    """The environment of a task, or of an adapter; raises AdapterError.

    cameras: besides the standard ones, where the simulation has them; an adapter has its own.
    """
    if ":" in task:
        return load_adapter(task, image_size_px=image_size_px)
    views = dict.fromkeys([*STANDARD_CAMERAS, *(name for name in cameras if name in CAMERAS)])
    given = {"image_size_px": image_size_px, "views": tuple(views)}
    env = gymnasium.make(ENV_IDS[task], disable_env_checker=True, **given).unwrapped
    assert isinstance(env, PandaTaskEnv)
    return env
