"""A decoder for looking only: it learns to draw what frozen latents hold, and no model learns from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from jepa_planner.core.strict_fields import to_plain
from jepa_planner.learning.data.episode_checks import check_episodes, heed
from jepa_planner.learning.data.episodes import Episodes, read_episodes
from jepa_planner.learning.data.reference_checks import check_frames
from jepa_planner.learning.training.fit import FitSettings, fit
from jepa_planner.learning.training.manifest import Run
from jepa_planner.learning.training.run_folder import check_same_run, content_hash, write_whole
from jepa_planner.learning.training.windows import WindowSampler, split
from jepa_planner.model.bundle import add_viewing_decoder, load_viewing_decoder
from jepa_planner.model.bundle_files import ENCODER_FILE
from jepa_planner.model.pixel_decoder import PixelDecoder
from jepa_planner.model.whole_bundle import whole_bundle
from jepa_planner.model.world_model import WorldModel

NAME = "viewing_decoder"
ITERATIONS, BATCH = 1500, 64
LEARNING_RATE = 2e-3


@dataclass(frozen=True)
class ViewingDecoderRun:
    """How long to train, from which seed, and on which episodes."""

    seed: int = 0
    """Seed of all random numbers."""
    iterations: int = ITERATIONS
    """Batches to learn from, at least 1."""
    episodes: int | None = None
    """Only the first so many are learned from, at least 1; None: all."""
    trust_data: bool = False
    """Whether what is surely wrong with episodes is only said."""
    command: str = ""
    """What was typed, as it is noted in the manifest."""


def draw_latents(
    data: Sequence[Path], init: Path, bundle: Path, run_folder: Path, settings: ViewingDecoderRun
) -> dict[str, Any]:
    """Writes the bundle `init`, with a decoder of its latents trained on the episodes of folders, to `bundle`, which
    may be `init`.

    Resumes from what `run_folder` holds. Returns the report: squared errors of normalised pixels of held-out episodes,
    as the decoder draws them and of always drawing the mean picture. Raises EpisodeError, ContractError, BundleError,
    RunFolderError or ValueError for what does not fit.
    """
    run = Run(NAME, to_plain(settings))
    model = WorldModel.load(init)
    episodes = read_episodes(data, settings.episodes)
    heed(check_episodes(episodes), settings.trust_data)
    check_frames(episodes, model.contract)
    parts = split(episodes)
    learned_from, held_out = episodes.part(parts.train), episodes.part(parts.held_out)
    fit_settings = FitSettings(settings.iterations, LEARNING_RATE, weight_decay=0.0)
    decoder = train_viewing_decoder(model, learned_from, run_folder, fit_settings, BATCH, settings.seed)
    with whole_bundle(bundle) as new:
        add_viewing_decoder(init, new, decoder)
        run.note(new, {"data": episodes}, init)
    written = load_viewing_decoder(bundle)
    assert written is not None, "it was written just now"
    report = {
        "episodes": len(learned_from),
        "held_out": len(held_out),
        **_errors(model, written, learned_from, held_out),
    }
    write_whole(run_folder / "report.json", report)
    return report


def train_viewing_decoder(
    model: WorldModel, episodes: Episodes, folder: Path, settings: FitSettings, batch: int = BATCH, seed: int = 0
) -> PixelDecoder:
    """The decoder that draws single frames of these episodes best, by squared error of their pixels, in eval mode.

    Resumes from what `folder` holds; raises RunFolderError where that is of another model or other episodes.
    """
    about: dict[str, object] = {
        "encoder": model.contract.files.get(ENCODER_FILE), "episodes": content_hash(episodes),
        "iterations": settings.iterations, "batch": batch, "seed": seed,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    check_same_run(folder / f"{NAME}.json", folder / f"{NAME}.ckpt", about)
    images = episodes.images[:, :, model.contract.pick_views(episodes.views)]
    latents = _encoded(model, images)
    sampler = WindowSampler(latents, episodes.states, episodes.actions, 1, batch, seed, lengths=episodes.lengths)
    torch.manual_seed(seed)
    decoder = PixelDecoder(model.contract.encoder)
    image = model.contract.image

    def losses_at(iteration: int) -> dict[str, Tensor]:
        seen = replace(sampler, frames=images).draw(iteration)[0]  # the same frames
        true = image.pixels(seen)
        return {"total": (decoder(sampler.draw(iteration)[0]) - true).square().mean()}

    fit(NAME, decoder, losses_at, settings, folder)
    return decoder.requires_grad_(False)


@torch.inference_mode()
def _errors(model: WorldModel, decoder: PixelDecoder, learned_from: Episodes, held_out: Episodes) -> dict[str, float]:
    """Mean squared errors of every tenth held-out frame; the mean picture is that of the first frames learned from."""
    image, views = model.contract.image, model.contract.pick_views(held_out.views)
    images = held_out.images[:, ::10, views]
    recorded = np.arange(0, held_out.images.shape[1], 10) <= held_out.lengths[:, None]
    true = image.pixels(torch.from_numpy(np.asarray(images)))[recorded]
    mean = image.pixels(torch.from_numpy(np.asarray(learned_from.images[:, 0, views]))).mean(dim=0)
    drawn = decoder(torch.from_numpy(_encoded(model, images))[recorded])
    return {
        "drawn": round(float((drawn - true).square().mean()), 4),
        "mean_picture": round(float((mean - true).square().mean()), 4),
    }


def _encoded(model: WorldModel, images: np.ndarray) -> np.ndarray:
    """Latents [E, T+1, N, D]."""
    return np.stack([model.encode(of_episode).cpu().numpy() for of_episode in images])
