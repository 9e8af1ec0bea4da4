"""What can be evaluated: the world model's planner, and the baselines that anything useful must beat."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from jepa_planner.core.arm_layout import AXES, GRIPPER
from jepa_planner.learning.evaluation.scenes import Scene
from jepa_planner.model.latent_statistics import LatentStatistics
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.decision import Decision, DecisionKind, Reason, gave_up
from jepa_planner.planning.out_of_distribution import OutOfDistributionGoalError
from jepa_planner.planning.planner import Planner
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.solvers.plan import Solver
from jepa_planner.planning.sub_goals import ImagineMode, SubGoalHeadLike
from jepa_planner.planning.verdict import VerdictHeadLike

BASELINE_PX = 64


class Policy(Protocol):
    """Chooses actions from observations; `start` is called once per trial.

    image_size_px: of pictures it is given. cameras: those that it must see through; none: any will do. last: what it
    decided last, None for one that never says how things stand.
    """

    @property
    def image_size_px(self) -> int: ...

    @property
    def cameras(self) -> tuple[str, ...]: ...

    @property
    def last(self) -> Decision | None: ...

    def start(self, env: Scene, goals: Sequence[np.ndarray], seed: int) -> None:
        """Begin a trial with goal images, uint8 [V, H, W, 3] each."""

    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        """The next action [7]."""


def has_ended(policy: Policy) -> bool:
    """Whether a policy has ended the trial by itself."""
    return policy.last is not None and policy.last.kind is not DecisionKind.MOVE


@dataclass
class WorldModelPolicy:
    """The planner as the nodes run it: encode, imagine, search, take the first action; still once it has ended.

    From `start` on, goal_latents [G, N, D] are those of the goal pictures, views and channels what the model takes of
    an observation.
    """

    model: WorldModel
    """Encodes and imagines."""
    settings: PlannerSettings
    """Those that go with the model."""
    plan_seconds: list[float] = field(default_factory=list)
    """Grows by the seconds of each observation and plan."""
    solver: Solver | None = None
    """None: that of the settings."""
    deadline_s: float | None = None
    """Time for each search, more than 0; None: that of the settings."""
    sub_goal_head: SubGoalHeadLike | None = None
    """The bundle's; None: it has none."""
    imagine_sub_goals: ImagineMode = "never"
    """When `sub_goal_head` is used."""
    latent_statistics: LatentStatistics | None = None
    """With the model's, the trial ends at what the model does not know; None: it does not."""
    verdict_head: VerdictHeadLike | None = None
    """The bundle's, which says when the work is done; None: the planner does without."""
    last: Decision | None = None
    """The last decision; None before the first."""

    @property
    def image_size_px(self) -> int:
        """That of the model."""
        return self.model.contract.image.height

    @property
    def cameras(self) -> tuple[str, ...]:
        """Those of the model."""
        return self.model.contract.image.views

    def start(self, env: Scene, goals: Sequence[np.ndarray], seed: int) -> None:
        """Encode the goal images, with the task's steps for all of them together; still where one is out of
        distribution.
        """
        contract = self.model.contract
        contract.check_frame(env.base_frame, env.tcp_frame)
        self.views = contract.pick_views(env.views)
        self.channels = contract.state.columns
        self._planning = Planner(
            self.model, self.settings, self.solver, self.deadline_s or 0.0, self.sub_goal_head,
            self.imagine_sub_goals, self.latent_statistics, self.verdict_head,
        )  # fmt: skip
        self.last = None
        try:
            self._planning.set_goal([goal[self.views] for goal in goals], seed=seed, max_steps=env.max_steps)
        except OutOfDistributionGoalError as error:
            self.last = gave_up(Reason.UNFAMILIAR_GOAL, str(error))
        self.goal_latents = self._planning.goals

    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        """One observation, one plan, one action."""
        if has_ended(self):
            return np.zeros(7, dtype=np.float32)
        started = time.perf_counter()
        self.last = self._planning.act(observation["images"][self.views], observation["state"][self.channels])
        if self.last.action is None:
            return np.zeros(7, dtype=np.float32)
        self.plan_seconds.append(time.perf_counter() - started)
        return self.last.action


class Baseline:
    """Common to the baselines: any small picture will do, and nothing is said of how things stand."""

    image_size_px = BASELINE_PX
    cameras = ()
    last = None


class NoopPolicy(Baseline):
    """Does nothing: what is solved without acting is no task."""

    def start(self, env: Scene, goals: Sequence[np.ndarray], seed: int) -> None:
        """Nothing to prepare."""

    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        """No motion."""
        return np.zeros(7, dtype=np.float32)


class RandomPolicy(Baseline):
    """Even random actions within bounds."""

    def start(self, env: Scene, goals: Sequence[np.ndarray], seed: int) -> None:
        """Seed the generator."""
        self._rng, self._max = np.random.default_rng(seed), env.action_max

    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        """A random action."""
        return self._rng.uniform(-self._max, self._max).astype(np.float32)


class PixelPolicy(Baseline):
    """Greedy in pixel space with the true simulator as its look-ahead: better dynamics than any model has, but pixels
    as energy.

    Tries `candidates` random actions and no action in the simulator itself, and takes the one whose picture differs
    least (mean squared) from the goal image; goes on to the next goal image after an even share of the steps.
    """

    def __init__(self, candidates: int = 24) -> None:
        self._candidates = candidates

    def start(self, env: Scene, goals: Sequence[np.ndarray], seed: int) -> None:
        """Keep the world for look-ahead."""
        self._env, self._goals, self._rng, self._step = (
            env,
            [g.astype(np.float32) for g in goals],
            np.random.default_rng(seed),
            0,
        )

    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        """The best of the tried actions."""
        share = max(1, self._env.max_steps // len(self._goals))
        goal = self._goals[min(self._step // share, len(self._goals) - 1)]
        self._step += 1
        bound = self._env.action_max
        candidates = self._rng.uniform(-bound, bound, (self._candidates, AXES)).astype(np.float32)
        candidates[: len(candidates) // 2, GRIPPER] = 0.0
        candidates[0] = 0.0
        return min(candidates, key=lambda action: self._difference(action, goal))

    def _difference(self, action: np.ndarray, goal: np.ndarray) -> float:
        return float(np.mean((self._env.foresee(action).astype(np.float32) - goal) ** 2))


class ExpertPolicy(Baseline):
    """The scripted expert with the simulator's knowledge: not a baseline but the ceiling."""

    def start(self, env: Scene, goals: Sequence[np.ndarray], seed: int) -> None:
        """Begin the task; raises ValueError in a scene that does not know how it is done."""
        if not hasattr(env, "expert"):
            raise ValueError(f"{type(env).__name__} has no expert: the tasks of a simulator that ships one do")
        self._actions = env.expert()

    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        """The expert's next action; still when it is over."""
        return next(self._actions, np.zeros(7)).astype(np.float32)


def baseline_policy(name: str) -> Policy:
    """A baseline, or "expert", by its name; raises ValueError listing the known ones."""
    baselines: dict[str, Callable[[], Policy]] = {
        "noop": NoopPolicy,
        "random": RandomPolicy,
        "pixel": PixelPolicy,
        "expert": ExpertPolicy,
    }
    if name not in baselines:
        raise ValueError(f"unknown baseline {name!r}; known are {', '.join(baselines)}")
    return baselines[name]()
