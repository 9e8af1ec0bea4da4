import pytest
import torch
from tiny_training import encoder, episodes, predictor
from torch import Tensor

from jepa_planner.training.objectives import JointObjective, JointWeights, Sigreg
from jepa_planner.world_model.preprocess import preprocess

CHANNELS = 24


def gaussian(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, CHANNELS, generator=torch.Generator().manual_seed(seed))


def score(latents: Tensor, seed: int = 0) -> float:
    return Sigreg()(latents, torch.Generator().manual_seed(seed)).item()


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
        sigreg(z, generator).backward()
        optimiser.step()
    assert 0.7 < z.std(dim=0).mean() < 1.3
    assert torch.linalg.matrix_rank(z.detach(), atol=1.0) == CHANNELS


def joint(**weights: float) -> JointObjective:
    return JointObjective(encoder(), predictor(untrained=True), JointWeights(**weights))


def batch(frames: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    some = episodes(4, frames - 1)
    images = preprocess(torch.from_numpy(some.images), (32, 32))
    return images, torch.from_numpy(some.states), torch.from_numpy(some.actions)


def losses_of(objective: JointObjective, seed: int = 0) -> dict[str, Tensor]:
    return objective(*batch(), torch.Generator().manual_seed(seed))


def test_the_total_is_the_weighted_sum_of_the_terms():
    losses = losses_of(joint(sigreg=0.2, inverse=0.7, state=0.3))
    assert all(loss.isfinite() and loss > 0 for loss in losses.values())
    expected = losses["prediction"] + 0.2 * losses["sigreg"] + 0.7 * losses["inverse"] + 0.3 * losses["state"]
    torch.testing.assert_close(losses["total"], expected)


@pytest.mark.parametrize("term", ["prediction", "sigreg", "inverse", "state"])
def test_every_term_teaches_the_encoder(term):
    objective = joint()
    with torch.no_grad():
        objective.predictor.predictor_proj.weight.normal_(std=0.1)
    losses_of(objective)[term].backward()
    assert sum(p.grad.abs().sum() for p in objective.encoder.parameters() if p.grad is not None) > 0


@pytest.mark.parametrize(("term", "taught"), [("prediction", True), ("state", True), ("sigreg", False)])
def test_the_predictor_learns_from_its_own_terms(term, taught):
    objective = joint()
    losses_of(objective)[term].backward()
    learns = any(p.grad is not None and p.grad.abs().sum() > 0 for p in objective.predictor.parameters())
    assert learns == taught


def test_nothing_stops_the_gradient_of_the_predicted_latents():
    """No teacher: the target latents learn as well as the predicted ones."""
    objective = joint()
    images, states, actions = batch(frames=2)
    images.requires_grad_()
    objective(images, states, actions, torch.Generator().manual_seed(0))["prediction"].backward()
    assert images.grad[:, 0].abs().sum() > 0 and images.grad[:, 1].abs().sum() > 0


def test_the_same_generator_gives_the_same_losses():
    objective = joint().eval()
    one, same, other = (losses_of(objective, seed) for seed in (1, 1, 2))
    assert one["total"] == same["total"] != other["total"]
