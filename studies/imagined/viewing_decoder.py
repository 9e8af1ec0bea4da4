"""A decoder for looking only: it learns to draw what frozen latents hold, and no model learns from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from jepa_planner.learning.training.fit import FitSettings, fit
from jepa_planner.learning.training.run_folder import check_same_run, content_hash
from jepa_planner.learning.training.windows import WindowSampler
from jepa_planner.model.pixel_decoder import PixelDecoder

if TYPE_CHECKING:
    from jepa_planner.learning.data.episodes import Episodes
    from jepa_planner.model.world_model import WorldModel

NAME = "viewing_decoder"


def train_viewing_decoder(
    model: WorldModel, episodes: Episodes, folder: Path, settings: FitSettings, batch: int = 64, seed: int = 0
) -> PixelDecoder:
    """The decoder that draws single frames of these episodes best, by squared error of their pixels, in eval mode.

    Resumes from what `folder` holds; raises RunFolderError where that is of another model or other episodes.
    """
    about = {
        "model": model.contract.files, "episodes": content_hash(episodes), "iterations": settings.iterations,
        "batch": batch, "seed": seed,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    check_same_run(folder / f"{NAME}.json", folder / f"{NAME}.ckpt", about)
    images = episodes.images[:, :, model.contract.pick_views(episodes.views)]
    latents = np.stack([model.encode(of_episode).cpu().numpy() for of_episode in images])
    sampler = WindowSampler(latents, episodes.states, episodes.actions, 1, batch, seed)
    torch.manual_seed(seed)
    decoder = PixelDecoder(model.contract.encoder)
    image = model.contract.image

    def losses_at(iteration: int) -> dict[str, Tensor]:
        seen = replace(sampler, frames=images).draw(iteration)[0]  # the same frames
        true = image.pixels(seen)
        return {"total": (decoder(sampler.draw(iteration)[0]) - true).square().mean()}

    fit(NAME, decoder, losses_at, settings, folder)
    return decoder.requires_grad_(False)
