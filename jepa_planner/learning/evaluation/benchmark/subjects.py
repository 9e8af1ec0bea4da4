"""What is timed: predictors with a search, and problems for them that look like those on the way to a goal."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from jepa_planner.core.context import Context
from jepa_planner.model.predictor import ActionConditionedPredictor, PredictorConfig
from jepa_planner.model.predictor_kind import Predictor
from jepa_planner.model.rollout.differentiable import differentiable_rollout
from jepa_planner.model.rollout.engine import RolloutEngine, Score
from jepa_planner.model.rollout.plain import plain_rollout
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.action_space import ActionSpace
from jepa_planner.planning.confirmation import cuts_of
from jepa_planner.planning.energy import Energy, LastStepL1, latent_energy
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.rollout_cost import WorldModelCost
from jepa_planner.planning.solvers.cem import CemSettings
from jepa_planner.planning.solvers.noise import SeededNoise
from jepa_planner.planning.solvers.plan import EnergyFunction, Plan, PlanningProblem
from jepa_planner.planning.solvers.settings import SearchSettings

REFERENCE_SPACE = ActionSpace((0.05, 0.05, 0.05, 0.0, 0.0, 0.0, 0.75), gripper_deadband=0.25)
ACTION_STD = 0.05
VALUE_GAIN = 3.0
"""Of random attention, which looks everywhere alike: so that the one action token still reaches the others."""
MIDDLE_SIZE = PredictorConfig(latent_channels=384, grid=(8, 8), width=384, depth=6, heads=6, mlp_hidden=1536)
FULL_SIZE = PredictorConfig(latent_channels=1408, grid=(16, 16), width=1024, depth=24, heads=16, mlp_hidden=4096)
PAPER_SEARCH = CemSettings(horizon=1, samples=800, iterations=10)


@dataclass(frozen=True)
class Problem:
    """A context and a goal latent [N, D] that some action sequence leads to."""

    context: Context
    goal: Tensor


class Rollouts:
    """A predictor's rollouts behind the calls that `WorldModelCost` makes."""

    def __init__(self, engine: RolloutEngine, device: torch.device) -> None:
        self.engine, self.device = engine, device

    def evaluate(self, context: Context, actions: Tensor, score: Score, exact: bool = False) -> Tensor:
        """See `RolloutEngine.evaluate`."""
        return self.engine.evaluate(context, actions, score, exact)


@dataclass(frozen=True)
class Subject:
    """A predictor that a search plans with, from contexts of `frames` observations."""

    name: str
    predictor: Predictor
    search: SearchSettings
    space: ActionSpace
    energy: Energy
    frames: int = 1

    @property
    def device(self) -> torch.device:
        return self.predictor.device

    @torch.inference_mode()
    def problem(self, seed: int) -> Problem:
        """Standardised latents drawn at random, as `precision.rank_agreement` does, and a goal within reach."""
        config, predictor = self.predictor.config, copy.deepcopy(self.predictor).float()
        generator = torch.Generator().manual_seed(seed)
        latents = torch.randn(self.frames, config.latent_tokens, config.latent_channels, generator=generator)
        past, toward = (
            self.space.clip(self.space.std * torch.randn(steps, config.action_dim, generator=generator))
            for steps in (self.frames - 1, self.search.horizon)
        )
        states = predictor.state_mean.expand(self.frames, -1)
        context = Context(predictor.normalise_output(latents), states.cpu(), past).to(self.device)
        return Problem(context, differentiable_rollout(predictor, context, toward[None].to(self.device))[0, -1])

    def candidates(self, count: int, horizon: int = 0) -> Tensor:
        """Random action sequences [count, H, A] within the bounds, the same each time."""
        generator = torch.Generator().manual_seed(0)
        shape = (count, horizon or self.search.horizon, self.predictor.config.action_dim)
        return self.space.clip(self.space.std * torch.randn(shape, generator=generator))

    def fast_energies(self, engine: RolloutEngine, problem: Problem) -> EnergyFunction:
        """Energies along the fast path, confirmed in float32 where the engine's type is a rougher one."""
        cost = WorldModelCost(Rollouts(engine, self.device), self.energy, cuts_of(self.search))
        return lambda actions: cost.energies(problem.context, problem.goal, actions)

    def rough_energies(self, engine: RolloutEngine, problem: Problem) -> EnergyFunction:
        """The same without confirmation."""
        return lambda actions: engine.evaluate(
            problem.context, actions, lambda latents, given: self.energy(latents, problem.goal, given)
        )

    def plain_energies(self, problem: Problem) -> EnergyFunction:
        """Energies along the plain path, all candidates in one batch."""

        @torch.inference_mode()
        def energies(actions: Tensor) -> Tensor:
            actions = actions.to(self.device)
            return self.energy(plain_rollout(self.predictor, problem.context, actions), problem.goal, actions)

        return energies

    def plan(self, energies: EnergyFunction, seed: int = 0) -> Plan:
        """One search from nothing."""
        return self.search.solver().plan(PlanningProblem(energies, self.space), SeededNoise(seed))

    def with_search(self, **changes: int) -> Subject:
        """The same with other settings of the search."""
        return replace(self, search=replace(self.search, **changes))


def bundle_subject(model: WorldModel, settings: PlannerSettings) -> Subject:
    """A loaded bundle with its own search, bounds and energy."""
    contract = model.contract
    return Subject(
        contract.name, model.predictor, settings.search(), settings.action_space(contract),
        latent_energy(settings.energy.kind), contract.context_frames,
    )  # fmt: skip


def middle_subject(device: torch.device, horizon: int) -> Subject:
    """Predictor 384 wide, 6 deep, 64 tokens of 384 channels; 200 samples, 5 iterations."""
    search = CemSettings(horizon=horizon, samples=200, iterations=5)
    return Subject(
        "384 wide, 6 deep, 64 tokens", random_predictor(MIDDLE_SIZE, device), search, REFERENCE_SPACE, LastStepL1()
    )


def full_subject(device: torch.device) -> Subject:
    """The predictor of V-JEPA 2-AC, 305 million weights, 256 tokens of 1408 channels, with the paper's search."""
    return Subject("V-JEPA 2-AC", random_predictor(FULL_SIZE, device), PAPER_SEARCH, REFERENCE_SPACE, LastStepL1())


def random_predictor(config: PredictorConfig, device: torch.device, seed: int = 0) -> ActionConditionedPredictor:
    """With random weights, and actions that show in the outcome about as much as after training."""
    with torch.device("meta"):
        predictor = ActionConditionedPredictor(config)
    generator = torch.Generator().manual_seed(seed)
    modules = dict(predictor.named_modules())
    weights = {}
    for name, like in predictor.state_dict().items():
        owner, kind = modules[name.rpartition(".")[0]], name.rpartition(".")[2]
        if isinstance(owner, nn.Linear):
            std = owner.in_features**-0.5 if kind == "weight" else 0.02
            weights[name] = torch.empty(like.shape).normal_(std=std, generator=generator)
        else:  # norms and scalings
            weights[name] = torch.full(like.shape, 1.0 if kind in ("weight", "state_std") else 0.0)
        if name.endswith("qkv.weight"):
            weights[name][2 * config.width :] *= VALUE_GAIN
    weights["action_std"] = torch.full_like(weights["action_std"], ACTION_STD)
    predictor.load_state_dict(weights, assign=True)
    return predictor.to(device).eval().requires_grad_(False)
