"""How often a model finds out of distribution what it should know, and how often what it cannot know: scenes driven by
the expert.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from jepa_planner.learning.evaluation.policies import ExpertPolicy
from jepa_planner.learning.training.add_latent_statistics import Examples, surprises
from jepa_planner.model.latent_statistics import LatentStatistics
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.energy import Energy
from jepa_planner.planning.out_of_distribution import goal_anomaly
from jepa_planner_sim.envs import PandaTaskEnv
from jepa_planner_sim.tasks import TASKS

ONE_CUBE = [name for name, task in TASKS.items() if task.cubes == 1]
"""Tasks of the scenes that models are measured in; others hold things that a model may never have seen."""

SEED_START = 2_000_000
"""Scenes that neither training nor the evaluation of success uses."""
PATCH = slice(20, 44)
OUTSIDE_M = np.array([[0.72, 0.0, 0.2], [0.5, 0.38, 0.2], [0.5, -0.38, 0.2], [0.5, 0.0, 0.42]])
"""Beyond the workspace box, where the arm may never go."""


def _covered(view: int) -> Callable[[np.ndarray], np.ndarray]:
    def cover(images: np.ndarray) -> np.ndarray:
        images = images.copy()
        images[:, view] = 0
        return images

    return cover


def _patched(images: np.ndarray) -> np.ndarray:
    images = images.copy()
    images[:, :, PATCH, PATCH] = 0
    return images


DISTORTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "both lenses covered": np.zeros_like,
    "first lens covered": _covered(0),
    "second lens covered": _covered(1),
    "something before the middle of both": _patched,
    "noise": lambda images: np.random.default_rng(0).integers(0, 256, images.shape, dtype=np.uint8),
    "a quarter of the light": lambda images: (images * 0.25).astype(np.uint8),
    "red and blue exchanged": lambda images: images[..., ::-1].copy(),
    "cameras exchanged": lambda images: images[:, ::-1].copy(),
    "mirrored": lambda images: images[:, :, :, ::-1].copy(),
    "upside down": lambda images: images[:, :, ::-1].copy(),
}
"""What may happen to pictures uint8 [T, V, H, W, 3]."""


@dataclass(frozen=True)
class Drive:
    """One episode: pictures [T, V, H, W, 3], states [T, S], actions [T-1, 7], goal pictures [G, V, H, W, 3]."""

    images: np.ndarray
    states: np.ndarray
    actions: np.ndarray
    goals: np.ndarray


def drives(task: str, count: int, vary: frozenset[str] = frozenset(), strength: float = 1.0) -> Iterator[Drive]:
    """Episodes of the scripted expert in scenes of their own."""
    env = PandaTaskEnv(task)
    try:
        for episode in range(count):
            options = {"goal_images": "dense", "vary": vary, "strength": strength}
            observation, _ = env.reset(seed=SEED_START + episode, options=options)
            policy = ExpertPolicy()
            policy.start(env, env.goal_images, 0)
            seen, actions, over = [observation], [], False
            while not over:
                actions.append(policy.act(seen[-1]))
                observation, _, solved, truncated, _ = env.step(actions[-1])
                seen.append(observation)
                over = solved or truncated
            yield Drive(
                np.stack([o["images"] for o in seen]), np.stack([o["state"] for o in seen]), np.stack(actions),
                np.stack(env.goal_images),
            )  # fmt: skip
    finally:
        env.close()


class Detector:
    """Judges episodes as mpc_node would: would the first goal image, or an observation, end the goal?"""

    def __init__(self, model: WorldModel, energy: Energy, latent_statistics: LatentStatistics) -> None:
        self._model, self._energy, self._latent_statistics = model, energy, latent_statistics
        self._spec = model.contract.out_of_distribution
        self._channels = model.contract.state.columns

    def of_observations(self, images: np.ndarray, states: np.ndarray, actions: np.ndarray | None = None) -> str:
        """The first anomaly by name, "" for none; without actions nothing can surprise."""
        latents, states = self._model.encode(images), torch.from_numpy(states[:, self._channels])
        if (self._latent_statistics.distance(latents) > self._spec.latent_distance).any():
            return "distance"
        if (self._latent_statistics.arm_error_m(latents, states) > self._spec.arm_error_m).any():
            return "arm elsewhere"
        if actions is not None:
            examples = Examples(latents[None], states[None], torch.from_numpy(actions.astype(np.float32))[None])
            if (surprises(self._model, self._energy, examples) > self._spec.surprise).any():
                return "surprise"
        return ""

    def of_goals(self, images: np.ndarray) -> str:
        """Whether a goal image would be refused."""
        latents = self._model.encode(images)
        return "goal" if any(goal_anomaly(goal, self._latent_statistics, self._spec) for goal in latents) else ""


def unreachable_goals() -> np.ndarray:
    """Pictures [G, V, H, W, 3] of the arm where it may not go."""
    env = PandaTaskEnv("reach")
    try:
        env.reset(seed=SEED_START)
        pictures = []
        for xyz_m in OUTSIDE_M:
            env.driver.place_tcp(xyz_m)
            pictures.append(env.world.render())
        return np.stack(pictures)
    finally:
        env.close()


def report(detector: Detector, clean: int, varied: int) -> Iterator[str]:
    """Lines of a table: false alarms over so many clean episodes, detection on distorted and varied ones."""
    kept: list[Drive] = []
    alarms: dict[str, int] = {}
    for task in ONE_CUBE:
        for drive in drives(task, clean // len(ONE_CUBE)):
            kept.append(drive)
            reason = detector.of_goals(drive.goals) or detector.of_observations(
                drive.images, drive.states, drive.actions
            )
            alarms[reason] = alarms.get(reason, 0) + 1
    why = ", ".join(f"{name} {count}" for name, count in alarms.items() if name)
    yield f"| clean scenes | {len(kept) - alarms.get('', 0)}/{len(kept)} flagged {f'({why})' if why else ''} |"
    for name, distort in DISTORTIONS.items():
        observations = [
            (distort(d.images[time : time + 1]), d.states[time : time + 1])
            for d in kept
            for time in [len(d.images) // 2]
        ]
        caught = sum(bool(detector.of_observations(*observation)) for observation in observations)
        goals = sum(bool(detector.of_goals(distort(d.goals[-1:]))) for d in kept)
        yield f"| {name} | {caught}/{len(observations)} at the first observation; {goals}/{len(kept)} as a goal |"
    frozen = sum(
        bool(detector.of_observations(np.repeat(d.images[:1], len(d.images), 0), d.states, d.actions)) for d in kept
    )
    yield f"| frozen picture with fresh stamps | {frozen}/{len(kept)} within the episode |"
    for what, strength in (("camera", 2.0), ("light", 2.0), ("colour", 1.0), ("distractors", 1.0), ("table", 1.0)):
        moved = [d for task in ONE_CUBE for d in drives(task, varied // len(ONE_CUBE), frozenset({what}), strength)]
        caught = sum(bool(detector.of_observations(d.images, d.states, d.actions)) for d in moved)
        yield f"| other {what} (strength {strength:g}) | {caught}/{len(moved)} within the episode |"
    goals = unreachable_goals()
    caught = sum(bool(detector.of_goals(goal[None])) for goal in goals)
    yield f"| goal with the arm outside the workspace | {caught}/{len(goals)} |"
