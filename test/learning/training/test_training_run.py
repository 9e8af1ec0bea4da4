"""The whole training run on few and small episodes: data in, bundle out."""

import json
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from short_training import HEALTHY, SHORT, SOME, run, small_and_quick  # noqa: F401, a fixture
from tiny_training import ENCODER, MLP, PREDICTOR, episodes

from jepa_planner.core.yaml_text import read_yaml
from jepa_planner.learning.data.episodes import EpisodeError, Episodes, write_shard
from jepa_planner.learning.training import training_run
from jepa_planner.learning.training.add_latent_statistics import add_latent_statistics
from jepa_planner.learning.training.add_sub_goals import SubGoalRun, add_sub_goals
from jepa_planner.learning.training.collapse import measure_collapse
from jepa_planner.learning.training.training_run import Collapsed
from jepa_planner.model.bundle import load_contract, load_decoder, load_encoder
from jepa_planner.model.contract import ContractError
from jepa_planner.model.world_model import Context, WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings


def test_episodes_go_in_and_a_bundle_comes_out_that_loads_and_imagines(tmp_path):
    run(tmp_path)
    model = WorldModel.load(tmp_path / "bundle")
    settled = json.loads((tmp_path / "run" / "report.json").read_text())["settled"]
    planner_settings = PlannerSettings.load(tmp_path / "bundle", model.contract)
    assert settled["others"] > 0 and planner_settings.progress.settled_energy == settled["energy"]
    latents = model.encode(SOME.images[0, :2])
    assert latents.shape == (2, 4, 3)
    context = Context(latents, torch.from_numpy(SOME.states[0, :2]), torch.from_numpy(SOME.actions[0, :1]))
    horizon = planner_settings.cem.horizon
    assert model.rollout(context, torch.zeros(5, horizon, 7)).isfinite().all()


def test_the_contract_says_what_the_data_was_and_how_to_make_it_again(tmp_path):
    run(tmp_path)
    contract = WorldModel.load(tmp_path / "bundle").contract
    assert contract.name == "tiny"
    assert contract.image.views == SOME.views and (contract.image.height, contract.image.width) == (32, 32)
    assert contract.action.time_step_s == SOME.time_step_s
    assert contract.training.command == "jepa-planner train tiny"
    assert contract.training.seeds == (3,)
    assert contract.training.data == "8 episodes of 8 steps, seeds 0 to 7"
    assert contract.training.steps == {"encoder": 4, "predictor": 4}


def test_the_bundle_knows_its_limits_as_if_they_were_added_to_it_later(tmp_path):
    report = run(tmp_path)
    contract, files = load_contract(tmp_path / "bundle"), load_contract(tmp_path / "bundle").files
    assert report["out_of_distribution"] == asdict(contract.out_of_distribution)
    assert contract.out_of_distribution.data == "8 episodes, seeds 0 to 7"
    assert add_latent_statistics(tmp_path / "data", tmp_path / "bundle") == contract.out_of_distribution
    assert load_contract(tmp_path / "bundle").files == files


def test_the_manifest_says_how_the_bundle_came_to_be_and_goes_on_with_it(tmp_path):
    run(tmp_path)
    (made,) = read_yaml((tmp_path / "bundle" / "manifest.yaml").read_text())["runs"]
    assert made["stage"] == "train" and made["seconds"] > 0
    assert (made["settings"]["seed"], made["settings"]["command"]) == (3, "jepa-planner train tiny")
    assert {"jepa_planner", "python", "torch", "numpy", "h5py"} == set(made["versions"])
    listed = subprocess.run(
        f"cd {tmp_path / 'data'} && sha256sum episodes-*.h5 | sha256sum", shell=True, capture_output=True, check=True
    )
    expected = listed.stdout.split()[0].decode()
    about = {"folder": str(tmp_path / "data"), "episodes": 8, "steps": 8, "sha256": expected}
    assert made["episodes"] == {"data": [about]}
    settings = SubGoalRun(seed=4, iterations=2)
    add_sub_goals([tmp_path / "data"], tmp_path / "bundle", tmp_path / "other", tmp_path / "sub_goals", settings)
    first, then = read_yaml((tmp_path / "other" / "manifest.yaml").read_text())["runs"]
    assert first == made and (then["stage"], then["settings"]["seed"]) == ("sub_goals", 4)
    assert then["episodes"]["demonstrations"][0]["sha256"] == expected


def test_a_bundle_that_is_there_stays_as_it_was_until_the_new_one_is_whole(tmp_path, monkeypatch):
    run(tmp_path)
    (tmp_path / "bundle" / "README.md").write_text("mine")
    before = {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()}

    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training_run, "latent_statistics_noted", power_cut)
        run(tmp_path)
    assert {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()} == before
    run(tmp_path, settings=replace(SHORT, name="anew"))
    assert load_contract(tmp_path / "bundle").name == "anew"
    assert {path.name for path in (tmp_path / "bundle").iterdir()} == set(before)


def filmed(count: int = 4, seed: int = 0) -> Episodes:
    """Two variants of each motion."""
    some = episodes(count=count, steps=7, seed=seed)
    twice = some.part(np.arange(count).repeat(2))
    return replace(twice, motions=np.arange(count).repeat(2), scenes=np.arange(2 * count))


def test_variants_and_layouts_are_learned_from_and_stand_in_the_contract(tmp_path):
    stills = filmed(3, seed=1)
    write_shard(tmp_path / "stills" / "episodes-000000.h5", replace(stills, actions=np.zeros_like(stills.actions)))
    write_shard(tmp_path / "data" / "episodes-000000.h5", filmed())
    settings = replace(SHORT, objective="appearance+sigreg+layouts+inverse+state")
    folders = tmp_path / "data", tmp_path / "bundle", tmp_path / "run"
    training_run.run(*folders, settings, layouts=[tmp_path / "stills"])
    logged = json.loads((tmp_path / "run" / "encoder.jsonl").read_text().splitlines()[-1])
    assert {"appearance", "layouts"} <= set(logged)
    contract = WorldModel.load(tmp_path / "bundle").contract
    expected = "8 episodes of 7 steps, seeds 0 to 3; 6 variants of 8 layouts, seeds 100 to 102"
    assert contract.training.data == expected


@pytest.mark.parametrize(("objective", "folders"), [("layouts+sigreg", []), ("sigreg", ["stills"])])
def test_layouts_and_their_term_go_together(objective, folders, tmp_path):
    with pytest.raises(EpisodeError, match="its term of that name and episodes of `collect --behaviour layouts` go"):
        training_run.run(
            tmp_path, tmp_path / "b", tmp_path / "r", replace(SHORT, objective=objective), layouts=[*map(Path, folders)]
        )


def test_variants_of_which_there_are_none_are_refused(tmp_path):
    with pytest.raises(EpisodeError, match="no motion has two variants; collect episodes with --variants"):
        run(tmp_path, settings=replace(SHORT, objective="appearance+sigreg"))


def test_layouts_of_other_cameras_are_refused(tmp_path):
    stills = replace(filmed(3, seed=1), views=("front", "wrist"))
    write_shard(tmp_path / "stills" / "episodes-000000.h5", replace(stills, actions=np.zeros_like(stills.actions)))
    write_shard(tmp_path / "data" / "episodes-000000.h5", filmed())
    folders = tmp_path / "data", tmp_path / "bundle", tmp_path / "run"
    with pytest.raises(EpisodeError, match=r"layouts are seen by \('front', 'wrist'\)"):
        training_run.run(*folders, replace(SHORT, objective="layouts+sigreg"), layouts=[tmp_path / "stills"])


def test_a_model_needs_all_its_cameras_unless_it_was_asked_to_learn_otherwise(tmp_path):
    run(tmp_path / "all")
    with pytest.raises(ContractError, match="this model needs all of front, side"):
        WorldModel.load(tmp_path / "all" / "bundle", views=["side"])
    run(tmp_path / "any", settings=replace(SHORT, any_view=True))
    model = WorldModel.load(tmp_path / "any" / "bundle", views=["side"])
    assert model.encode(SOME.images[0, :2, [1]].swapaxes(0, 1)).shape == (2, 4, 3)


def test_training_begins_with_the_weights_of_another_bundle_where_one_is_named(tmp_path):
    run(tmp_path / "first")
    begin = replace(SHORT, init=tmp_path / "first" / "bundle", any_view=True, seed=5)
    run(tmp_path / "untouched", settings=replace(begin, encoder_iterations=0))
    run(tmp_path / "gone_on", settings=begin)
    first, untouched, gone_on = (
        load_encoder(tmp_path / name / "bundle")[0].state_dict() for name in ("first", "untouched", "gone_on")
    )
    assert all(torch.equal(untouched[name], weight) for name, weight in first.items())
    assert not all(torch.equal(gone_on[name], weight) for name, weight in first.items())


@pytest.mark.parametrize(("asked", "made"), [(None, MLP), ("mlp", MLP), ("transformer", PREDICTOR)])
def test_the_predictor_is_of_the_kind_that_was_asked_for_or_suits_the_latents(asked, made, tmp_path):
    report = run(tmp_path, settings=replace(SHORT, predictor=asked))
    assert WorldModel.load(tmp_path / "bundle").predictor.config == made
    assert len(report["prediction_error"]["object_moves"]) == 4


@pytest.mark.parametrize("kind", ["transformer", "mlp"])
def test_an_encoder_is_trained_beside_the_predictor_that_it_begins_with_else_beside_a_transformer(kind, tmp_path):
    run(tmp_path / "first", settings=replace(SHORT, predictor=kind))
    run(tmp_path / "second", settings=replace(SHORT, predictor="mlp", init=tmp_path / "first" / "bundle"))
    beside = [
        torch.load(tmp_path / name / "run" / "encoder.ckpt", weights_only=True)["module"]
        for name in ("first", "second")
    ]
    assert "predictor.predictor_proj.weight" in beside[0]
    assert ("predictor.read_out.weight" in beside[1]) == (kind == "mlp")


def test_a_bundle_of_other_sizes_cannot_be_begun_with(tmp_path, monkeypatch):
    run(tmp_path / "first")
    monkeypatch.setattr(training_run, "shipped_encoder", lambda episodes: replace(ENCODER, width=36))
    with pytest.raises(ContractError, match=r"first/bundle cannot be begun with: it holds EncoderConfig.*, expected"):
        run(tmp_path / "second", settings=replace(SHORT, init=tmp_path / "first" / "bundle"))


def test_the_report_holds_collapse_measures_readouts_and_prediction_errors(tmp_path):
    report = run(tmp_path)
    assert json.loads((tmp_path / "run" / "report.json").read_text()) == report
    assert report["episodes"] == 8
    assert report["collapse"] == asdict(HEALTHY)
    assert set(report["readouts"]) == {"tcp", "object", "gripper_width", "object_yaw"}
    assert len(report["prediction_error"]["arm_only"]) == 4


def test_the_same_recipe_gives_the_same_weights_and_another_seed_gives_others(tmp_path):
    bundles = []
    for name, settings in (("one", SHORT), ("same", SHORT), ("other", replace(SHORT, seed=4))):
        run(tmp_path / name, settings=settings)
        bundles.append(WorldModel.load(tmp_path / name / "bundle").contract.files)
    assert bundles[0] == bundles[1]
    assert bundles[0].keys() == bundles[2].keys() and not bundles[0].items() & bundles[2].items()


def test_the_objective_pixels_gives_a_bundle_that_is_planned_in_pixels(tmp_path, monkeypatch):
    run(tmp_path, settings=replace(SHORT, objective="pixels"))
    contract = WorldModel.load(tmp_path / "bundle").contract
    assert PlannerSettings.load(tmp_path / "bundle", contract).energy.kind == "pixel_summed_mse"
    first = load_decoder(tmp_path / "bundle").state_dict()
    saved = torch.load(tmp_path / "run" / "encoder.ckpt", weights_only=True)["module"]
    for name, tensor in first.items():
        torch.testing.assert_close(tensor, saved[f"prediction.decoder.{name}"].half().float())
    run(tmp_path / "again", settings=replace(SHORT, objective="pixels"))
    assert WorldModel.load(tmp_path / "again" / "bundle").contract.files == contract.files


def test_object_poses_are_for_probes_only(tmp_path):
    run(tmp_path / "plain")
    run(tmp_path / "shuffled", replace(SOME, object_pose=SOME.object_pose[::-1].copy()))
    files = [WorldModel.load(tmp_path / name / "bundle").contract.files for name in ("plain", "shuffled")]
    assert files[0] == files[1]


def test_a_collapsed_encoder_stops_the_run_before_the_predictor_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(training_run, "measure_collapse", measure_collapse)
    with pytest.raises(Collapsed, match=r"COLLAPSED: effective rank .*report\.json"):
        run(tmp_path, episodes(count=8, steps=8, blank=True))
    assert not (tmp_path / "bundle").exists() and not (tmp_path / "run" / "predictor.ckpt").exists()
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["collapse"]["effective_rank"] < 4 and report["readouts"]["object"]["mlp_median"] > 0


def test_a_model_that_predicts_no_better_than_a_copy_says_so_in_its_contract_and_report(tmp_path, monkeypatch):
    bad = {"object_moves": [0.0], "object_moves_copy": [0.0], "arm_only": [0.31], "arm_only_copy": [0.12]}
    monkeypatch.setattr(training_run, "prediction_error", lambda *_, **__: bad)
    report = run(tmp_path)
    contract = WorldModel.load(tmp_path / "bundle").contract
    assert list(contract.notes) == report["notes"] and contract.shortcomings == contract.notes
    assert any("no better than copying the last latent: error 0.31 beside 0.12" in note for note in contract.notes)
