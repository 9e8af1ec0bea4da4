"""Why an episode was lost: what the expert does from the same moments, seen by the model and by the simulator.

At an observation, the scripted expert takes over in the simulator and the world is put back afterwards. What it would
have done is held against what the planner did, in the model's imagination and in truth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch
from torch import Tensor

from jepa_planner.core.context import Context
from jepa_planner.learning.evaluation.policies import WorldModelPolicy
from jepa_planner.learning.evaluation.scenes import make_scene
from jepa_planner.learning.evaluation.trials import TrialSettings, run_trial
from jepa_planner.planning.confirmation import cuts_of
from jepa_planner.planning.decision import Decision, Reason
from jepa_planner.planning.energy import energy_of
from jepa_planner.planning.rollout_cost import WorldModelCost
from jepa_planner_sim.envs import PandaTaskEnv
from jepa_planner_sim.expert import ScriptedExpert
from jepa_planner_sim.tasks import achieved_now, script

OBSERVE_EVERY = 4
MOST_EXPERT_STEPS = 60
CLEARLY = 0.05
"""Share by which one energy must lie below another to be called less."""


class Cause(Enum):
    """What failed at an observation; the value says it in words."""

    OUT_OF_REACH = "the expert does not succeed from here either"
    PERCEPTION = "the picture of success looks no nearer than the present one"
    SUB_GOAL = "the imagined sub-goal lies off the expert's way"
    ENERGY = "the right way is uphill for as far as is imagined"
    SEARCH = "the right way was imagined to be better than the plan, and was not found"
    PREDICTION = "the right way is better in truth, but not as imagined"
    NONE = "the plan is as good as the expert's way"
    VERDICT = "what was said in the end was not so: done and not noticed, or not done"


@dataclass(frozen=True)
class Evidence:
    """What was found at an observation; distances are mean squared differences of latents, energies those of the
    search.

    now_to_goal, success_to_goal: distance to the last goal picture, of the present and of where the expert ends (None:
    it fails). now_to_target, way_to_target: distance to what is planned for, of the present and the least on the
    expert's way. staying, expert, plan: true energies over the horizon of doing nothing, the expert's first steps and
    the plan; expert_imagined, plan_imagined: what the model makes of the latter two.
    """

    now_to_goal: float
    success_to_goal: float | None
    now_to_target: float
    way_to_target: float
    is_imagined: bool
    staying: float
    expert: float
    plan: float
    expert_imagined: float
    plan_imagined: float

    @property
    def cause(self) -> Cause:
        """The first thing that failed on the way from pictures to actions."""
        if self.success_to_goal is None:
            return Cause.OUT_OF_REACH
        if not _less(self.success_to_goal, self.now_to_goal):
            return Cause.PERCEPTION
        if self.is_imagined and not _less(self.way_to_target, self.now_to_target):
            return Cause.SUB_GOAL
        if not _less(self.expert, self.staying):
            return Cause.ENERGY
        if not _less(self.expert, self.plan):
            return Cause.NONE
        return Cause.SEARCH if _less(self.expert_imagined, self.plan_imagined) else Cause.PREDICTION


def _distance(one: Tensor, other: Tensor) -> float:
    return (one - other).square().mean().item()


def _less(one: float, other: float) -> bool:
    return one < (1.0 - CLEARLY) * other


def is_of_verdict(trial: Mapping[str, object]) -> bool:
    """Whether a lost trial, as `eval` wrote it, was lost by what the planner said of it alone."""
    return bool(trial["solved_at_end"]) != (trial["reason"] == Reason.REACHED.name)


def most_frequent(causes: Sequence[Cause]) -> Cause:
    """The cause of an episode: the most frequent one of its observations, leaving out those at which nothing failed."""
    counts = Counter(cause for cause in causes if cause is not Cause.NONE)
    return counts.most_common(1)[0][0] if counts else Cause.NONE


class Examiner:
    """Plays an episode again and examines every few observations.

    goal, seen: of the last episode, the last goal's pictures and those of each step, uint8 [V, H, W, 3].
    """

    def __init__(self, policy: WorldModelPolicy) -> None:
        self.goal: np.ndarray | None = None
        self.seen: list[np.ndarray] = []
        self._policy, self._model = policy, policy.model
        settings = policy.settings
        self._energy_of_latents = energy_of(settings.energy.kind, policy.model.decoder)
        self._cost = WorldModelCost(policy.model, self._energy_of_latents, cuts_of(settings.search()))

    def episode(self, settings: TrialSettings, seed: int) -> list[Evidence]:
        """What was found in one scene, for as long as `run_trial` plays it."""
        env = make_scene(settings.task, self._policy.image_size_px, self._policy.cameras)
        if not isinstance(env, PandaTaskEnv):
            raise ValueError(
                f"{settings.task}: this study needs the scripted expert, which knows the tasks of the simulator alone"
            )
        evidence: list[Evidence] = []
        self.seen = []
        self._aside = settings.goal_images == "one" and settings.task not in ("reach", "grasp")

        def observe(step: int, env: PandaTaskEnv, observation: dict[str, np.ndarray]) -> None:
            self.seen.append(observation["images"])
            if step % OBSERVE_EVERY == 0 and self._policy.last.plan is not None:
                evidence.append(self._examine(env, observation, self._policy.last))

        try:
            run_trial(env, self._policy, settings, seed, observe)
            self.goal = env.goal_images[-1]
        finally:
            env.close()
        return evidence

    def _examine(self, env: PandaTaskEnv, observation: dict[str, np.ndarray], decision: Decision) -> Evidence:
        present, goals = self._seen(observation["images"]), self._policy.goal_latents
        is_imagined = decision.imagined is not None and not decision.imagined.is_goal
        target = decision.imagined.latent if decision.imagined is not None else goals[decision.sub_goal]
        horizon = len(decision.plan.actions)
        way, actions, success = self._expert_way(env, horizon)
        outcomes = self._outcomes(env, decision.plan.actions.numpy())
        state = torch.from_numpy(observation["state"][self._policy.channels]).float()
        context = Context(present[None], state[None], torch.zeros(0, actions.shape[-1]))
        both = torch.stack([actions[:horizon], decision.plan.actions])
        expert_imagined, plan_imagined = self._cost.energies(context, target, both).tolist()
        return Evidence(
            now_to_goal=_distance(present, goals[-1]),
            success_to_goal=_distance(way[-1], goals[-1]) if success else None,
            now_to_target=_distance(present, target),
            way_to_target=min(_distance(latent, target) for latent in way),
            is_imagined=is_imagined,
            staying=self._energy(present.expand(horizon, -1, -1), target, torch.zeros_like(both[0])),
            expert=self._energy(way[:horizon], target, both[0]),
            plan=self._energy(outcomes, target, both[1]),
            expert_imagined=expert_imagined,
            plan_imagined=plan_imagined,
        )

    def _expert_way(self, env: PandaTaskEnv, horizon: int) -> tuple[Tensor, Tensor, bool]:
        """Latents after each of the expert's actions from here, the actions, and whether it succeeds.

        A way that ends within the horizon goes on with rest.
        """
        saved, runner = env.world.save(), ScriptedExpert(script(env.task, env.plan, self._aside))
        latents, actions = [], []
        while not runner.done and len(actions) < MOST_EXPERT_STEPS:
            actions.append(runner.act(env.world))
            env.driver.execute(actions[-1])
            runner.update(env.world)
            latents.append(self._seen(env.world.render()))
        success = achieved_now(env.task, env.world, env.goal_m)
        env.world.restore(saved)
        env.driver.reset()
        rest = max(0, horizon - len(actions))
        latents, actions = latents + latents[-1:] * rest, actions + [np.zeros_like(actions[-1])] * rest
        return torch.stack(latents), torch.from_numpy(np.array(actions, dtype=np.float32)), success

    def _outcomes(self, env: PandaTaskEnv, actions: np.ndarray) -> Tensor:
        """Latents after each action of a plan, carried out to its end."""
        saved, latents = env.world.save(), []
        for action in actions:
            env.driver.execute(action)
            latents.append(self._seen(env.world.render()))
        env.world.restore(saved)
        env.driver.reset()
        return torch.stack(latents)

    def _seen(self, images: np.ndarray) -> Tensor:
        return self._model.encode(images[None, self._policy.views])[0]

    def _energy(self, latents: Tensor, target: Tensor, actions: Tensor) -> float:
        return self._energy_of_latents(latents[None], target, actions[None]).item()


def tally(causes: Sequence[Cause]) -> str:
    """Markdown: how many episodes each cause lost."""
    counts = Counter(causes)
    rows = [f"| {cause.name.lower().replace('_', ' ')} | {cause.value} | {counts[cause]} |" for cause in Cause]
    return "\n".join(["| failed | meaning | episodes |", "|---|---|---|", *rows])
