"""Cross-entropy method: sample action sequences, keep the best, sample around those."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from jepa_planner.planning.action_space import AXES, GRIPPER
from jepa_planner.planning.noise import correlate_in_time
from jepa_planner.planning.plan import NonFiniteEnergyError, Plan

if TYPE_CHECKING:
    from jepa_planner.planning.action_space import ActionSpace
    from jepa_planner.planning.noise import NoiseSource
    from jepa_planner.planning.plan import EnergyFunction


@dataclass(frozen=True, kw_only=True)
class CemSettings:
    """Settings of the search; the defaults are those of V-JEPA 2-AC, and every extra is off.

    momentum_*: share of the old mean or spread that stays, for the arm's axes and for the gripper. answer:
    the final mean, or the best candidate met. The extras take the places of random samples, so they cost
    nothing: noise_correlation over time (AR(1)), use_warm_start as the first mean, mean_as_candidate,
    kept_elites of the iteration before, and seeded_candidates ("noop", "open", "close").
    """

    horizon: int = 2
    samples: int = 400
    iterations: int = 10
    elites: int = 10
    momentum_mean: float = 0.15
    momentum_std: float = 0.15
    momentum_mean_gripper: float = 0.15
    momentum_std_gripper: float = 0.15
    answer: Literal["mean", "best"] = "mean"
    noise_correlation: float = 0.0
    use_warm_start: bool = False
    mean_as_candidate: bool = False
    kept_elites: int = 0
    seeded_candidates: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        extras = self.kept_elites + self.mean_as_candidate + len(self.seeded_candidates)
        for name, holds, must in (
            ("horizon", self.horizon >= 1, "be at least 1"),
            ("iterations", self.iterations >= 1, "be at least 1"),
            ("elites", 2 <= self.elites <= self.samples, f"be 2 to samples ({self.samples})"),
            ("kept_elites", 0 <= self.kept_elites <= self.elites, f"be 0 to elites ({self.elites})"),
            ("samples", extras < self.samples, f"exceed the {extras} candidates that are not random"),
            ("noise_correlation", 0.0 <= self.noise_correlation < 1.0, "lie in 0..1, 1 excluded"),
            ("answer", self.answer in ("mean", "best"), "be 'mean' or 'best'"),
            *(
                (name, 0.0 <= getattr(self, name) < 1.0, "lie in 0..1, 1 excluded")
                for name in ("momentum_mean", "momentum_std", "momentum_mean_gripper", "momentum_std_gripper")
            ),
        ):
            if not holds:
                raise ValueError(f"{name} is {getattr(self, name)}; it must {must}")


class CrossEntropyMethod:
    """`Optimiser` that repeats: draw samples around a mean, move mean and spread toward the best of them."""

    def __init__(self, settings: CemSettings) -> None:
        self.settings = settings

    def plan(
        self,
        energy_of: EnergyFunction,
        action_space: ActionSpace,
        warm_start: Tensor | None,
        noise: NoiseSource,
    ) -> Plan:
        """See `Optimiser.plan`; the plan has `settings.horizon` steps."""
        settings = self.settings
        started = time.perf_counter()
        mean = self._first_mean(action_space, warm_start)
        std = action_space.std.expand(settings.horizon, -1)
        means, stds = [], []
        best, best_energy = mean, math.inf
        kept = torch.empty(0, *mean.shape)
        fixed = self._fixed_candidates(action_space)
        for iteration in range(settings.iterations):
            extras = [fixed, kept] + ([mean[None]] if settings.mean_as_candidate else [])
            candidates = self._candidates(mean, std, action_space, torch.cat(extras), noise)
            energies = _finite(energy_of(candidates), f"iteration {iteration + 1}")
            order = energies.topk(settings.elites, largest=False, sorted=True)
            elites = candidates[order.indices]
            if order.values[0].item() < best_energy:
                best, best_energy = elites[0], order.values[0].item()
            mean, std = self._refit(mean, std, elites)
            kept = elites[: settings.kept_elites]
            means.append(mean)
            stds.append(std)
        actions = action_space.finish((mean if settings.answer == "mean" else best).clone())
        energy = _finite(energy_of(actions[None]), "the final plan").item()
        return Plan(
            actions=actions,
            energy=energy,
            evaluations=settings.samples * settings.iterations + 1,
            seconds=time.perf_counter() - started,
            means=torch.stack(means),
            stds=torch.stack(stds),
        )

    def _first_mean(self, action_space: ActionSpace, warm_start: Tensor | None) -> Tensor:
        shape = (self.settings.horizon, AXES)
        if warm_start is None or not self.settings.use_warm_start:
            return torch.zeros(shape)
        if tuple(warm_start.shape) != shape:
            raise ValueError(f"warm_start is {list(warm_start.shape)}; expected {list(shape)}")
        return action_space.clip(warm_start.to("cpu", torch.float32))

    def _fixed_candidates(self, action_space: ActionSpace) -> Tensor:
        horizon = self.settings.horizon
        named = [action_space.constant_sequence(name, horizon) for name in self.settings.seeded_candidates]
        return torch.stack(named) if named else torch.empty(0, horizon, AXES)

    def _candidates(
        self, mean: Tensor, std: Tensor, action_space: ActionSpace, extras: Tensor, noise: NoiseSource
    ) -> Tensor:
        """Samples [K, H, A]; the first places go to `extras`, and held axes stay at 0."""
        settings, axes = self.settings, action_space.free_axes
        draws = noise((settings.horizon, settings.samples, len(axes)))
        draws = correlate_in_time(draws, settings.noise_correlation).transpose(0, 1)
        candidates = torch.zeros(settings.samples, settings.horizon, AXES)
        candidates[:, :, axes] = draws * std[:, axes] + mean[:, axes]
        candidates[: len(extras)] = extras
        return action_space.clip(candidates)

    def _refit(self, mean: Tensor, std: Tensor, elites: Tensor) -> tuple[Tensor, Tensor]:
        settings = self.settings
        stay_mean = torch.full((AXES,), settings.momentum_mean)
        stay_std = torch.full((AXES,), settings.momentum_std)
        stay_mean[GRIPPER], stay_std[GRIPPER] = settings.momentum_mean_gripper, settings.momentum_std_gripper
        mean = elites.mean(dim=0) * (1.0 - stay_mean) + mean * stay_mean
        std = elites.std(dim=0) * (1.0 - stay_std) + std * stay_std
        return mean, std


def _finite(energies: Tensor, when: str) -> Tensor:
    broken = int((~energies.isfinite()).sum())
    if broken:
        raise NonFiniteEnergyError(f"{broken} of {energies.numel()} energies are NaN or infinite in {when}")
    return energies.to("cpu", torch.float32)
