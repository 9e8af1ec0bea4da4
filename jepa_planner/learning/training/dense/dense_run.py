"""The whole run: episodes in, the bundle of an encoder alone out, with what its latents are worth."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from jepa_planner.core.arm_layout import STATE_CHANNELS
from jepa_planner.core.strict_fields import to_plain
from jepa_planner.learning.data.episode_checks import check_episodes, check_length, heed
from jepa_planner.learning.data.episodes import Episodes, read_episodes, seeds_in_words
from jepa_planner.learning.training.action_bounds import action_max
from jepa_planner.learning.training.collapse import CollapseReport
from jepa_planner.learning.training.dense.clips import ClipSampler, ClipSettings
from jepa_planner.learning.training.dense.linear_probe import ProbedMoments, linear_readouts, token_collapse
from jepa_planner.learning.training.dense.masked_video import MaskedVideo, MaskedVideoSettings
from jepa_planner.learning.training.fit import FitSettings, fit
from jepa_planner.learning.training.manifest import Run
from jepa_planner.learning.training.mixed_precision import mixed_precision
from jepa_planner.learning.training.run_folder import check_same_run, content_hash, write_whole
from jepa_planner.learning.training.training_run import Collapsed
from jepa_planner.learning.training.windows import split
from jepa_planner.model.bundle import write_bundle
from jepa_planner.model.bundle_files import ENCODER_FILE
from jepa_planner.model.contract import Contract
from jepa_planner.model.contract_sections import ActionSpec, ImageSpec, LatentSpec, StateSpec, TrainingSpec
from jepa_planner.model.encoder import EncoderConfig, VideoEncoder
from jepa_planner.model.preprocess import preprocess
from jepa_planner.model.whole_bundle import whole_bundle

VIEW = "camera"
"""The encoder has one view, which stands for any camera."""
NOTES = (
    "an encoder of single pictures of any camera, which finds things that are pointed at; it has no predictor, and is "
    "not planned with.",
)


@dataclass(frozen=True)
class DenseRun:
    """What to train, from which seed and for how long."""

    name: str
    """The model's name."""
    seed: int = 0
    """Seed of all random numbers."""
    iterations: int = 2200
    """Batches to learn from."""
    learning_rate: float = 1e-3
    """Where the warm-up ends."""
    width: int = 128
    """Numbers in each token."""
    depth: int = 4
    """Blocks of the encoder."""
    patch_px: int = 8
    """Side of a patch."""
    clips: ClipSettings = field(default_factory=ClipSettings)
    """Which clips a batch is made of."""
    objective: MaskedVideoSettings = field(default_factory=MaskedVideoSettings)
    """What is predicted by what."""
    device: str = "cpu"
    """Where it is trained."""
    episodes: int | None = None
    """Use only the first so many of each folder; None: all."""
    trust_data: bool = False
    """Only warn of what is surely wrong with episodes."""
    command: str = ""
    """The command line, for the bundle's contract."""


def run_dense(data: Path | Sequence[Path], bundle: Path, run_folder: Path, settings: DenseRun) -> dict[str, Any]:
    """Train a dense encoder, measure it and write the bundle; resumes from what `run_folder` holds. Returns the report.

    Raises EpisodeError for unusable data, and Collapsed, with no bundle written, where all pictures look alike to it.
    """
    episodes = read_episodes(data, settings.episodes)
    check_length(episodes.images.shape[1], settings.clips.frames)
    heed(check_episodes(episodes), settings.trust_data)
    started = Run("vjepa", to_plain(settings))
    about = to_plain(settings) | {"data": content_hash(episodes)}
    check_same_run(run_folder / "vjepa.json", run_folder / "vjepa.ckpt", without(about, "command", "name", "device"))
    encoder = train_dense(episodes, split(episodes).train, settings, run_folder)
    report = measured(encoder, episodes, settings.seed)
    write_whole(run_folder / "report.json", report)
    collapse = CollapseReport(**report["collapse"])
    print(collapse)
    if collapse.collapsed:
        raise Collapsed(f"{collapse}; see {run_folder / 'report.json'}")
    weights = {ENCODER_FILE: {name: (value,) for name, value in encoder.state_dict().items()}}
    with whole_bundle(bundle) as new:
        write_bundle(new, dense_contract(encoder, episodes, settings), weights, torch.float16)
        started.note(new, {"data": episodes})
    return report


@torch.random.fork_rng(devices=[])
def train_dense(episodes: Episodes, numbers: np.ndarray, settings: DenseRun, folder: Path) -> VideoEncoder:
    """An encoder trained on the episodes with these numbers, frozen, on the CPU; `folder` receives log and
    checkpoints.
    """
    torch.manual_seed(settings.seed)
    objective = MaskedVideo(VideoEncoder(encoder_config(episodes, settings)), settings.objective).to(settings.device)
    size = objective.encoder.config.image_size
    sampler = ClipSampler(episodes, numbers, settings.clips, settings.seed)

    def losses_at(iteration: int) -> dict[str, Tensor]:
        clips = preprocess(sampler.draw(iteration).to(settings.device), size)
        generator = Generator().manual_seed(settings.seed * 1_000_003 + iteration)
        with mixed_precision(clips.device):
            return objective(clips, generator)

    fit("vjepa", objective, losses_at, FitSettings(settings.iterations, settings.learning_rate), folder)
    return objective.kept.cpu().eval().requires_grad_(False)


def encoder_config(episodes: Episodes, settings: DenseRun) -> EncoderConfig:
    """Sizes for pictures of the episodes' own size; raises ValueError where patches do not fit in."""
    height, width = episodes.images.shape[3:5]
    return EncoderConfig(
        image_size=(height, width), width=settings.width, depth=settings.depth, heads=settings.width // 64,
        mlp_hidden=4 * settings.width, patch_size=settings.patch_px, tubelet_size=1,
    )  # fmt: skip


def measured(encoder: VideoEncoder, episodes: Episodes, seed: int) -> dict[str, Any]:
    """Whether its latents collapsed, and what a linear read-out finds in them, on held-out episodes."""
    parts = split(episodes)
    moments = ProbedMoments.of(encoder, episodes, parts, seed)
    collapse = token_collapse(encoder, episodes, parts.held_out, np.random.default_rng(seed))
    return {
        "episodes": len(episodes),
        "collapse": dataclasses.asdict(collapse),
        "readouts": linear_readouts(moments),
    }


def dense_contract(encoder: VideoEncoder, episodes: Episodes, settings: DenseRun) -> Contract:
    """The contract of a bundle that is an encoder alone."""
    config = encoder.config
    height, width = config.image_size
    seen = f"{len(episodes)} episodes of {episodes.actions.shape[1]} steps, seeds {seeds_in_words(episodes.seeds)}"
    return Contract(
        name=settings.name, version="1", licence="Apache-2.0",
        image=ImageSpec(height=height, width=width, views=(VIEW,)),
        latent=LatentSpec(tokens=config.latent_tokens, channels=config.latent_channels, grid=config.latent_grid),
        state=StateSpec(channels=STATE_CHANNELS, frame=episodes.frame, tcp_frame=episodes.tcp_frame),
        action=ActionSpec(max_abs=action_max(episodes.actions), time_step_s=episodes.time_step_s),
        training=TrainingSpec(
            data=seen, command=settings.command, seeds=(settings.seed,), steps={"encoder": settings.iterations}
        ),
        encoder=config, predictor=None, notes=NOTES,
    )  # fmt: skip


def without(plain: dict[str, Any], *names: str) -> dict[str, Any]:
    """Settings that do not change what is learned are no reason to begin anew."""
    return {name: value for name, value in plain.items() if name not in names}
