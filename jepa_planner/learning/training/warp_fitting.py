"""Where a moved camera looks now: the homography of each view through which a frozen model knows its own arm again.

A model that sees what it learned from foresees what actions do, and reads where the arm stands from its pictures; both
are known of every episode. So no calibration, no old picture and no label is needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from jepa_planner.core.observation import Observation
from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.training.verdict_training import arm_reading_loss
from jepa_planner.model.contract import Contract
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.latent_statistics import LatentStatistics
from jepa_planner.model.picture_warp import Warp, matrices, warped
from jepa_planner.model.predictor_kind import Predictor
from jepa_planner.model.verdict_head import VerdictHead

PREDICTION, DISTANCE, LATENTS, ARM = 5.0, 2.0, 1.0, 1.0
"""Weights of the terms: squared error of predicted latents, squared distance beyond NEAR from the latents of training,
error of the tcp that is read from latents, in units of TCP_M, and how a head reads the arm, see `arm_reading_loss`.
"""
NEAR = 0.75
"""Latents that are less distant than that are as those of training are: to be nearer yet is to tell less."""
TCP_M = 0.05
JUDGED, JUDGED_AT_ONCE = 240, 40
SHIFTS, SIZES = (-0.6, -0.3, 0.0, 0.3, 0.6), (0.87, 1.0, 1.15)
"""Where the search begins: shifts along each side, in half pictures, and sizes."""


@dataclass(frozen=True)
class WarpFitting:
    """How long is searched."""

    starts: int = 2
    """Best places of a view from which it is refined, at least 1."""
    moments: int = 16
    """Moments of episodes that are looked at in each step, at least 1."""
    alone: int = 40
    """Steps in which a view is refined by itself."""
    together: int = 100
    """Steps in which all are refined together, at least 1."""
    learning_rate: float = 0.02
    """Of all numbers of a warp, at first; more than 0."""


class Moments(NamedTuple):
    """Pixels float [B, 3, V, 3, H, W] of a moment, of the next one and of any other of its episode, states [B, 3, S] of
    the arm then, and the actions [B, A] from the first to the second.
    """

    pixels: Tensor
    states: Tensor
    actions: Tensor

    def of_view(self, view: int) -> Moments:
        return self._replace(pixels=self.pixels[:, :, [view]])


@dataclass(frozen=True)
class MomentSampler:
    """Draws moments of episodes by their numbers, in a model's views and channels."""

    episodes: Episodes
    contract: Contract
    episode_indices: np.ndarray
    seed: int

    def draw(self, iteration: int, count: int) -> Moments:
        """The same iteration gives the same moments."""
        rng = np.random.default_rng([self.seed, iteration])
        episodes, views = self.episodes, self.contract.pick_views(self.episodes.views)
        episode = rng.choice(self.episode_indices, size=count)
        last = episodes.lengths[episode]
        now = rng.integers(last)
        frames = np.stack([now, now + 1, rng.integers(last + 1)], axis=1)
        seen = torch.from_numpy(episodes.images[episode[:, None], frames][:, :, views])
        states = episodes.states[episode[:, None], frames][..., self.contract.state.columns]
        image = replace(self.contract.image, warps=())
        return Moments(image.pixels(seen), torch.from_numpy(states), torch.from_numpy(episodes.actions[episode, now]))


@dataclass(frozen=True)
class FrozenModel:
    """What knows its own arm: networks of a bundle, in eval mode without gradients of their own."""

    encoder: VideoEncoder
    predictor: Predictor
    statistics: LatentStatistics | None
    verdict: VerdictHead | None

    def frozen(self) -> FrozenModel:
        """The same, as it must be."""
        for module in filter(None, (self.encoder, self.predictor, self.verdict)):
            module.eval().requires_grad_(False)
        return self

    def of_view(self, view: int) -> FrozenModel:
        """The same where a single view is there."""
        verdict = None if self.verdict is None else self.verdict.of_views([view])
        return replace(self, encoder=self.encoder.of_views([view]), verdict=verdict)

    def losses(self, moments: Moments, warps: Tensor) -> dict[str, Tensor]:
        """How badly the model knows its arm in pictures that are warped by warps [V, 8]; "total" among the terms."""
        pixels = see(moments.pixels, warps)
        return self.losses_of(moments, pixels, self.encoder(pixels.flatten(0, 1)).unflatten(0, pixels.shape[:2]))

    def losses_of(self, moments: Moments, pixels: Tensor, latents: Tensor) -> dict[str, Tensor]:
        """The same of latents [B, 3, N, D], whatever made them of the pixels."""
        states = moments.states
        cache = self.predictor.new_cache()
        foreseen = self.predictor.step(latents[:, 0], moments.actions, states[:, 0], cache)
        losses = {"prediction": (self.predictor.normalise_output(foreseen) - latents[:, 1]).square().mean()}
        if self.statistics is not None:
            losses["distance"] = (self.statistics.distance(latents) - NEAR).relu().square().mean()
            losses["latents"] = self.statistics.arm_error_m(latents, states).mean() / TCP_M
        if self.verdict is not None:
            now, goal = (Observation(latents[:, time], pixels[:, time], states[:, time]) for time in (0, 2))
            losses["arm"] = arm_reading_loss(self.verdict, self.verdict(now, goal).goal_states, states[:, 2])
        weights = {"prediction": PREDICTION, "distance": DISTANCE, "latents": LATENTS, "arm": ARM}
        return losses | {"total": torch.stack([weights[name] * value for name, value in losses.items()]).sum()}


def see(pixels: Tensor, warps: Tensor) -> Tensor:
    """Pixels [.., V, 3, H, W] as they are seen through warps [V, 8]."""
    size = (pixels.shape[-2], pixels.shape[-1])
    views = [warped(pixels[..., view, :, :, :].flatten(0, -4), matrices(warp), size) for view, warp in enumerate(warps)]
    return torch.stack(views, dim=1).reshape(pixels.shape)


def fit_warps(
    model: FrozenModel, sampler: MomentSampler, begin: Sequence[Warp], settings: WarpFitting
) -> tuple[Warp, ...]:
    """One for each of the model's views, where they were as in `begin`: each sought by itself, by the view alone where
    the model can do with any, and then all refined together.
    """
    warps, step = torch.tensor(begin), 0
    for view in range(len(warps)):
        losses = _losses_of_view(model, warps, view)
        moments = sampler.draw(step, 2 * settings.moments)
        with torch.inference_mode():
            starts = sorted(_starts(warps[view]), key=lambda warp: float(losses(moments, warp)))[: settings.starts]
        refined = [_refined(losses, warp, sampler, settings, step + 1, settings.alone) for warp in starts]
        step += 1 + settings.alone
        moments = sampler.draw(step, 4 * settings.moments)
        with torch.inference_mode():
            warps[view] = min(refined, key=lambda warp: float(losses(moments, warp)))
    together = _refined(
        lambda moments, warps: model.losses(moments, warps)["total"], warps, sampler, settings, step, settings.together
    )
    return tuple(_as_warp(warp) for warp in together)


@torch.inference_mode()
def judge_warps(model: FrozenModel, sampler: MomentSampler, warps: Sequence[Warp]) -> float:
    """The total loss with warps of all views, over JUDGED moments."""
    numbers, batches = torch.tensor(warps), range(JUDGED // JUDGED_AT_ONCE)
    totals = [model.losses(sampler.draw(number, JUDGED_AT_ONCE), numbers)["total"] for number in batches]
    return float(torch.stack(totals).mean())


Loss = Callable[[Moments, Tensor], Tensor]
"""Of moments and warps."""


def _losses_of_view(model: FrozenModel, warps: Tensor, view: int) -> Loss:
    """By the warp [8] of one view, seen alone where that is possible, else beside the others as they are by now."""
    if model.encoder.config.any_view and len(warps) > 1:
        alone = model.of_view(view)
        return lambda moments, warp: alone.losses(moments.of_view(view), warp[None])["total"]
    before, after = warps[:view].clone(), warps[view + 1 :].clone()
    return lambda moments, warp: model.losses(moments, torch.cat([before, warp[None], after]))["total"]


def _starts(begin: Tensor) -> Iterator[Tensor]:
    yield begin.clone()
    for size, x, y in product(SIZES, SHIFTS, SHIFTS):
        yield torch.tensor([size, 0.0, x, 0.0, size, y, 0.0, 0.0])


def _refined(
    loss: Loss, start: Tensor, sampler: MomentSampler, settings: WarpFitting, first: int, steps: int
) -> Tensor:
    """Warps after so many steps down the gradient, with moments from number `first` on."""
    warps = start.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([warps], lr=settings.learning_rate)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = settings.learning_rate * 0.5 * (1.0 + math.cos(math.pi * step / steps))
        optimiser.zero_grad()
        loss(sampler.draw(first + step, settings.moments), warps).backward()
        optimiser.step()
    return warps.detach()


def _as_warp(numbers: Tensor) -> Warp:
    a, b, c, d, e, f, g, h = (round(number, 5) for number in numbers.tolist())
    return a, b, c, d, e, f, g, h
