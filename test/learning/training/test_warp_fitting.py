from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_training import encoder, episodes, predictor

from jepa_planner.learning.training.recipe import Recipe, contract
from jepa_planner.learning.training.warp_fitting import (
    FrozenModel,
    Moments,
    MomentSampler,
    WarpFitting,
    fit_warps,
    judge_warps,
    see,
)
from jepa_planner.model.latent_statistics import LatentStatistics
from jepa_planner.model.picture_warp import UNMOVED, check_warp
from jepa_planner.model.preprocess import preprocess

SOME = episodes(count=6, steps=8)
MADE = contract(encoder(), predictor(), SOME, Recipe())
QUICK = WarpFitting(starts=1, moments=8, alone=30, together=30)


def sampler(some=SOME) -> MomentSampler:
    return MomentSampler(some, MADE, np.arange(len(some)), seed=0)


def frozen(**changes: object) -> FrozenModel:
    return replace(FrozenModel(encoder(), predictor(), None, None).frozen(), **changes)


@dataclass(frozen=True)
class SpotModel:
    """Knows where a spot lay in the picture of each view when its arm stood as it does."""

    views: tuple[int, ...]
    any_view: bool

    @property
    def encoder(self) -> SimpleNamespace:
        return SimpleNamespace(config=SimpleNamespace(views=len(self.views), any_view=self.any_view))

    def of_view(self, view: int) -> "SpotModel":
        return SpotModel((view,), self.any_view)

    def losses(self, moments: Moments, warps: torch.Tensor) -> dict[str, torch.Tensor]:
        seen = see(moments.pixels, warps)
        axis = torch.linspace(-1.0, 1.0, seen.shape[-1])
        light = seen.mean(-3).clamp(min=0.0)
        total = light.sum((-1, -2)) + 1e-3
        places = torch.stack([(light.sum(-2) * axis).sum(-1), (light.sum(-1) * axis).sum(-1)], -1) / total[..., None]
        return {"total": (places - moments.states[..., None, :2]).square().mean()}


class SpotSampler:
    """A spot of light that the arm carries, as cameras see it that were shifted, by half pictures."""

    def __init__(self, shifts: torch.Tensor) -> None:
        self._shifts = shifts

    def draw(self, iteration: int, count: int) -> Moments:
        generator = torch.Generator().manual_seed(iteration)
        states = 0.5 * torch.rand(count, 3, 8, generator=generator) - 0.25
        axis = torch.linspace(-1.0, 1.0, 32)
        places = states[:, :, None, :2] + self._shifts
        off = [(axis - places[..., n, None]).square() / 0.02 for n in (0, 1)]
        light = torch.exp(-off[1])[..., :, None] * torch.exp(-off[0])[..., None, :]
        return Moments(light[:, :, :, None].expand(-1, -1, -1, 3, -1, -1), states, torch.zeros(count, 7))


@pytest.mark.parametrize("any_view", [True, False])
def test_where_cameras_were_turned_to_is_found_from_what_the_arm_shows_of_itself(any_view):
    shifts = torch.tensor([[0.4, -0.2], [-0.3, 0.3]])
    model, seen = SpotModel((0, 1), any_view), SpotSampler(shifts)
    warps = fit_warps(model, seen, (UNMOVED, UNMOVED), QUICK)
    found = torch.tensor(warps)[:, [2, 5]]
    torch.testing.assert_close(found, shifts, atol=0.05, rtol=0.0)
    for warp in warps:
        check_warp(warp)
    assert judge_warps(model, seen, warps) < 0.1 * judge_warps(model, seen, (UNMOVED, UNMOVED))


def test_a_search_begins_with_the_warps_that_are_there():
    shifts = torch.tensor([[0.4, -0.2]])
    there = ((1.0, 0.0, 0.4, 0.0, 1.0, -0.2, 0.0, 0.0),)
    warps = fit_warps(SpotModel((0,), False), SpotSampler(shifts), there, replace(QUICK, alone=0, together=1))
    assert torch.tensor(warps[0])[[2, 5]].tolist() == pytest.approx([0.4, -0.2], abs=0.03)


def test_moments_are_an_action_apart_and_of_frames_that_were_recorded():
    lengths = np.full(6, 3)
    moments = sampler(replace(SOME, lengths=lengths)).draw(1, 64)
    known = SOME.states[:, :4].reshape(-1, 8)
    rows = [np.abs(known - state).sum(-1).argmin() for state in moments.states[:, :2].reshape(-1, 8).numpy()]
    episode, step = np.divmod(np.array(rows).reshape(-1, 2), 4)
    assert np.all(step[:, 1] == step[:, 0] + 1) and np.all(episode[:, 0] == episode[:, 1])
    np.testing.assert_allclose(moments.actions.numpy(), SOME.actions[episode[:, 0], step[:, 0]])
    shown = torch.from_numpy(SOME.images[episode[:, 0], step[:, 0]])
    torch.testing.assert_close(moments.pixels[:, 0], preprocess(shown, (32, 32)))
    again, other = sampler().draw(1, 4), sampler().draw(2, 4)
    assert torch.equal(sampler().draw(1, 4).pixels, again.pixels) and not torch.equal(again.pixels, other.pixels)


def test_a_model_without_statistics_or_head_goes_by_its_predictions_alone():
    moments = sampler().draw(0, 4)
    assert set(frozen().losses(moments, torch.tensor([UNMOVED] * 2))) == {"prediction", "total"}
    latents = torch.randn(50, 4, 3, generator=torch.Generator().manual_seed(0))
    known = LatentStatistics.of(latents, torch.from_numpy(SOME.states.reshape(-1, 8)[:50]))
    terms = frozen(statistics=known).losses(moments, torch.tensor([UNMOVED] * 2))
    assert set(terms) == {"prediction", "distance", "latents", "total"}


def test_gradients_reach_the_warps_and_leave_the_model_alone():
    warps = torch.tensor([UNMOVED] * 2, requires_grad=True)
    model = frozen()
    model.losses(sampler().draw(0, 4), warps)["total"].backward()
    assert warps.grad is not None and (warps.grad.abs().sum(-1) > 0.0).all()
    assert all(parameter.grad is None for parameter in model.encoder.parameters())
