"""Episodes that no model can be trained on, and what is missing, are named before anything is trained."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from short_training import SHORT, SOME, run, small_and_quick  # noqa: F401, a fixture
from tiny_training import episodes

from jepa_planner.learning.data.episodes import EpisodeError, write_shard
from jepa_planner.learning.training import training_run
from jepa_planner.model.world_model import WorldModel


def test_a_folder_without_episodes_is_named(tmp_path):
    with pytest.raises(EpisodeError, match=r"no episodes-\*\.h5 in .*nowhere"):
        training_run.run(tmp_path / "nowhere", tmp_path / "bundle", tmp_path / "run", SHORT)


def test_the_contract_of_another_robots_episodes_is_that_robots(tmp_path):
    theirs = replace(SOME, actions=SOME.actions * [1, 2, 1, 0, 0, 0, 1], frame="ur5_base", tcp_frame="tool0")
    theirs.actions[..., 5] = np.random.default_rng(0).uniform(-0.5, 0.5, SOME.actions.shape[:2])
    states = theirs.states.copy()
    states[:, 1:, :3] = states[:, :1, :3] + np.cumsum(theirs.actions[..., :3], axis=1)
    states[:, 1:, 5] = states[:, :1, 5] + np.cumsum(theirs.actions[..., 5], axis=1)
    run(tmp_path, replace(theirs, states=states, actions=theirs.actions.astype(np.float32)), replace(SHORT, name=""))
    contract = WorldModel.load(tmp_path / "bundle").contract
    largest = np.abs(theirs.actions).max((0, 1))
    assert contract.action.max_abs == pytest.approx(largest, rel=0.01) and contract.action.max_abs[3:5] == (0.0, 0.0)
    assert (contract.state.frame, contract.state.tcp_frame, contract.name) == ("ur5_base", "tool0", "bundle")
    saved = torch.load(tmp_path / "run" / "predictor.ckpt", weights_only=True)["module"]
    assert saved["action_std"][5].item() == pytest.approx(largest[5] / 2, rel=0.01)


def test_frames_that_no_file_names_are_asked_for_before_anything_is_trained(tmp_path):
    with pytest.raises(EpisodeError, match="name it with --base-frame"):
        run(tmp_path, replace(SOME, frame="", tcp_frame=""))
    assert not (tmp_path / "run").exists()
    run(tmp_path, replace(SOME, frame="", tcp_frame=""), replace(SHORT, frame="base_link", tcp_frame="tool0"))
    assert WorldModel.load(tmp_path / "bundle").contract.state.frame == "base_link"


def test_wrong_episodes_are_refused_before_anything_is_trained_unless_they_are_to_be_trusted(tmp_path, capsys):
    in_mm = replace(SOME, states=SOME.states * np.float32([1000] * 3 + [1] * 5))
    with pytest.raises(EpisodeError, match="is it in millimetres"):
        run(tmp_path, in_mm)
    assert not (tmp_path / "run").exists()
    run(tmp_path, in_mm, replace(SHORT, trust_data=True))
    assert "warning: states: x 6" in capsys.readouterr().err


def test_wrong_demonstrations_are_refused_before_anything_is_trained(tmp_path):
    wrong = episodes(count=4, steps=6, seed=1)
    wrong.images[:] = 0
    write_shard(tmp_path / "demonstrations" / "episodes-000000.h5", wrong)
    write_shard(tmp_path / "data" / "episodes-000000.h5", SOME)
    paths = [tmp_path / name for name in ("data", "bundle", "run")]
    with pytest.raises(EpisodeError, match="pictures are black"):
        training_run.run(*paths, SHORT, [tmp_path / "demonstrations"])
    assert not (tmp_path / "run").exists()


def test_episodes_that_are_too_short_are_refused_with_what_is_needed(tmp_path):
    with pytest.raises(EpisodeError, match="episodes have 2 frames, at least 6 are needed"):
        run(tmp_path, episodes(count=8, steps=1))
