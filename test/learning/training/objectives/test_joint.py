import pytest
import torch
from batches import generator
from tiny_training import encoder, episodes, predictor
from torch import Tensor

from jepa_planner.learning.training.objectives.joint import NAMES, SHIPPED, TERMS, JointObjective, names_in
from jepa_planner.model.preprocess import preprocess

OTHERS = "+".join(name for name in TERMS if name != "appearance")
"""All terms that go together; variants are grouped otherwise."""


def joint(objective: str = SHIPPED) -> JointObjective:
    return JointObjective(encoder(), predictor(untrained=True), objective)


def batch(frames: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    some = episodes(4, frames - 1)
    images = preprocess(torch.from_numpy(some.images), (32, 32))
    return images, torch.from_numpy(some.states), torch.from_numpy(some.actions)


def losses_of(objective: JointObjective, seed: int = 0) -> dict[str, Tensor]:
    images, states, actions = batch()
    layouts = images[None].unflatten(1, (2, 2)).flatten(2, 3) if "layouts" in objective.terms else None
    return objective(images, states, actions, generator(seed), 2, layouts)


@pytest.mark.parametrize("objective", [SHIPPED, "none", "ema+inverse", "pixels+state", *TERMS, OTHERS])
def test_the_total_is_the_prediction_and_the_weighted_sum_of_the_terms_that_were_named(objective):
    losses = losses_of(joint(objective))
    assert set(losses) == {"prediction", "total"} | (set(names_in(objective)) & set(TERMS))
    assert all(loss.isfinite() and loss > 0 for loss in losses.values())
    weighted = sum(TERMS[name].weight * loss for name, loss in losses.items() if name in TERMS)
    torch.testing.assert_close(losses["total"], losses["prediction"] + weighted)


@pytest.mark.parametrize("term", ["prediction", *TERMS])
def test_every_term_teaches_the_encoder(term):
    objective = joint("appearance" if term == "appearance" else OTHERS)
    with torch.no_grad():
        objective.predictor.predictor_proj.weight.normal_(std=0.1)
    losses_of(objective)[term].backward()
    assert sum(p.grad.abs().sum() for p in objective.encoder.parameters() if p.grad is not None) > 0


@pytest.mark.parametrize(
    ("term", "taught"),
    [("prediction", True), ("state", True), ("barlow_twins", True), ("info_nce", True), ("sigreg", False),
     ("scene_sigreg", False), ("appearance", False), ("layouts", False), ("vicreg", False), ("inverse", False)],
)  # fmt: skip
def test_the_predictor_learns_from_what_it_has_a_part_in(term, taught):
    objective = joint("appearance" if term == "appearance" else OTHERS)
    losses_of(objective)[term].backward()
    learns = any(p.grad is not None and p.grad.abs().sum() > 0 for p in objective.predictor.parameters())
    assert learns == taught


def test_the_same_generator_gives_the_same_losses():
    objective = joint().eval()
    one, same, other = (losses_of(objective, seed) for seed in (1, 1, 2))
    assert one["total"] == same["total"] != other["total"]


def test_a_still_arm_that_is_predicted_as_such_costs_the_arm_terms_nothing_but_noise():
    objective = joint("inverse")
    with torch.no_grad():
        for parameter in objective.terms["inverse"].parameters():
            parameter.zero_()
    images, states, actions = batch()
    still = states[:, :1].expand_as(states)
    assert objective(images, still, actions, generator())["inverse"] == 0.0
    assert objective(images, states, actions, generator())["inverse"] > 0.0


@pytest.mark.parametrize(
    ("objective", "says"),
    [
        ("byol", f"'byol' is unknown; known are {', '.join(NAMES)}"),
        ("", "'' is unknown"),
        ("sigreg+", "'' is unknown"),
        ("sigreg+inverse+sigreg", "names a term twice"),
        ("none+inverse", "'none' stands alone"),
        ("appearance+scene_sigreg", "scene_sigreg wants others of a scene"),
        ("layouts+pixels", "layouts go with the prediction of latents alone"),
        ("ema+pixels", "names two predictions: ema and pixels"),
    ],
)
def test_an_objective_that_makes_no_sense_is_refused_in_words(objective, says):
    with pytest.raises(ValueError, match=says):
        joint(objective)


def test_a_checkpoint_of_another_objective_is_refused_by_name():
    saved = joint("vicreg").state_dict()
    with pytest.raises((ValueError, RuntimeError), match="trained for 'vicreg', not for 'sigreg'"):
        joint("sigreg").load_state_dict(saved)


@pytest.mark.parametrize("objective", [OTHERS, "appearance+sigreg", "ema+inverse", "pixels+state"])
def test_losses_in_mixed_precision_are_float32_and_near_those_in_full(objective):
    subject = joint(objective).eval()
    full = losses_of(subject)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = losses_of(subject)
    for name, loss in mixed.items():
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss, full[name], rtol=0.1, atol=0.05, msg=name)
