"""A predictor that goes on learning from episodes of another arm or camera, behind an encoder that stays as it is."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from jepa_planner.core.strict_fields import to_plain
from jepa_planner.learning.data.episode_checks import check_episodes, check_length, heed
from jepa_planner.learning.data.episodes import Episodes, read_episodes
from jepa_planner.learning.data.reference_checks import check_in_distribution, frames_of
from jepa_planner.learning.training.action_bounds import action_max, planned_within
from jepa_planner.learning.training.add_latent_statistics import latent_statistics_noted
from jepa_planner.learning.training.encoder_training import encode_some_alone
from jepa_planner.learning.training.fit import FitSettings
from jepa_planner.learning.training.latent_cache import cached_latents
from jepa_planner.learning.training.manifest import Run
from jepa_planner.learning.training.predictor_sizes import PredictorKind, new_predictor_config
from jepa_planner.learning.training.predictor_training import (
    DIFFERENCES,
    Difference,
    PredictorTraining,
    rollout_errors,
    train_predictor,
)
from jepa_planner.learning.training.run_folder import check_same_run, content_hash, write_whole
from jepa_planner.learning.training.settled_band import SettledBand, settled_band
from jepa_planner.learning.training.shortcomings import notes_on_predictions, without_shortcomings
from jepa_planner.learning.training.windows import split, state_scaling
from jepa_planner.model.bundle import (
    copy_planner,
    load_bundle,
    load_contract,
    load_encoder,
    load_latent_statistics,
    write_bundle,
)
from jepa_planner.model.bundle_files import (
    ENCODER_FILE,
    PREDICTOR_FILE,
    SUB_GOALS_FILE,
    VERDICT_FILE,
    VIEWING_DECODER_FILE,
    inside,
)
from jepa_planner.model.contract import Contract
from jepa_planner.model.contract_sections import TrainingSpec
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.predictor_kind import Predictor
from jepa_planner.model.predictors import make_predictor
from jepa_planner.model.weights_file import read_weights, stored_dtype
from jepa_planner.model.whole_bundle import whole_bundle
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings

ROLLOUT: dict[Difference, int] = {"l1": 2, "mse": 4}
TEACHER_FRAMES: dict[Difference, int] = {"l1": 8, "mse": 0}
"""V-JEPA 2-AC learns from longer windows than it rolls out; the small model's are one and the same."""


@dataclass(frozen=True)
class FineTuning:
    """How to go on."""

    seed: int = 0
    """Seed of all random numbers."""
    iterations: int = 1500
    """Batches to learn from, at least 1."""
    learning_rate: float = 1e-4
    """Where the warm-up ends, more than 0."""
    batch: int = 32
    """Windows per iteration."""
    episodes: int | None = None
    """Only the first so many are learned from, at least 1; None: all."""
    views: tuple[str, ...] = ()
    """The data's cameras in the order of the model's; empty: those with the model's own names."""
    name: str = ""
    """The new model's name; empty: that of the first one with -tuned."""
    command: str = ""
    """What was typed, as it is noted in the bundle."""
    device: str = "cpu"
    """Where the predictor is trained, such as cuda."""
    frame: str = ""
    """What poses are given in, where episodes do not say it or it is not the model's."""
    tcp_frame: str = ""
    """What poses are of, where episodes do not say it or it is not the model's."""
    trust_data: bool = False
    """Whether what is surely wrong with episodes is only said."""
    predictor: PredictorKind | None = None
    """The kind; where the model has none of it, it gets a new one. None: its own, or for a model without one the usual
    kind.
    """


RESTING_ON_ENCODER = (ENCODER_FILE, SUB_GOALS_FILE, VERDICT_FILE, VIEWING_DECODER_FILE)
UNNOTED = ("name", "command", "device", "frame", "tcp_frame", "trust_data")
"""Settings that change no weight."""


class FineTuningError(ValueError):
    """Data and model do not go together; the message says what to change."""


@torch.random.fork_rng(devices=[])
def fine_tune(
    data: Path | Sequence[Path], init: Path, bundle: Path, run_folder: Path, settings: FineTuning
) -> dict[str, Any]:
    """Trains the predictor of `init` on episodes and writes a bundle with the very same encoder file.

    A bundle without a predictor, or without one of the kind asked for, gets a new one. Resumes from what `run_folder`
    holds. Returns the report: errors per imagined step on held-out episodes before (untrained, where there was none)
    and after, measured on the bundles as they are on disk.
    Raises EpisodeError, ContractError, BundleError, FineTuningError or RunFolderError for what does not fit.
    """
    run = Run("fine-tune", to_plain(settings) | {"init": init})
    if bundle.resolve() == init.resolve():
        raise FineTuningError(f"{bundle} is the model to begin with: name another folder for the new one")
    planner_settings = PlannerSettings.load(init, load_contract(init))
    if planner_settings.energy.in_pixels:
        raise FineTuningError(f"{init} predicts pixels; such models are trained from nothing, --objective pixels")
    episodes = read_episodes(data, settings.episodes)
    views = choose_views(load_contract(init).image.views, episodes.views, settings.views)
    states = episodes.states[..., load_contract(init).state.columns]
    parts = split(episodes)
    seen = int(parts.train[-1]) + 1  # the held-out episodes come last: views, not copies
    encoder, old, contract = _load(init, states[:seen], episodes.actions[:seen], settings)
    contract.check_images((1, len(views), *episodes.images.shape[3:]))
    model = WorldModel(contract, encoder, old, settings.device)
    out_of_distribution = check_in_distribution(model, load_latent_statistics(init), episodes.images[:, :, views])
    heed([*check_episodes(episodes), *out_of_distribution], settings.trust_data)
    frame, tcp_frame = frames_of(episodes, (settings.frame, settings.tcp_frame), contract)
    episodes = replace(episodes, frame=frame, tcp_frame=tcp_frame)
    training = training_settings(contract, planner_settings.energy.difference, settings, episodes.images.shape[1])
    check_length(episodes.images.shape[1], training.window)
    content = content_hash(episodes)
    about = {name: value for name, value in asdict(settings).items() if name not in UNNOTED}
    check_same_run(
        run_folder / "fine_tuning.json", run_folder / "predictor.ckpt",
        {**about, "init": contract.files, "data": content},
    )  # fmt: skip
    key = f"{contract.files[ENCODER_FILE]} {contract.image} {views} {content}"
    latents = cached_latents(lambda x: model.encode(x).cpu().numpy(), episodes.images, views, key, run_folder)

    held_out = latents[seen:], states[seen:], episodes.actions[seen:]
    before, copied = _errors(old, held_out, training)
    predictor = _to_train(old, contract, states[:seen], episodes.actions[:seen], settings)
    learned = encode_some_alone(
        encoder, episodes.images[:seen], latents[:seen], np.random.default_rng(settings.seed), views,
        contract.image.warps,
    )  # fmt: skip
    train_predictor(
        predictor, learned, states[:seen], episodes.actions[:seen], training, run_folder, settings.seed,
        lengths=episodes.lengths[:seen],
    )  # fmt: skip
    contract = replace(contract, predictor=predictor.config)
    tuned = describe(contract, episodes, settings, anew=predictor is not old)
    band = settled_band(latents, episodes, parts.held_out, planner_settings.energy.kind)
    with whole_bundle(bundle) as new:
        copy_planner(init, new)
        changed = planned_with(band.noted_in(planner_settings), contract, tuned, latents).save(new)
        tuned = _write(new, init, predictor, tuned)
        predictor.load_state_dict(read_weights(new / PREDICTOR_FILE, torch.float32))
        after, _ = _errors(predictor, held_out, training)
        notes = notes_on_predictions(after, copied)
        if notes:
            write_bundle(new, replace(tuned, notes=(*tuned.notes, *notes)), {}, torch.float32)
        latent_statistics = latent_statistics_noted(new, episodes, run_folder, content, views, settings.device)
        run.note(new, {"data": episodes}, init)
    report = {
        "episodes": len(episodes), "held_out_episodes": len(parts.held_out), "error": training.difference,
        "copied": copied, "before": before, "after": after, "encoder_sha256": tuned.files[ENCODER_FILE],
        "time_step_s": {"init": contract.action.time_step_s, "data": episodes.time_step_s},
        "action_max": {"init": list(contract.action.max_abs), "data": list(tuned.action.max_abs)},
        "notes": list(notes), "settled": asdict(band), "out_of_distribution": latent_statistics, "planner": changed,
    }  # fmt: skip
    write_whole(run_folder / "report.json", report)
    return report


def in_words(report: dict[str, Any]) -> str:
    """A few lines for a terminal."""
    lines = [
        f"{report['error']} error of imagined latents on {report['held_out_episodes']} held-out episodes of "
        f"{report['episodes']}",
        "step    before     after   copying the last picture",
    ]
    rows = zip(report["before"], report["after"], report["copied"], strict=True)
    lines += [f"{n:4d}  {b:8.4f}  {a:8.4f}  {c:8.4f}" for n, (b, a, c) in enumerate(rows, 1)]
    steps = report["time_step_s"]
    if steps["init"] != steps["data"]:
        lines.append("time step: {init} s until now, {data} s from now on, as in the data".format(**steps))
    bounds = report["action_max"]
    if bounds["init"] != bounds["data"]:
        lines.append("actions up to: {init} until now, {data} from now on, as in the data".format(**bounds))
    if report["after"][-1] >= report["before"][-1]:
        lines.append(
            "the predictor did not get better on held-out episodes: keep the first bundle, or try more episodes or a "
            "lower --learning-rate"
        )
    lines.append(SettledBand(**report["settled"]).in_words())
    lines += [f"planner.yaml: {line}" for line in report["planner"]]
    return "\n".join([*lines, f"encoder unchanged: sha256 {report['encoder_sha256']}"])


def choose_views(model_views: tuple[str, ...], offered: tuple[str, ...], chosen: tuple[str, ...]) -> list[int]:
    """Which of the data's views stand for the model's, in the model's order; raises FineTuningError."""
    names = chosen or model_views
    if len(names) != len(model_views):
        raise FineTuningError(
            f"{len(names)} views chosen; the model needs {len(model_views)}, for {', '.join(model_views)}"
        )
    if unknown := [name for name in names if name not in offered]:
        raise FineTuningError(
            f"the episodes have no view {', '.join(unknown)} but {', '.join(offered)}: say with --view which of them "
            f"the model takes for {', '.join(model_views)}"
        )
    return [offered.index(name) for name in names]


def training_settings(
    contract: Contract, difference: Difference, settings: FineTuning, frames: int
) -> PredictorTraining:
    """difference: what to minimise, that of the energy that the model is planned with; windows fit into episodes of
    `frames`.
    """
    return PredictorTraining(
        fit=FitSettings(settings.iterations, settings.learning_rate), batch=settings.batch,
        context=contract.context_frames, rollout=ROLLOUT[difference],
        teacher_frames=int(min(TEACHER_FRAMES[difference], frames, contract.predictor_sizes.max_steps)),
        difference=difference,
    )  # fmt: skip


def describe(contract: Contract, episodes: Episodes, settings: FineTuning, anew: bool = False) -> Contract:
    """The contract after training: where the weights come from now, the data's time step, frames and bounds of actions.

    anew: the predictor learned from these episodes alone.
    """
    count, steps = episodes.actions.shape[:2]
    name = settings.name or f"{contract.name}-tuned"
    origin = f"{contract.name} ({contract.training.data})"
    learned = f"{count} episodes of {steps} steps"
    data = f"encoder of {origin}, predictor of {learned}" if anew else f"predictor of {origin}, then {learned}"
    return replace(
        contract,
        name=name,
        state=replace(contract.state, frame=episodes.frame, tcp_frame=episodes.tcp_frame),
        action=replace(contract.action, max_abs=action_max(episodes.actions), time_step_s=episodes.time_step_s),
        out_of_distribution=None,
        notes=without_shortcomings(contract.notes),
        training=TrainingSpec(
            data=data,
            command=settings.command, seeds=(settings.seed,), steps={"predictor": settings.iterations},
            source_files=contract.training.source_files,
        ),
    )  # fmt: skip


def planned_with(
    planner_settings: PlannerSettings, before: Contract, tuned: Contract, latents: np.ndarray
) -> PlannerSettings:
    """How to plan with the tuned model: what depends on the bounds of actions follows them, the energy's scale the
    latents [E, T+1, N, D] of the new episodes.
    """
    one, other = np.random.default_rng(0).integers(0, latents.shape[:2], size=(2, 512, 2))
    unrelated = torch.from_numpy(latents[tuple(one.T)] - latents[tuple(other.T)])
    scale = DIFFERENCES[planner_settings.energy.difference](unrelated).mean().item()
    planner_settings = replace(planner_settings, energy=replace(planner_settings.energy, scale=round(scale, 3)))
    return planned_within(planner_settings, before.action.max_abs, tuned.action.max_abs)


def _load(
    init: Path, states: np.ndarray, actions: np.ndarray, settings: FineTuning
) -> tuple[VideoEncoder, Predictor, Contract]:
    """Encoder, predictor and contract of a bundle; one that has no predictor gets one for these states and actions."""
    if load_contract(init).predictor is not None:
        return load_bundle(init)
    encoder, contract = load_encoder(init)
    predictor = _new_predictor(contract, states, actions, settings)
    return encoder, predictor.eval(), replace(contract, predictor=predictor.config)


def _to_train(
    old: Predictor, contract: Contract, states: np.ndarray, actions: np.ndarray, settings: FineTuning
) -> Predictor:
    """The predictor that is there, or a new one, where another kind was asked for."""
    if settings.predictor in (None, old.config.kind):
        return old.requires_grad_(True)
    return _new_predictor(contract, states, actions, settings).to(old.device)


def _new_predictor(contract: Contract, states: np.ndarray, actions: np.ndarray, settings: FineTuning) -> Predictor:
    sizes = len(contract.state.channels), len(contract.action.channels)
    torch.manual_seed(settings.seed)
    predictor = make_predictor(new_predictor_config(contract.encoder, *sizes, settings.predictor))
    predictor.set_scaling(*state_scaling(states), state_scaling(actions)[1])
    return predictor


def _errors(
    predictor: Predictor, held_out: tuple[np.ndarray, np.ndarray, np.ndarray], training: PredictorTraining
) -> tuple[list[float], list[float]]:
    """Mean error of each imagined step, and of copying the last picture seen."""
    of_steps = rollout_errors(predictor, *held_out, training.context, training.rollout, training.difference)
    imagined, copied = (errors.mean((0, 1), dtype=np.float64).round(5).tolist() for errors in of_steps)
    return imagined, copied


def _write(bundle: Path, init: Path, predictor: Predictor, contract: Contract) -> Contract:
    """Copies what rests on the encoder alone byte by byte; the predictor keeps the bundle's type of numbers."""
    bundle.mkdir(parents=True, exist_ok=True)
    kept = {name: sha for name, sha in contract.files.items() if name in RESTING_ON_ENCODER}
    for name in kept:
        shutil.copyfile(inside(init, name), bundle / name)
    contract = replace(contract, files=kept)
    dtype = stored_dtype(init / (PREDICTOR_FILE if (init / PREDICTOR_FILE).exists() else ENCODER_FILE))
    weights = {name: (tensor,) for name, tensor in predictor.state_dict().items()}
    return write_bundle(bundle, contract, {PREDICTOR_FILE: weights}, dtype)
