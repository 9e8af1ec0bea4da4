"""collect, train and probe as a user types them, one after another, on the smallest of worlds."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch
from tiny_vjepa2_ac import import_tiny
from typed import complaint, evaluate

from jepa_planner.cli.main import main
from jepa_planner.learning.data.episodes import read_episodes
from jepa_planner.learning.training import add_verdict, fine_tuning, recipe, training_run
from jepa_planner.learning.training.add_verdict import VerdictRun
from jepa_planner.learning.training.collapse import CollapseReport
from jepa_planner.learning.training.dense import dense_run, linear_probe
from jepa_planner.learning.training.predictor_training import PredictorTraining
from jepa_planner.learning.training.probes import probe_latents
from jepa_planner.model.bundle import load_contract
from jepa_planner.model.encoder import EncoderConfig
from jepa_planner.model.mlp_predictor import MlpPredictorConfig
from jepa_planner.model.predictor import PredictorConfig
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import EnergySettings, PlannerSettings
from jepa_planner.planning.solvers.cem import CemSettings
from jepa_planner.planning.sub_goals import SubGoals
from studies.__main__ import main as study
from studies.probe import probe_report
from studies.probe import verb as probe

HEALTHY = CollapseReport(12, effective_rank=9.0, std_mean=1.0, std_min=0.8, dead_share=0.0, neighbour_ratio=0.3)
COLLAPSED = CollapseReport(12, effective_rank=1.0, std_mean=0.0, std_min=0.0, dead_share=1.0, neighbour_ratio=1.0)
ENCODER = EncoderConfig(
    image_size=(64, 64), width=24, depth=1, heads=2, mlp_hidden=32, stem="conv", views=2, slots=4, slot_channels=3
)
PREDICTORS = {
    "transformer": PredictorConfig(
        latent_channels=3, grid=(1, 4), width=24, depth=1, heads=2, mlp_hidden=32, state_dim=8, action_dim=7,
        slot_embedding=True, residual=True, output_norm="none", extrinsics=False,
    ),
    "mlp": MlpPredictorConfig(
        latent_channels=3, grid=(1, 4), width=24, depth=1, mlp_hidden=32, state_dim=8, action_dim=7
    ),
}  # fmt: skip


PLANNING = PlannerSettings(
    energy=EnergySettings(kind="summed_mse", scale=2.0), reached_energy=0.0, steps_per_sub_goal=4,
    cem=CemSettings(horizon=2, samples=8, iterations=1, elites=2),
)  # fmt: skip


@pytest.fixture
def small_and_quick(monkeypatch):
    """A model that knows nothing and so finds nothing reached."""
    threads = torch.get_num_threads()
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    monkeypatch.setattr(training_run, "shipped_encoder", lambda episodes: ENCODER)
    monkeypatch.setattr(training_run, "shipped_predictor", lambda encoder, kind=None: PREDICTORS[kind or "mlp"])
    monkeypatch.setattr(recipe, "SHIPPED_PLANNING", PLANNING)
    monkeypatch.setattr(training_run, "PredictorTraining", partial(PredictorTraining, batch=4))
    monkeypatch.setattr(training_run, "probe_latents", partial(probe_latents, iterations=3))
    monkeypatch.setattr(training_run, "measure_collapse", lambda *_: HEALTHY)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def collected(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "episodes"
    command = ["collect", str(folder), "--episodes", "3", "--steps", "8", "--seed", "7", "--processes", "1"]
    assert main([*command, "--vary", "light"]) == 0
    return folder


def train(collected: Path, out: Path, *more: str) -> int:
    few = ["--encoder-iterations", "2", "--predictor-iterations", "2"]
    return main(
        ["train", "--data", str(collected), "--out", str(out / "bundle"), "--run", str(out / "run"), *few, *more]
    )


def test_collect_writes_what_was_asked_for_and_says_so(collected, capsys):
    episodes = read_episodes(collected)
    assert episodes.images.shape == (3, 9, 2, 64, 64, 3)
    assert episodes.seeds.tolist() == [7, 8, 9]
    again = ["--episodes", "3", "--steps", "8", "--seed", "7", "--vary", "light", "--processes", "1"]
    assert main(["collect", str(collected), *again]) == 0
    assert f"3 episodes of 8 steps in {collected} (0 shards newly written)" in capsys.readouterr().out


def test_train_writes_a_bundle_and_eval_tries_it(collected, tmp_path, small_and_quick, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["jepa-planner", "train", "--data", "my episodes"])
    assert train(collected, tmp_path, "--name", "tiny", "--seed", "5") == 0
    printed = capsys.readouterr().out
    assert f"bundle written to {tmp_path / 'bundle'}" in printed
    contract = WorldModel.load(tmp_path / "bundle").contract
    assert (contract.name, contract.training.seeds) == ("tiny", (5,))
    assert contract.training.command.startswith("jepa-planner train --data ")
    model = str(tmp_path / "bundle")
    report = evaluate(tmp_path / "report.json", "--task", "reach", "--episodes", "1", "--seed", "2", "--model", model)
    assert (report["model"], report["baseline"], report["seed"]) == (model, "none", 2)
    assert report["trials"][0]["seed"] == 1_000_002
    assert 0 < report["plan_seconds_median"] <= report["plan_seconds_p95"]
    assert f"{report['successes']}/1 solved" in capsys.readouterr().out
    assert (report["search"]["solver"], report["search"]["samples"], report["deadline_s"]) == ("cem", 8, None)
    chosen = ["--solver", "mppi", "--samples", "6", "--iterations", "2", "--horizon", "1", "--deadline", "5"]
    common = ["--task", "reach", "--episodes", "1", "--model", model]
    report = evaluate(tmp_path / "mppi.json", *common, *chosen)
    assert (report["search"]["solver"], report["search"]["samples"], report["deadline_s"]) == ("mppi", 6, 5.0)


def test_an_encoder_to_point_with_is_trained_alone(collected, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(linear_probe, "TRAIN_FRAMES", 40)
    monkeypatch.setattr(linear_probe, "HELD_OUT_FRAMES", 10)
    monkeypatch.setattr(dense_run, "token_collapse", lambda *_: CollapseReport(9, 9.0, 1.0, 0.8, 0.0, 0.3))
    monkeypatch.setattr("sys.argv", ["jepa-planner", "train", "--objective", "vjepa"])
    paths = ["--data", str(collected), "--out", str(tmp_path / "dense"), "--run", str(tmp_path / "run")]
    assert main(["train", "--objective", "vjepa", *paths, "--encoder-iterations", "2", "--trust-data"]) == 0
    assert f"bundle written to {tmp_path / 'dense'}" in capsys.readouterr().out
    contract = load_contract(tmp_path / "dense")
    assert (contract.name, contract.predictor, contract.training.steps) == ("dense", None, {"encoder": 2})
    assert contract.training.command == "jepa-planner train --objective vjepa"
    monkeypatch.setattr(dense_run, "token_collapse", lambda *_: CollapseReport(9, 1.0, 0.0, 0.0, 0.0, 1.0))
    paths[3] = str(tmp_path / "collapsed")
    assert main(["train", "--objective", "vjepa", *paths, "--encoder-iterations", "2", "--trust-data"]) == 1
    assert "no bundle was written: COLLAPSED" in capsys.readouterr().err and not (tmp_path / "collapsed").exists()


def test_train_takes_the_kind_of_predictor_and_another_may_follow(collected, tmp_path, small_and_quick, monkeypatch):
    monkeypatch.setattr(fine_tuning, "new_predictor_config", lambda *given: PREDICTORS[given[-1]])
    assert train(collected, tmp_path, "--predictor", "transformer") == 0
    assert load_contract(tmp_path / "bundle").predictor == PREDICTORS["transformer"]
    paths = ["--data", str(collected), "--init", str(tmp_path / "bundle"), "--out", str(tmp_path / "other")]
    few = ["--run", str(tmp_path / "again"), "--predictor-iterations", "2"]
    assert main(["train", "--predictor-only", "--predictor", "mlp", *paths, *few]) == 0
    assert load_contract(tmp_path / "other").predictor == PREDICTORS["mlp"]


def test_train_takes_the_objective_by_name_and_refuses_an_unknown_one(collected, tmp_path, small_and_quick, capsys):
    assert train(collected, tmp_path, "--objective", "vicreg+inverse") == 0
    assert json.loads((tmp_path / "run" / "report.json").read_text())["objective"] == "vicreg+inverse"
    paths = ("--data", str(collected), "--out", str(tmp_path / "b"), "--run", str(tmp_path / "r"))
    assert "'byol' is unknown; known are sigreg" in complaint(capsys, "train", *paths, "--objective", "byol")
    assert not (tmp_path / "b").exists() and not (tmp_path / "r").exists()


def test_probe_reads_a_model_on_given_or_on_fresh_episodes(collected, tmp_path, small_and_quick, capsys, monkeypatch):
    assert train(collected, tmp_path) == 0
    model = str(tmp_path / "bundle")
    monkeypatch.setattr(probe_report, "probe", partial(probe_report.probe, iterations=3))
    found = tmp_path / "deep" / "probe.json"
    assert study(["probe", "--model", model, "--data", str(collected), "--json", str(found)]) == 0
    printed = capsys.readouterr().out
    assert f"{model} on {collected}" in printed and "| object position | cm |" in printed
    report = json.loads(found.read_text())
    assert (report["model"], report["episodes"], report["held_out_episodes"]) == (model, 3, 1)
    monkeypatch.setattr(probe, "FRESH_EPISODES", 4)
    monkeypatch.setattr(probe, "FRESH_STEPS", 6)
    fresh = str(tmp_path / "fresh")
    assert study(["probe", "--model", model, "--fresh", fresh]) == 0
    assert read_episodes(fresh).seeds.tolist() == [990_000, 990_001, 990_002, 990_003]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--held-out", "1.5"], "--held-out is 1.5; it must lie between 0 and 1"),
        (["--model", "/nowhere/model"], "/nowhere/model"),
        (["--data", "/nowhere/episodes"], "no episodes-*.h5 in /nowhere/episodes"),
    ],
)
def test_a_probe_that_makes_no_sense_is_refused_in_words(arguments, says, capsys):
    assert says in complaint(capsys, "probe", *arguments, main=study)


def test_ablate_trains_and_tries_each_objective_and_prints_a_table(collected, tmp_path, small_and_quick, capsys):
    few = ["--encoder-iterations", "2", "--predictor-iterations", "2", "--encoder-batch", "4", "--scenes", "1"]
    paths = ["--data", str(collected), "--out", str(tmp_path / "out")]
    assert (
        study(["ablation", *paths, *few, "--tasks", "reach", "--objectives", "none", "vicreg", "--episodes", "2", "3"])
        == 0
    )
    printed = capsys.readouterr().out
    assert "none-2: row 1 of 4" in printed and "vicreg-3: row 4 of 4" in printed
    assert (tmp_path / "out" / "table.md").read_text().strip() in printed
    assert "| vicreg | 3 |" in printed
    assert "'byol' is unknown" in complaint(capsys, "ablation", *paths, "--objectives", "none", "byol", main=study)


def test_a_model_of_pixels_is_trained_tried_beside_another_and_drawn(collected, tmp_path, small_and_quick, capsys):
    assert train(collected, tmp_path / "pixels", "--objective", "pixels") == 0
    assert train(collected, tmp_path / "ours") == 0
    models = ["--models", f"ours={tmp_path / 'ours' / 'bundle'}", f"pixels={tmp_path / 'pixels' / 'bundle'}"]
    few = ["--tasks", "reach", "--conditions", "clean", "flicker", "--scenes", "1", "--out", str(tmp_path / "out")]
    assert study(["comparison", *models, *few]) == 0
    written = (tmp_path / "out" / "table.md").read_text()
    assert written.strip() in capsys.readouterr().out
    assert "| ours | latents | clean |" in written and "| pixels | pixels | flicker |" in written
    drawn = ["--picture", str(tmp_path / "a.png"), "--run", str(tmp_path / "run"), "--iterations", "2", "--steps", "2"]
    assert study(["imagined", *models, "--data", str(collected), *drawn]) == 0
    assert f"{tmp_path / 'a.png'}: episode of seed 9, from frame" in capsys.readouterr().out
    assert (tmp_path / "a.png").exists() and not (tmp_path / "run" / "pixels").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["comparison", "--models", "out/pixels"], "'out/pixels' given; expected NAME=DIR"),
        (["comparison", "--models", "a=/nowhere", "a=/nowhere"], "'a' is named twice"),
        (["comparison", "--models", "a=/nowhere"], "/nowhere/model.yaml: no such file"),
        (["comparison", "--models", "a=/nowhere", "--conditions", "fog"], "unknown perturbation fog"),
        (["imagined", "--models", "a=/nowhere", "--data", "/nowhere", "--steps", "0"], "--steps is 0"),
        (["imagined", "--models", "shipped=", "--data", "/nowhere"], "no episodes-*.h5 in /nowhere"),
    ],
)
def test_a_comparison_that_makes_no_sense_is_refused_in_words(arguments, says, capsys):
    assert says in complaint(capsys, *arguments, main=study)


def test_a_predictor_goes_on_learning_from_where_a_bundle_is(collected, tmp_path, small_and_quick, capsys):
    first = import_tiny(tmp_path / "first")
    few = ["--predictor-iterations", "12", "--learning-rate", "5e-3", "--batch", "4", "--view", "side"]
    few += ["--tcp-frame", "tcp"]
    paths = ["--data", str(collected), "--out", str(tmp_path / "tuned"), "--run", str(tmp_path / "run")]
    assert main(["train", "--predictor-only", "--init", str(first), *paths, *few, "--name", "mine"]) == 0
    said = capsys.readouterr().out
    assert "l1 error of imagined latents on 1 held-out episodes of 3" in said
    assert f"encoder unchanged: sha256 {load_contract(first).files['encoder.safetensors']}" in said
    assert f"bundle written to {tmp_path / 'tuned'}" in said
    assert WorldModel.load(tmp_path / "tuned").contract.name == "mine"


def test_sub_goals_are_learned_after_the_predictor_or_added_to_a_bundle(
    collected, tmp_path, small_and_quick, capsys, monkeypatch
):
    few = ["--demonstrations", str(collected), "--sub-goal-iterations", "2"]
    assert train(collected, tmp_path, *few) == 0
    assert '"foresight"' in capsys.readouterr().out
    first = tmp_path / "bundle"
    again = ["--init", str(first), "--out", str(tmp_path / "second"), "--run", str(tmp_path / "more"), "--seed", "4"]
    assert main(["train", "--sub-goals-only", *few, *again]) == 0
    said = capsys.readouterr().out
    assert "3 demonstrations with" in said and f"bundle written to {tmp_path / 'second'}" in said
    assert [load_contract(folder).sub_goals.training.seeds for folder in (first, tmp_path / "second")] == [(0,), (4,)]
    common = ["--task", "reach", "--episodes", "1", "--model", str(first)]
    target, observations = SubGoals.target, []
    monkeypatch.setattr(SubGoals, "target", lambda self, *given: observations.append(self) or target(self, *given))
    assert evaluate(tmp_path / "auto.json", *common)["imagine_sub_goals"] == "auto" and observations
    observations.clear()
    plain = evaluate(tmp_path / "never.json", *common, "--imagine-sub-goals", "never")
    assert plain["imagine_sub_goals"] == "never" and not observations


def test_sub_goals_that_the_model_cannot_imagine_are_refused(collected, tmp_path, small_and_quick, capsys):
    assert train(collected, tmp_path) == 0
    arguments = ["--task", "reach", "--model", str(tmp_path / "bundle"), "--imagine-sub-goals", "always"]
    for more in ([], ["--ros"]):
        assert "the model imagines none: add them to it with" in complaint(capsys, "eval", *arguments, *more)


def test_what_tells_when_the_work_is_done_is_learned_as_typed(tmp_path, capsys, monkeypatch):
    asked = []
    monkeypatch.setattr(add_verdict, "add_verdict", lambda *given: asked.append(given) or {})
    monkeypatch.setattr(add_verdict, "in_words", lambda report: "how good it is")
    monkeypatch.setattr("sys.argv", ["jepa-planner", "train", "--verdict-only"])
    typed = [
        "--init",
        "first",
        "--demonstrations",
        "one",
        "two",
        "--keypoints",
        "--seed",
        "4",
        "--out",
        str(tmp_path / "b"),
    ]
    assert main(["train", "--verdict-only", *typed, "--verdict-iterations", "9", "--run", str(tmp_path / "r")]) == 0
    folders = [Path("one"), Path("two")], Path("first"), tmp_path / "b", tmp_path / "r"
    settings = VerdictRun(seed=4, iterations=9, keypoints=True, command="jepa-planner train --verdict-only")
    assert asked == [(*folders, settings)]
    assert capsys.readouterr().out == f"how good it is\nbundle written to {tmp_path / 'b'}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["--predictor-only", "--init", "model", "--objective", "none"],
            "--objective does not go with --predictor-only",
        ),
        (["--predictor-only"], "--predictor-only needs --init"),
        (["--predictor", "rnn"], "--predictor: invalid choice: 'rnn'"),
        (["--init", "model", "--batch", "3"], "--batch does not go with training encoder and predictor, which"),
        (
            ["--predictor-only", "--init", "model", "--encoder-iterations", "3"],
            "--encoder-iterations does not go with --predictor-only",
        ),
        (["--predictor-only", "--init", "nowhere"], "nowhere/model.yaml: no such file"),
        (["--predictor-only", "--init", "m", "--demonstrations", "d"], "--demonstrations does not go with --pred"),
        (["--predictor-only", "--sub-goals-only"], "--predictor-only and --sub-goals-only: one after the other"),
        (["--sub-goals-only", "--verdict-only"], "--sub-goals-only and --verdict-only: one after the other"),
        (["--objective", "vjepa", "--predictor", "mlp"], "--predictor does not go with --objective vjepa, which takes"),
        (["--objective", "vjepa", "--adapt"], "--adapt and --objective vjepa: one after the other"),
        (["--sub-goals-only"], "--data does not go with --sub-goals-only, which takes --init, --demonstrations, --sub"),
    ],
)
def test_a_fine_tuning_that_makes_no_sense_is_refused_in_words(arguments, says, collected, tmp_path, capsys):
    paths = ["--data", str(collected), "--out", str(tmp_path / "b"), "--run", str(tmp_path / "r")]
    assert says in complaint(capsys, "train", *paths, *arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "training encoder and predictor needs --data"),
        (["--sub-goals-only", "--layouts", "d"], "--layouts does not go with --sub-goals-only"),
        (["--sub-goals-only", "--predictor", "mlp"], "--predictor does not go with --sub-goals-only"),
        (["--sub-goals-only"], "--sub-goals-only needs --init, --demonstrations"),
        (["--sub-goals-only", "--init", "nowhere", "--demonstrations", "d"], "nowhere/model.yaml: no such file"),
        (["--verdict-only", "--keypoints"], "--verdict-only needs --init, --demonstrations"),
        (["--verdict-only", "--init", "nowhere", "--demonstrations", "d"], "nowhere/model.yaml: no such file"),
        (["--adapt", "--init", "nowhere"], "--adapt needs --data"),
        (["--adapt", "--init", "nowhere", "--data", "d"], "nowhere/model.yaml: no such file"),
        (["--adapt", "--init", "nowhere", "--data", "d", "--any-view"], "--any-view does not go with --adapt"),
        (["--verdict-only", "--sub-goal-iterations", "3"], "--sub-goal-iterations does not go with --verdict-only"),
    ],
)
def test_a_training_that_lacks_something_is_refused_in_words(arguments, says, tmp_path, capsys):
    assert says in complaint(capsys, "train", "--out", str(tmp_path / "b"), "--run", str(tmp_path / "r"), *arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--out", "--run"])
def test_a_place_that_cannot_be_written_to_is_refused_before_anything_is_read(option, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    given = {"--out": str(tmp_path / "b"), "--run": str(tmp_path / "r"), "--data": "nowhere"}
    given[option] = str(tmp_path / "file" / "model")
    says = complaint(capsys, "train", *(part for pair in given.items() for part in pair))
    assert f"{given[option]} cannot be a folder, {tmp_path / 'file'} is a file: name another one" in says


def test_a_collapsed_training_ends_with_status_1_and_without_a_bundle(
    collected, tmp_path, small_and_quick, capsys, monkeypatch
):
    monkeypatch.setattr(training_run, "measure_collapse", lambda *_: COLLAPSED)
    assert train(collected, tmp_path) == 1
    assert "no bundle was written: COLLAPSED" in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()


def test_training_without_episodes_is_refused_in_words(tmp_path, capsys):
    arguments = ("--data", str(tmp_path / "none"), "--out", str(tmp_path / "b"), "--run", str(tmp_path / "r"))
    assert "collect some with `jepa-planner collect" in complaint(capsys, "train", *arguments)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--seed", "1000000"], "those above are for evaluation"),
        (["--episodes", "0"], "at least 1"),
        (["--vary", "fog", "--episodes", "1", "--processes", "1"], "unknown perturbation fog; known are camera"),
        (["--episodes", "many"], "invalid int value"),
        (["--variants", "2", "--episodes", "1"], "2 variants: tables look different in varied scenes"),
        (["--behaviour", "layouts", "--scenes", "varied"], "layouts are filmed in several variants"),
        (
            ["--behaviour", "dance"],
            "invalid choice: 'dance' (choose from 'exploration', 'feints', 'demonstration', 'adjustments', "
            "'placement', 'out_of_reach', 'layouts')",
        ),
    ],
)
def test_a_collection_that_makes_no_sense_is_refused_in_words(arguments, says, tmp_path, capsys):
    assert says in complaint(capsys, "collect", str(tmp_path), *arguments)
    assert list(tmp_path.iterdir()) == []
