"""First stage: the encoder, trained jointly with a predictor that is then thrown away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.images_on_disk import Images, frames_at
from jepa_planner.learning.training.augmentation import augment
from jepa_planner.learning.training.fit import FitSettings, fit
from jepa_planner.learning.training.layout_batches import LayoutBatches
from jepa_planner.learning.training.mixed_precision import mixed_precision
from jepa_planner.learning.training.objectives.joint import SHIPPED, JointObjective
from jepa_planner.learning.training.objectives.prediction import NextPicture
from jepa_planner.learning.training.view_dropout import draw_lone_views
from jepa_planner.learning.training.windows import Split, WindowSampler, state_scaling
from jepa_planner.model.encoder import EncoderConfig, VideoEncoder
from jepa_planner.model.picture_warp import Warp
from jepa_planner.model.pixel_decoder import PixelDecoder
from jepa_planner.model.predictors import AnyPredictorConfig, make_predictor
from jepa_planner.model.preprocess import preprocess


@dataclass(frozen=True)
class EncoderTraining:
    """Settings of the first stage."""

    fit: FitSettings
    """How weights are fitted."""
    batch: int = 48
    """Windows per iteration, a multiple of per_scene."""
    window: int = 4
    """Frames per window."""
    objective: str = SHIPPED
    """Names of terms, see `JointObjective`."""
    per_scene: int = 1
    """Windows of a batch that are of the same scene, at least 1."""
    layout_scenes: int = 6
    """Scenes of layouts that are seen along, where layouts are given."""
    of_variants: bool = False
    """Whether the windows of a scene are variants of the same motion."""
    augmented: bool = False
    """Whether each scene's pictures, or each variant's, are changed alike, see `augment`."""
    device: str = "cpu"
    """Where the encoder is trained, such as cuda."""


@torch.random.fork_rng(devices=[])
def train_encoder(
    episodes: Episodes, split: Split, config: EncoderConfig, predictor: AnyPredictorConfig, settings: EncoderTraining,
    action_std: Tensor, folder: Path, seed: int, begin: tuple[dict[str, Tensor], dict[str, Tensor]] | None = None,
    layouts: Episodes | None = None,
) -> tuple[VideoEncoder, PixelDecoder | None]:  # fmt: skip
    """Train an encoder on the training episodes, from random weights or from those of `begin`, an encoder's and a
    predictor's; `folder` receives log and checkpoints. layouts: episodes in which only things move, in variants.

    Returns it in eval mode on its device, with the decoder that it was trained with if the objective predicts pixels.
    """
    torch.manual_seed(seed)
    objective = JointObjective(VideoEncoder(config), make_predictor(predictor), settings.objective)
    if begin is not None:
        for module, weights in zip((objective.encoder, objective.predictor), begin, strict=True):
            module.load_state_dict(weights)
    objective.predictor.set_scaling(*state_scaling(episodes.states[split.train]), action_std)
    objective.to(settings.device)
    last = int(split.train[-1]) + 1  # the held-out episodes come last: a view, not a copy
    sampler = WindowSampler(
        episodes.images[:last], episodes.states[:last], episodes.actions[:last], settings.window, settings.batch, seed,
        settings.per_scene, (episodes.motions if settings.of_variants else episodes.scenes)[:last],
        settings.of_variants, episodes.lengths[:last],
    )  # fmt: skip

    stills = None if layouts is None else LayoutBatches(layouts, settings.layout_scenes, seed)

    def losses_at(iteration: int) -> dict[str, Tensor]:
        images, states, actions = (part.to(settings.device) for part in sampler.draw(iteration))
        generator = torch.Generator().manual_seed(seed * 1_000_003 + iteration)
        pixels = preprocess(images, config.image_size)
        if settings.augmented:
            pixels = augment(pixels, 1 if settings.of_variants else settings.per_scene, generator)
        shown = None
        if stills is not None:
            shown = preprocess(stills.draw(iteration).to(settings.device), config.image_size)
        with mixed_precision(pixels.device):
            return objective(pixels, states, actions, generator, settings.per_scene, shown)

    fit("encoder", objective, losses_at, settings.fit, folder)
    objective.eval().requires_grad_(False)
    prediction = objective.prediction
    return objective.encoder, prediction.decoder if isinstance(prediction, NextPicture) else None


def encode_some_alone(
    encoder: VideoEncoder, images: Images, latents: np.ndarray, rng: np.random.Generator,
    views: Sequence[int] | None = None, warps: Sequence[Warp] = (),
) -> np.ndarray:  # fmt: skip
    """The latents [E, T+1, N, D] of episodes, some of them as a single view shows them where the encoder can do with
    any. views: where those of the encoder stand in the images; None: they are all there is. warps: see `ImageSpec`.
    """
    if not encoder.config.any_view:
        return latents
    lone, latents = draw_lone_views(len(images), encoder.config.views, rng), latents.copy()
    for view in range(encoder.config.views):
        chosen = np.flatnonzero(lone == view)
        if len(chosen):
            shown = view if views is None else views[view]
            alone, its = encoder.of_views([view]), warps[view : view + 1]
            latents[chosen] = encode_episodes(alone, images[chosen][:, :, [shown]], warps=its)
    return latents


@torch.inference_mode()
def encode_episodes(encoder: VideoEncoder, images: Images, batch: int = 256, warps: Sequence[Warp] = ()) -> np.ndarray:
    """Latents float32 [E, T+1, N, D] of images uint8 [E, T+1, V, H, W, 3]; warps: see `ImageSpec`."""
    frames = np.arange(images.shape[0] * images.shape[1])
    device, parts = next(encoder.parameters()).device, []
    for start in tqdm(range(0, len(frames), batch), desc="encode", unit_scale=batch, unit="frame"):
        shown = torch.from_numpy(frames_at(images, frames[start : start + batch]))
        pixels = preprocess(shown.to(device), encoder.config.image_size, warps=warps)
        with mixed_precision(device):  # rounds latents by a thousandth of what a step changes
            parts.append(encoder(pixels).cpu().numpy())
    return np.concatenate(parts).reshape(*images.shape[:2], *parts[0].shape[1:])
