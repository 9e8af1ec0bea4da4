"""Episodes and a bundle in, the same bundle out with limits that its held-out episodes keep."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_planner import small_planner
from tiny_training import ENCODER, episodes, predictor

from jepa_planner.learning.data.episodes import EpisodeError, write_shard
from jepa_planner.learning.training import view_dropout
from jepa_planner.learning.training.add_familiarity import HEADROOM, add_familiarity, encoded
from jepa_planner.learning.training.recipe import Recipe, contract
from jepa_planner.model.bundle import load_contract, load_familiarity, save_bundle
from jepa_planner.model.encoder import VideoEncoder
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
    spec = add_familiarity(data, folder)
    assert load_contract(folder).familiarity == spec
    assert spec.data == "24 episodes, seeds 0 to 11 and 100 to 111"
    last = encoded(WorldModel.load(folder), OTHERS.part(np.array([11]))).latents
    assert spec.latent_distance == pytest.approx(HEADROOM * float(load_familiarity(folder).distance(last).max()), 0.01)


def test_an_encoder_for_any_view_sees_some_episodes_by_one_as_in_training(tmp_path, monkeypatch):
    monkeypatch.setattr(view_dropout, "LONE_VIEW_SHARE", 0.5)
    both = WorldModel.load(bundle(tmp_path / "any", any_view=True))
    seen = encoded(both, SOME).latents
    whole = torch.stack([both.encode(pictures) for pictures in SOME.images])
    same = [torch.allclose(one, other, atol=1e-5) for one, other in zip(seen, whole, strict=True)]
    assert 2 <= sum(same) <= 10
    needs_both = WorldModel.load(bundle(tmp_path / "both"))
    whole = torch.stack([needs_both.encode(pictures) for pictures in SOME.images])
    torch.testing.assert_close(encoded(needs_both, SOME).latents, whole, atol=1e-5, rtol=0.0)


def test_a_folder_without_episodes_is_refused_and_the_bundle_stays(tmp_path, data):
    folder = bundle(tmp_path / "bundle")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EpisodeError, match=r"no episodes-\*.h5"):
        add_familiarity([*data, tmp_path / "empty"], folder)
    assert load_contract(folder).familiarity is None
