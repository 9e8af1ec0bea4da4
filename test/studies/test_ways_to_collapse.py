"""Ways that differ in one thing are trained, measured and put into a table."""

import json

import pytest
import torch
from tiny_training import episodes

from jepa_planner.learning.data.episodes import write_shard
from jepa_planner.learning.training.dense import linear_probe
from jepa_planner.learning.training.dense.clips import ClipSettings
from jepa_planner.learning.training.dense.masked_video import MaskedVideoSettings
from jepa_planner.model.encoder import EncoderConfig, VideoEncoder
from studies.__main__ import main
from studies.collapse.ways import WAYS, Way, training_of

SIZES = EncoderConfig(
    image_size=(32, 32), width=64, depth=1, heads=1, mlp_hidden=64, patch_size=8, tubelet_size=1
)  # fmt: skip
SMALL = {"predictor_width": 64, "predictor_depth": 1}


@pytest.fixture(autouse=True)
def few_frames_are_probed(monkeypatch):
    monkeypatch.setattr(linear_probe, "TRAIN_FRAMES", 60)
    monkeypatch.setattr(linear_probe, "HELD_OUT_FRAMES", 20)


def losses(way: Way) -> tuple[dict[str, torch.Tensor], VideoEncoder]:
    torch.manual_seed(0)
    objective, losses_at, kept = training_of(way, VideoEncoder(SIZES), episodes(6), range(5), ClipSettings(3), 0)
    found = losses_at(0)
    found["total"].backward()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in objective.parameters())
    return found, kept()


@pytest.mark.parametrize("name", [name for name, way in WAYS.items() if way.term])
def test_a_term_is_added_to_the_same_prediction_and_pulls_at_the_encoder(name):
    with_term, encoder = losses(WAYS[name])
    alone, _ = losses(Way(WAYS[name].objective))
    assert with_term["prediction"].item() == pytest.approx(alone["total"].item(), rel=1e-4)
    assert with_term["total"] > with_term["prediction"] and with_term["term"] > 0.0
    assert encoder.patch_embed.proj.weight.grad.abs().max() > 0


def test_supervision_trains_the_encoder_below_the_readout():
    found, encoder = losses(Way(supervised=True))
    assert found["total"] > 0.0 and encoder.patch_embed.proj.weight.grad.abs().max() > 0


def test_the_ways_without_a_teacher_have_none_and_the_last_is_not_standardised():
    assert WAYS["no teacher"].objective == MaskedVideoSettings(targets="stopped")
    assert not WAYS["no stop-gradient, targets not standardised"].objective.standardised


def test_the_verb_trains_what_is_asked_for_and_reads_what_is_there(tmp_path, capsys):
    write_shard(tmp_path / "data" / "episodes-000000.h5", episodes(8))
    asked = [
        "collapse", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--iterations", "2",
        "--moments", "3", "--ways", "11", "vicreg",
    ]  # fmt: skip
    assert main(asked) == 0
    report = json.loads((tmp_path / "out" / "vicreg" / "report.json").read_text())
    assert set(report["readouts"]) == {"tcp", "object", "gripper_width"}
    assert main(asked) == 0
    said = capsys.readouterr().out
    assert "| never trained |" in said and "| VICReg |" in said and "read from there" in said
    assert main([*asked[:-2], "none"]) == 2
    assert "'none' is unknown; known are 1 'teacher', 2" in capsys.readouterr().err
