import pytest
import torch
from torch import Tensor

from jepa_planner.learning.training.objectives.sigreg import Sigreg

CHANNELS = 24


def gaussian(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, CHANNELS, generator=torch.Generator().manual_seed(seed))


def score(latents: Tensor, seed: int = 0) -> float:
    return Sigreg().distance(latents, torch.Generator().manual_seed(seed)).item()


def mean_score(count: int, spoil=lambda z: z) -> float:
    return sum(score(spoil(gaussian(count, seed)), seed) for seed in range(8)) / 8


def rank_one(z: Tensor) -> Tensor:
    return z[:, :1] * torch.ones(CHANNELS)


SPOILT = {
    "collapsed to zero": lambda z: 0.0 * z,
    "collapsed to a point": lambda z: 0.0 * z + 1.0,
    "rank one": rank_one,
    "shifted": lambda z: z + 1.0,
    "shrunk": lambda z: 0.3 * z,
    "stretched": lambda z: 3.0 * z,
    "half of the numbers dead": lambda z: torch.cat([z[:, : CHANNELS // 2], 0 * z[:, CHANNELS // 2 :]], dim=1),
}


def test_gaussian_latents_score_the_same_for_every_batch_size():
    scores = [mean_score(count) for count in (64, 256, 1024)]
    assert max(scores) < 1.15 * min(scores)


@pytest.mark.parametrize("how", SPOILT)
def test_latents_that_are_not_gaussian_score_higher(how):
    assert mean_score(256, SPOILT[how]) > 2.0 * mean_score(256)


def test_the_worse_the_collapse_the_higher_the_score():
    scores = [mean_score(256, lambda z, s=scale: s * z) for scale in (1.0, 0.7, 0.4, 0.1, 0.0)]
    assert scores == sorted(scores)


def test_the_score_is_repeatable_and_depends_on_the_draw_of_directions():
    z = rank_one(gaussian(128))
    assert score(z, 3) == score(z, 3)
    assert score(z, 3) != score(z, 4)


def test_following_the_gradient_spreads_collapsed_latents():
    z = (0.05 * gaussian(128)).requires_grad_()
    sigreg, generator = Sigreg(), torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam([z], lr=0.05)
    for _ in range(150):
        optimiser.zero_grad()
        sigreg.distance(z, generator).backward()
        optimiser.step()
    assert 0.7 < z.std(dim=0).mean() < 1.3
    assert torch.linalg.matrix_rank(z.detach(), atol=1.0) == CHANNELS
