"""What the terms against collapse have in common, whichever way they take."""

import pytest
import torch
from batches import (
    BATCH,
    FRAMES,
    NUMBERS,
    SPOILT,
    effective_rank,
    encoded,
    follow_gradient,
    gaussian,
    generator,
    loss,
)
from torch import nn

from jepa_planner.learning.training.objectives.barlow_twins import BarlowTwins
from jepa_planner.learning.training.objectives.info_nce import InfoNce
from jepa_planner.learning.training.objectives.joint import TERMS as TERM_SPECS
from jepa_planner.learning.training.objectives.sigreg import Sigreg
from jepa_planner.learning.training.objectives.vicreg import Vicreg

TERMS = {"sigreg": Sigreg, "vicreg": Vicreg, "barlow_twins": BarlowTwins, "info_nce": InfoNce}
each = pytest.mark.parametrize("name", TERMS)


@each
@pytest.mark.parametrize("how", SPOILT)
def test_a_collapsed_batch_scores_higher_than_a_spread_one(name, how):
    term, good = TERMS[name](), gaussian()
    assert loss(term, SPOILT[how](good)) > 1.5 * loss(term, good)


@pytest.mark.parametrize(("name", "rank"), [("sigreg", 8), ("vicreg", 8), ("barlow_twins", 8), ("info_nce", 4)])
def test_following_the_gradient_pushes_nearly_collapsed_latents_apart(name, rank):
    """InfoNCE asks for frames that can be told apart, not for numbers that differ: fewer directions suffice."""
    near_rank_one = gaussian()[..., :1].expand(-1, -1, NUMBERS) + gaussian(1, spread=0.05)
    assert effective_rank(near_rank_one) < 1.5
    assert effective_rank(follow_gradient(TERMS[name](), near_rank_one)) > rank


SLOW = 4


def rank_after_training(name: str) -> float:
    """Effective rank of a linear code of SLOW still numbers and much noise, trained to be predicted one step ahead."""
    torch.manual_seed(0)
    slow = torch.randn(BATCH, 1, SLOW).expand(-1, FRAMES, -1)
    seen = torch.cat([slow, torch.randn(BATCH, FRAMES, NUMBERS - SLOW)], dim=-1)
    code, dynamics = nn.Linear(NUMBERS, NUMBERS), nn.Linear(NUMBERS, NUMBERS)
    normal = nn.BatchNorm1d(NUMBERS, affine=False)
    optimiser = torch.optim.Adam([*code.parameters(), *dynamics.parameters()], lr=0.02)
    for step in range(300):
        latents = normal(code(seen).flatten(0, 1)).unflatten(0, (BATCH, FRAMES))
        predicted = dynamics(latents[:, :-1])
        total = (predicted - latents[:, 1:]).pow(2).mean()
        if name != "none":
            total = total + TERM_SPECS[name].weight * TERMS[name]()(encoded(latents, predicted), generator(step))
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
    return effective_rank(latents.detach())


@each
def test_prediction_alone_forgets_even_what_can_be_foreseen_and_a_term_against_collapse_keeps_it(name):
    assert rank_after_training("none") < 0.75 * SLOW
    assert rank_after_training(name) > 0.95 * SLOW


@each
def test_a_loss_is_a_finite_number_with_a_gradient_even_where_all_latents_are_one_point(name):
    latents = (0.0 * gaussian()).requires_grad_()
    found = loss(TERMS[name](), latents)
    found.backward()
    assert found.ndim == 0 and found.isfinite() and latents.grad.isfinite().all()


@each
def test_the_same_generator_gives_the_same_loss(name):
    term, latents = TERMS[name](), gaussian()
    assert loss(term, latents, seed=3) == loss(term, latents, seed=3)


@pytest.mark.parametrize("name", ["vicreg", "barlow_twins", "info_nce"])
def test_a_single_frame_cannot_be_compared_with_others_and_is_refused(name):
    with pytest.raises(ValueError, match=r"1 (predicted )?frame has no .*at least 2"):
        loss(TERMS[name](), gaussian()[:1, :1], gaussian()[:1, :1])
