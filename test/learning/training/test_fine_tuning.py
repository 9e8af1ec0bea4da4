"""Going on from the tiny checkpoint on episodes whose pictures show the arm."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_models import small_contract
from small_planner import small_planner
from tiny_training import ENCODER, MLP, PREDICTORS, encoder, episodes, predictor
from tiny_vjepa2_ac import CHECKPOINT, import_tiny

from jepa_planner.core.strict_fields import to_plain
from jepa_planner.learning.data.episodes import Episodes, write_shard
from jepa_planner.learning.training import encoder_training, fine_tuning, view_dropout
from jepa_planner.learning.training.action_bounds import as_far
from jepa_planner.learning.training.fine_tuning import (
    FineTuning,
    FineTuningError,
    choose_views,
    describe,
    fine_tune,
    in_words,
    planned_with,
    training_settings,
)
from jepa_planner.learning.training.predictor_sizes import new_predictor_config
from jepa_planner.learning.training.recipe import Recipe, contract, new_planner_settings, planned_in_pixels
from jepa_planner.learning.training.run_folder import RunFolderError
from jepa_planner.model.bundle import (
    add_verdict_head,
    add_viewing_decoder,
    load_bundle,
    load_contract,
    load_verdict_head,
    load_viewing_decoder,
    save_bundle,
)
from jepa_planner.model.bundle_files import sha256
from jepa_planner.model.contract import ContractError
from jepa_planner.model.contract_sections import TrainingSpec, VerdictSpec
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.pixel_decoder import PixelDecoder
from jepa_planner.model.verdict_head import VerdictHead, VerdictHeadConfig
from jepa_planner.model.vjepa2.ac_checkpoint import find_vjepa2_encoder
from jepa_planner.model.vjepa2.contract import ImportSettings, vjepa2_contract
from jepa_planner.model.vjepa2.import_bundle import import_bundle
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.vjepa2_planner import vjepa2_planner

SOME = episodes(count=8, steps=9, size_px=64)
SHORT = FineTuning(
    iterations=6, learning_rate=3e-3, batch=4, views=("side",), command="jepa-planner train", tcp_frame="tcp"
)


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> Path:
    return import_tiny(tmp_path_factory.mktemp("models") / "first")


def tune(folder: Path, init: Path, settings: FineTuning = SHORT, some: Episodes = SOME, data: str = "data") -> dict:
    write_shard(folder / data / "episodes-000000.h5", some)
    return fine_tune(folder / data, init, folder / "tuned", folder / "run", settings)


def planner_of(bundle: Path) -> PlannerSettings:
    return PlannerSettings.load(bundle, load_contract(bundle))


def weights_of(bundle: Path) -> dict[str, torch.Tensor]:
    return load_bundle(bundle)[1].state_dict()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_a_model_that_predicts_pixels_is_refused(tmp_path):
    some = episodes(count=3, steps=8)
    made = contract(encoder(), predictor(), some, Recipe())
    latents = np.zeros((1, 2, 4, 3), np.float32)
    planned_in_pixels(new_planner_settings(made, latents), made, some).save(tmp_path / "pixels")
    save_bundle(tmp_path / "pixels", encoder(), predictor(), made, decoder=PixelDecoder(ENCODER))
    with pytest.raises(FineTuningError, match="predicts pixels; such models are trained from nothing"):
        tune(tmp_path, tmp_path / "pixels", some=some)


def test_the_error_falls_and_the_encoder_is_the_same_file(tmp_path, first):
    before = weights_of(first)
    report = tune(tmp_path, first, replace(SHORT, iterations=60))
    assert len(report["before"]) == len(report["after"]) == len(report["copied"]) == 2
    for before_error, after, copied in zip(report["before"], report["after"], report["copied"], strict=True):
        assert after < 0.7 * before_error and after < copied
    hashes = {sha256(folder / "encoder.safetensors") for folder in (first, tmp_path / "tuned")}
    assert hashes == {report["encoder_sha256"]}
    assert not same(before, weights_of(tmp_path / "tuned"))
    assert same(before, weights_of(first))
    assert json.loads((tmp_path / "run" / "report.json").read_text()) == report


def test_a_head_that_rests_on_the_encoder_alone_stays_and_the_band_of_what_is_settled_is_found_anew(tmp_path):
    some = episodes(count=8, steps=9)
    made = contract(encoder(), predictor(), some, Recipe())
    small_planner().save(tmp_path / "first")
    save_bundle(tmp_path / "first", encoder(), predictor(), made)
    head = VerdictHeadConfig(latent_tokens=4, latent_channels=3, state_dim=8, width=8, depth=1)
    spec = VerdictSpec(head=head, training=TrainingSpec(data="none", command="none"))
    add_verdict_head(tmp_path / "first", tmp_path / "first", VerdictHead(head), spec)
    add_viewing_decoder(tmp_path / "first", tmp_path / "first", PixelDecoder(made.encoder))
    report = tune(tmp_path, tmp_path / "first", replace(SHORT, views=()), some)
    assert load_viewing_decoder(tmp_path / "tuned") is not None
    tuned = load_contract(tmp_path / "tuned")
    assert tuned.verdict == spec and load_verdict_head(tmp_path / "tuned") is not None
    load_bundle(tmp_path / "tuned")
    settled, planner_settings = report["settled"], planner_of(tmp_path / "tuned")
    assert settled["others"] > 0 and planner_settings.progress.settled_energy == settled["energy"]


def test_the_error_afterwards_is_that_of_the_bundle_as_written(tmp_path, first):
    report = tune(tmp_path, first)
    again = fine_tune(
        tmp_path / "data", tmp_path / "tuned", tmp_path / "next", tmp_path / "run2", replace(SHORT, iterations=1)
    )
    assert again["before"] == report["after"]


def test_the_new_bundle_says_where_it_comes_from(tmp_path, first):
    tune(tmp_path, first, some=replace(SOME, time_step_s=0.2))
    old, new = load_contract(first), WorldModel.load(tmp_path / "tuned").contract
    assert new.name == "tiny-tuned"
    assert new.training.data.startswith("predictor of tiny (imported from vjepa2_ac_tiny.pt), then 8 episodes of 9")
    assert new.training.command == "jepa-planner train" and new.training.steps == {"predictor": 6}
    assert new.training.source_files == old.training.source_files
    assert (new.action.time_step_s, old.action.time_step_s) == (0.2, 0.25)
    planner_settings = planner_of(tmp_path / "tuned")
    assert 0 < planner_settings.energy.scale != planner_of(first).energy.scale
    assert new.action.max_abs == pytest.approx(np.abs(SOME.actions).max((0, 1)), rel=0.01)
    assert old.action.max_abs[:3] == (0.05, 0.05, 0.05)
    assert planner_settings.initial_std[:3] == pytest.approx([0.03] * 3, rel=0.03)
    assert planner_settings.steps_per_sub_goal == 17, "10 steps of 0.05 m are 17 of 0.03 m"
    assert new.image == old.image and new.notes[: len(old.notes)] == old.notes
    assert (new.state.channels, new.state.frame) == (old.state.channels, old.state.frame)
    assert (new.state.tcp_frame, old.state.tcp_frame) == ("tcp", "panda_link8")


def test_a_model_that_imagines_sub_goals_says_how_long_its_episodes_are_and_pursues_them_as_far_as_before():
    folder = Path(__file__).parents[3] / "models" / "panda-tabletop"
    shipped, planner_settings = load_contract(folder), planner_of(folder)
    latents = np.random.default_rng(0).normal(size=(len(SOME), 3, 4, 2)).astype(np.float32)
    tuned = describe(shipped, SOME, FineTuning())
    assert tuned.training.data.endswith(f"then {len(SOME)} episodes of {SOME.actions.shape[1]} steps")
    steps, found = planner_settings.sub_goals.steps, planned_with(planner_settings, shipped, tuned, latents)
    assert found.sub_goals.steps == as_far(steps, shipped.action.max_abs, tuned.action.max_abs) > steps


def test_the_numbers_keep_the_type_that_they_are_stored_in(tmp_path, first):
    half = import_tiny(tmp_path / "half", torch.bfloat16)
    tune(tmp_path, half)
    sizes = [(folder / "predictor.safetensors").stat().st_size for folder in (half, tmp_path / "tuned", first)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.02) and sizes[1] < 0.6 * sizes[2]


def test_a_run_cut_short_goes_on_to_the_same_weights(tmp_path, first, monkeypatch):
    tune(tmp_path / "whole", first)
    fit = fine_tuning.train_predictor

    def cut(*arguments, **rest):
        *most, settings, folder, seed = arguments
        fit(*most, replace(settings, fit=replace(settings.fit, checkpoint_every=2)), folder, seed, **rest)

    class Cut(Exception):
        pass

    def power_cut(*_: object) -> None:
        raise Cut

    monkeypatch.setattr(fine_tuning, "train_predictor", cut)
    with monkeypatch.context() as patch, pytest.raises(Cut):
        patch.setattr(fine_tuning, "write_bundle", power_cut)
        tune(tmp_path / "cut", first)
    log = (tmp_path / "cut" / "run" / "predictor.jsonl").read_text()
    tune(tmp_path / "cut", first)
    assert (tmp_path / "cut" / "run" / "predictor.jsonl").read_text() == log
    assert same(weights_of(tmp_path / "whole" / "tuned"), weights_of(tmp_path / "cut" / "tuned"))


def test_latents_are_made_once(tmp_path, first, monkeypatch):
    tune(tmp_path, first)
    monkeypatch.setattr(WorldModel, "encode", lambda *_: pytest.fail("encoded again"))
    (tmp_path / "run" / "predictor.ckpt").unlink()
    tune(tmp_path, first, replace(SHORT, learning_rate=1e-3))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 1}, "seed"),
        ({"learning_rate": 1e-3, "batch": 2}, "learning_rate, batch"),
        ({"views": ("front",)}, "views"),
    ],
)
def test_a_run_folder_of_another_training_is_refused_by_what_differs(change, named, tmp_path, first):
    tune(tmp_path, first)
    with pytest.raises(RunFolderError, match=f"of a run with other {named}: use another --run"):
        tune(tmp_path, first, replace(SHORT, **change))


def test_other_episodes_in_a_used_run_folder_are_refused(tmp_path, first):
    tune(tmp_path, first)
    other = replace(SOME, actions=SOME.actions * 0.5)
    with pytest.raises(RunFolderError, match="other data"):
        tune(tmp_path, first, some=other, data="more")


def test_a_run_folder_of_a_whole_training_is_refused(tmp_path, first):
    (tmp_path / "run").mkdir()
    torch.save({}, tmp_path / "run" / "predictor.ckpt")
    with pytest.raises(RunFolderError, match=r"of a run that nothing is known of \(fine_tuning.json is missing"):
        tune(tmp_path, first)


def test_seven_channel_models_learn_from_the_measured_gripper(tmp_path, first):
    """Other commanded closure changes nothing, other measured one does."""
    commanded, measured = SOME.states.copy(), SOME.states.copy()
    commanded[..., 6] *= 0.9
    measured[..., 7] *= 0.9
    for name, states in (("plain", SOME.states), ("commanded", commanded), ("measured", measured)):
        tune(tmp_path / name, first, some=replace(SOME, states=states))
    plain, commanded, measured = (weights_of(tmp_path / name / "tuned") for name in ("plain", "commanded", "measured"))
    assert same(plain, commanded) and not same(plain, measured)


def test_held_out_episodes_teach_nothing(tmp_path, first):
    changed = SOME.actions.copy()
    changed[-1] *= -1.0
    tune(tmp_path / "one", first)
    tune(tmp_path / "other", first, some=replace(SOME, actions=changed))
    assert same(weights_of(tmp_path / "one" / "tuned"), weights_of(tmp_path / "other" / "tuned"))


def test_pictures_may_be_larger_than_the_models_but_not_smaller(tmp_path, first):
    tune(tmp_path / "large", first, some=episodes(count=3, steps=4, size_px=96))
    with pytest.raises(ContractError, match=r"32 x 32 pixels given; this model needs at least 64 x 64"):
        tune(tmp_path / "small", first, some=episodes(count=3, steps=4, size_px=32))


@pytest.mark.parametrize(
    ("wanted", "chosen", "numbers"),
    [
        (("front", "side"), (), [0, 1]),
        (("side",), (), [1]),
        (("camera",), ("side",), [1]),
        (("a", "b"), ("side", "front"), [1, 0]),
    ],
)
def test_views_are_found_by_name_or_as_chosen(wanted, chosen, numbers):
    assert choose_views(wanted, ("front", "side"), chosen) == numbers


@pytest.mark.parametrize(
    ("wanted", "chosen", "says"),
    [
        (("camera",), (), "no view camera but front, side: say with --view which of them the model takes for camera"),
        (("camera",), ("front", "side"), "2 views chosen; the model needs 1, for camera"),
        (("front", "side"), ("front", "top"), "no view top"),
    ],
)
def test_views_that_are_not_there_are_refused_with_those_that_are(wanted, chosen, says):
    with pytest.raises(FineTuningError, match=says):
        choose_views(wanted, ("front", "side"), chosen)


def test_a_bundle_is_not_written_over_the_one_it_comes_from(tmp_path, first):
    write_shard(tmp_path / "data" / "episodes-000000.h5", SOME)
    with pytest.raises(FineTuningError, match="name another folder for the new one"):
        fine_tune(tmp_path / "data", first, first / ".." / first.name, tmp_path / "run", SHORT)


def test_the_objective_follows_the_energy_that_the_model_is_planned_with(first):
    small = training_settings(small_contract(), "mse", SHORT, frames=10)
    assert (small.difference, small.context, small.rollout, small.window) == ("mse", 2, 4, 6)
    released = training_settings(load_contract(first), planner_of(first).energy.difference, SHORT, frames=40)
    assert (released.difference, released.context, released.rollout, released.window) == ("l1", 1, 2, 8)
    assert training_settings(load_contract(first), planner_of(first).energy.difference, SHORT, frames=5).window == 5


def of_slots(folder: Path, kind: str = "transformer", any_view: bool = False) -> Path:
    """A bundle of two views and slots; its encoder is the same for every kind of predictor."""
    some = episodes(count=6, steps=8)
    seeing = encoder() if not any_view else VideoEncoder(replace(ENCODER, any_view=True))
    made = contract(seeing, predictor(kind=kind), some, Recipe())
    small_planner().save(folder)
    save_bundle(folder, seeing, predictor(kind=kind), made)
    return folder


@pytest.mark.parametrize("kind", PREDICTORS)
def test_a_model_of_two_views_and_slots_goes_on_too(kind, tmp_path):
    some = episodes(count=6, steps=8)
    settings = replace(SHORT, views=(), iterations=40)
    report = tune(tmp_path, of_slots(tmp_path / "slots", kind), settings, some=some)
    assert report["error"] == "mse" and len(report["after"]) == 4
    assert report["after"][-1] < report["before"][-1]
    tuned = load_contract(tmp_path / "tuned")
    assert (tuned.encoder, tuned.predictor) == (ENCODER, PREDICTORS[kind])


def test_a_predictor_of_another_kind_begins_anew_and_is_compared_with_the_one_before(tmp_path, monkeypatch):
    monkeypatch.setattr(fine_tuning, "new_predictor_config", lambda *given: PREDICTORS[given[-1]])
    some, settings = episodes(count=6, steps=8), replace(SHORT, views=(), iterations=40)
    slots = of_slots(tmp_path / "slots")
    report = tune(tmp_path, slots, replace(settings, predictor="mlp"), some=some)
    (tmp_path / "again").mkdir()
    assert tune(tmp_path / "again", slots, settings, some=some)["before"] == report["before"]
    assert report["after"][-1] < report["before"][-1]
    tuned = WorldModel.load(tmp_path / "tuned")
    assert tuned.predictor.config == MLP
    assert tuned.contract.training.data.endswith(", predictor of 6 episodes of 8 steps")
    assert tuned.predictor.action_std[0].item() == pytest.approx(some.actions[:-1, :, 0].std(), rel=1e-3)
    assert sha256(slots / "encoder.safetensors") == sha256(tmp_path / "tuned" / "encoder.safetensors")


def test_a_predictor_behind_an_encoder_for_any_view_learns_from_episodes_that_one_view_saw(tmp_path, monkeypatch):
    lone, learned = [], []
    monkeypatch.setattr(view_dropout, "LONE_VIEW_SHARE", 0.9)
    monkeypatch.setattr(fine_tuning, "train_predictor", lambda model, latents, *_, **__: learned.append(latents))
    encode = encoder_training.encode_episodes
    monkeypatch.setattr(
        encoder_training,
        "encode_episodes",
        lambda seeing, images, **more: lone.append(images.shape[2]) or encode(seeing, images, **more),
    )
    some = episodes(count=6, steps=8)
    tune(tmp_path, of_slots(tmp_path / "slots", any_view=True), replace(SHORT, views=()), some=some)
    seen_by_all = np.load(tmp_path / "run" / "latents.npy")[:5]
    changed = np.abs(learned[0] - seen_by_all).max((1, 2, 3)) > 1e-3
    assert set(lone) == {1} and changed.any()


def test_what_rests_on_the_encoder_alone_goes_along(tmp_path):
    some, slots = episodes(count=6, steps=8), of_slots(tmp_path / "slots")
    config = VerdictHeadConfig(latent_tokens=4, latent_channels=3, state_dim=8, width=16, depth=1)
    spec = VerdictSpec(head=config, training=TrainingSpec(data="none", command="none"))
    add_verdict_head(slots, slots, VerdictHead(config), spec)
    tune(tmp_path, slots, replace(SHORT, views=()), some=some)
    assert load_verdict_head(tmp_path / "tuned").config == config
    assert sha256(slots / "verdict.safetensors") == sha256(tmp_path / "tuned" / "verdict.safetensors")


def test_an_encoder_alone_gets_a_predictor(tmp_path, monkeypatch):
    monkeypatch.setattr(
        fine_tuning, "new_predictor_config",
        lambda *given: replace(new_predictor_config(*given), width=24, depth=1, heads=2, mlp_hidden=32),
    )  # fmt: skip
    found = find_vjepa2_encoder(CHECKPOINT, image_size=(64, 64))
    alone = tmp_path / "alone"
    contract = vjepa2_contract(found, ImportSettings(name="alone"), "import")
    import_bundle(found, contract, to_plain(vjepa2_planner()), alone, torch.float32)
    report = tune(tmp_path, alone, replace(SHORT, iterations=20))
    assert report["after"][0] < report["before"][0]
    model = WorldModel.load(tmp_path / "tuned")
    assert (model.contract.predictor.kind, model.contract.predictor.width) == ("transformer", 24)
    assert model.predictor.action_std[0].item() == pytest.approx(SOME.actions[:-1, :, 0].std(), rel=1e-3)


def test_the_report_in_words_says_when_training_did_not_help():
    report = {
        "error": "l1", "episodes": 9, "held_out_episodes": 1, "before": [0.5, 0.6], "after": [0.2, 0.3],
        "copied": [0.4, 0.7], "encoder_sha256": "abc", "time_step_s": {"init": 0.25, "data": 0.2},
        "action_max": {"init": [0.05, 0.0], "data": [0.02, 0.1]}, "notes": [],
        "settled": {"energy": 0.015, "alike": 9, "others": 8, "alike_within": 0.95, "false_alarms": 0.001},
        "planner": ["energy.scale: 2.0, now 1.5"],
    }  # fmt: skip
    said = in_words(report)
    assert "   2    0.6000    0.3000    0.7000" in said
    assert "time step: 0.25 s until now, 0.2 s from now on" in said
    assert "actions up to: [0.05, 0.0] until now, [0.02, 0.1] from now on" in said
    assert "settled at energy 0.015: 95.0 % of 9 pairs" in said
    assert "did not get better" not in said and "planner.yaml: energy.scale: 2.0, now 1.5" in said
    assert "did not get better" in in_words({**report, "after": [0.2, 0.6]})
    assert "time step" not in in_words({**report, "time_step_s": {"init": 0.2, "data": 0.2}})
