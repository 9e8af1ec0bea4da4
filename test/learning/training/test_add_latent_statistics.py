"""Episodes and a bundle in, the same bundle out with limits that its held-out episodes keep."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_planner import small_planner
from tiny_training import ENCODER, episodes, predictor

from jepa_planner.core.yaml_text import read_yaml
from jepa_planner.learning.data.episodes import EpisodeError, write_shard
from jepa_planner.learning.training import add_latent_statistics as stage
from jepa_planner.learning.training import view_dropout
from jepa_planner.learning.training.add_latent_statistics import HEADROOM, add_latent_statistics, encoded
from jepa_planner.learning.training.recipe import Recipe, contract
from jepa_planner.model.bundle import load_contract, load_latent_statistics, save_bundle
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.latent_statistics import LatentStatistics
from jepa_planner.model.world_model import WorldModel

SOME, OTHERS = episodes(count=12, steps=6), episodes(count=12, steps=6, seed=1)


def bundle(folder: Path, any_view: bool = False) -> Path:
    torch.manual_seed(0)
    encoder = VideoEncoder(replace(ENCODER, any_view=any_view)).eval()
    made = contract(encoder, predictor(), SOME, Recipe())
    small_planner().save(folder)
    save_bundle(folder, encoder, predictor(), made)
    return folder


@pytest.fixture
def data(tmp_path) -> list[Path]:
    folders = [tmp_path / "standard", tmp_path / "varied"]
    for folder, some in zip(folders, (SOME, OTHERS), strict=True):
        write_shard(folder / "episodes-000000.h5", some)
    return folders


def test_limits_are_a_little_above_what_the_end_of_the_last_folder_shows(tmp_path, data):
    folder = bundle(tmp_path / "bundle")
    spec = add_latent_statistics(data, folder)
    assert load_contract(folder).out_of_distribution == spec
    assert spec.data == "24 episodes, seeds 0 to 11 and 100 to 111"
    last = encoded(WorldModel.load(folder), OTHERS.part(np.array([11])), [0, 1], tmp_path / "last")
    distance = load_latent_statistics(folder).distance(torch.from_numpy(np.array(last)))
    assert spec.latent_distance == pytest.approx(HEADROOM * float(distance.max()), 0.01)
    (run,) = read_yaml((folder / "manifest.yaml").read_text())["runs"]
    assert (run["stage"], [each["episodes"] for each in run["episodes"]["data"]]) == ("out_of_distribution", [12, 12])


@pytest.mark.parametrize("largest", [0.001, 3.0], ids=["calm", "wild"])
def test_few_calm_episodes_make_no_limits_at_which_all_else_is_out_of_distribution(
    largest, tmp_path, data, monkeypatch
):
    monkeypatch.setattr(stage, "surprises", lambda *_: torch.full((1, 6), largest))
    monkeypatch.setattr(LatentStatistics, "arm_error_m", lambda *_: torch.full((1, 7), largest))
    folder = bundle(tmp_path / "bundle")
    scale, spec = small_planner().energy.scale, add_latent_statistics(data, folder)
    assert spec.surprise == pytest.approx(max(0.5 * scale, HEADROOM * largest))
    assert spec.arm_error_m == pytest.approx(max(0.05, HEADROOM * largest))


def test_an_encoder_for_any_view_sees_some_episodes_by_one_as_in_training(tmp_path, monkeypatch):
    monkeypatch.setattr(view_dropout, "LONE_VIEW_SHARE", 0.5)
    both = WorldModel.load(bundle(tmp_path / "any", any_view=True))
    seen = torch.from_numpy(encoded(both, SOME, [0, 1], tmp_path / "seen"))
    whole = torch.stack([both.encode(pictures) for pictures in SOME.images])
    same = [torch.allclose(one, other, atol=1e-5) for one, other in zip(seen, whole, strict=True)]
    assert 2 <= sum(same) <= 10
    needs_both = WorldModel.load(bundle(tmp_path / "both"))
    whole = torch.stack([needs_both.encode(pictures) for pictures in SOME.images])
    seen = torch.from_numpy(encoded(needs_both, SOME, [0, 1], tmp_path / "by_both").copy())
    torch.testing.assert_close(seen, whole, atol=1e-5, rtol=0.0)


def test_a_folder_without_episodes_is_refused_and_the_bundle_stays(tmp_path, data):
    folder = bundle(tmp_path / "bundle")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EpisodeError, match=r"no episodes-\*.h5"):
        add_latent_statistics([*data, tmp_path / "empty"], folder)
    assert load_contract(folder).out_of_distribution is None


def test_episodes_from_which_no_limits_follow_are_said_and_the_bundle_stays(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stage, "surprises", lambda *_: torch.zeros(1, 6))
    folder = bundle(tmp_path / "bundle")
    assert stage.latent_statistics_noted(folder, SOME, tmp_path / "run") is None
    said = capsys.readouterr().err
    assert "what the model knows cannot be told from 12 episodes, seeds 0 to 11" in said and "surprise=0.0" in said
    assert load_contract(folder).out_of_distribution is None and not (folder / "latent_statistics.safetensors").exists()
