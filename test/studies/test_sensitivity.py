"""What latents weigh: a model that is blind to objects shows it."""

import numpy as np
import torch
from tiny_model import tiny_model

from jepa_planner.model.bundle import save_bundle
from jepa_planner.model.world_model import WorldModel
from studies.__main__ import main as study
from studies.sensitivity.sensitivity import CHANGES, in_words, sensitivities


class SeesRed(WorldModel):
    """Its latents are where red is in the front view, which in a standard scene is the cube."""

    def encode(self, images: np.ndarray) -> torch.Tensor:
        seen = torch.as_tensor(images)[:, 0].float()
        red = ((seen[..., 0] > 120) & (seen[..., 1] < 60)).flatten(1).float()
        places = torch.stack(torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij"), -1).flatten(0, 1)
        return (red @ places / red.sum(1, keepdim=True).clamp(min=1.0))[:, None]


def test_a_model_that_sees_the_object_alone_moves_with_it_and_with_nothing_else():
    tiny = tiny_model()
    model = SeesRed(tiny.contract, tiny.encoder, tiny.predictor)
    found = {one.change: one for one in sensitivities(model, frozenset(), 6, np.random.default_rng(0))}
    assert tuple(found) == CHANGES
    assert found["object 1 cm"].median < 0.3 * found["object 3 cm"].median < found["object elsewhere"].median
    assert found["arm 3 cm"].median < 0.05 * found["object 3 cm"].median
    assert found["object gone from between the fingers"].median > found["object 3 cm"].median
    assert all(one.low <= one.median <= one.high for one in found.values())


def test_the_same_generator_gives_the_same_scenes_and_varied_ones_are_others():
    def medians(vary: frozenset[str]) -> list[float]:
        return [one.median for one in sensitivities(tiny_model(), vary, 2, np.random.default_rng(3))]

    assert medians(frozenset()) == medians(frozenset())
    assert medians(frozenset()) != medians(frozenset({"camera", "table"}))


def test_the_verb_prints_a_row_for_standard_and_one_for_varied_scenes(tmp_path, capsys):
    model = tiny_model()
    save_bundle(tmp_path / "bundle", model.encoder, model.predictor, model.contract)
    assert study(["sensitivity", "--model", str(tmp_path / "bundle"), "--scenes", "2"]) == 0
    said = capsys.readouterr().out
    assert "| standard |" in said and "| varied |" in said and f"| scenes | {' | '.join(CHANGES)} |" in said
    assert study(["sensitivity", "--model", str(tmp_path / "bundle"), "--scenes", "0"]) == 2
    assert "--scenes is 0, expected at least 1" in capsys.readouterr().err


def test_a_table_names_every_change():
    assert in_words([("standard", ())]).splitlines()[0].count("|") == len(CHANGES) + 2


class AsksTheArm(SeesRed):
    """Where the gripper is low, at one place in these pictures, its latents are those of an object there."""

    def encode(self, images: np.ndarray) -> torch.Tensor:
        latents = super().encode(images)
        latents[5:] = latents[5]
        return latents


def test_a_model_that_takes_the_arm_for_the_object_shows_it():
    tiny = tiny_model()
    model = AsksTheArm(tiny.contract, tiny.encoder, tiny.predictor)
    found = {one.change: one.median for one in sensitivities(model, frozenset(), 2, np.random.default_rng(0))}
    assert found["object gone from between the fingers"] == 0.0 < found["object elsewhere"]
