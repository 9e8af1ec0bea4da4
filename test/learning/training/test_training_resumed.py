"""A training run that was cut short goes on, and never with the checkpoint of another."""

from dataclasses import replace

import pytest
from short_training import SHORT, SOME, run, small_and_quick  # noqa: F401, a fixture
from tiny_training import ENCODER

from jepa_planner.learning.training import training_run
from jepa_planner.learning.training.run_folder import RunFolderError
from jepa_planner.model.world_model import WorldModel


def test_a_run_cut_short_after_the_encoder_goes_on_from_there_to_the_same_bundle(tmp_path, monkeypatch):
    run(tmp_path / "whole")

    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training_run, "train_predictor", power_cut)
        run(tmp_path / "cut")
    assert not (tmp_path / "cut" / "bundle").exists()
    encoder_log = (tmp_path / "cut" / "run" / "encoder.jsonl").read_text()
    run(tmp_path / "cut")
    assert (tmp_path / "cut" / "run" / "encoder.jsonl").read_text() == encoder_log
    files = [WorldModel.load(tmp_path / name / "bundle").contract.files for name in ("whole", "cut")]
    assert files[0] == files[1]


def test_only_as_many_episodes_are_used_as_were_asked_for(tmp_path):
    assert run(tmp_path, settings=replace(SHORT, episodes=5))["episodes"] == 5


def test_a_run_folder_of_other_sizes_is_refused_by_name(tmp_path, monkeypatch):
    run(tmp_path)
    monkeypatch.setattr(training_run, "shipped_encoder", lambda episodes: replace(ENCODER, width=36))
    with pytest.raises(ValueError, match=r"encoder\.ckpt is of a run with other settings"):
        run(tmp_path)


def test_a_stage_that_was_trained_is_said_to_go_on_from_there(tmp_path, capsys):
    run(tmp_path)
    assert "going on from there" not in capsys.readouterr().out
    run(tmp_path)
    assert "encoder.ckpt holds 4 of 4 iterations; going on from there" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 9}, "encoder.ckpt is of a run with other seed"),
        ({"objective": "vicreg"}, "encoder.ckpt is of a run with other objective"),
        ({"encoder_iterations": 2}, "encoder.ckpt is of a run with other encoder_iterations"),
        ({"encoder_batch": 3}, "encoder.ckpt is of a run with other encoder_batch"),
        ({"any_view": True}, "encoder.ckpt is of a run with other any_view"),
        ({"augmented": True}, "encoder.ckpt is of a run with other augmented"),
        ({"episodes": 7}, "encoder.ckpt is of a run with other data"),
        ({"predictor": "transformer"}, "predictor.ckpt is of a run with other predictor"),
        ({"predictor_iterations": 2}, "predictor.ckpt is of a run with other predictor_iterations"),
    ],
)
def test_a_checkpoint_of_another_run_is_never_taken_for_this_ones(change, named, tmp_path):
    run(tmp_path)
    before = (tmp_path / "bundle" / "model.yaml").read_bytes()
    with pytest.raises(RunFolderError, match=f"{named}: use another --run"):
        run(tmp_path, settings=replace(SHORT, **change))
    assert (tmp_path / "bundle" / "model.yaml").read_bytes() == before


def test_other_episodes_are_not_taken_for_those_of_the_checkpoint(tmp_path):
    run(tmp_path)
    other = replace(SOME, actions=SOME.actions * 0.9)
    with pytest.raises(RunFolderError, match="other data"):
        run(tmp_path, other)


def test_another_first_model_is_not_taken_for_that_of_the_checkpoint(tmp_path):
    run(tmp_path / "first")
    run(tmp_path)
    with pytest.raises(RunFolderError, match="other init"):
        run(tmp_path, settings=replace(SHORT, init=tmp_path / "first" / "bundle"))


def test_a_checkpoint_without_a_note_of_its_run_is_not_resumed(tmp_path):
    run(tmp_path)
    (tmp_path / "run" / "encoder.json").unlink()
    with pytest.raises(RunFolderError, match=r"encoder\.ckpt is of a run that nothing is known of \(encoder\.json"):
        run(tmp_path)
