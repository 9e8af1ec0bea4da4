"""Third stage, seeing: the head that imagines sub-goals, trained together with the encoder of its scene tokens.

As in `sub_goal_training`, with pictures: latents say what the arm does, scene tokens what lies where. The encoder of
latents is not touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from jepa_planner.training.augmentation import augment
from jepa_planner.training.demonstrations import Demonstrations
from jepa_planner.training.fit import fit
from jepa_planner.training.mixed_precision import mixed_precision
from jepa_planner.training.sub_goal_training import (
    HELD_OUT_DRAWS,
    Moments,
    MomentSampler,
    SubGoalTraining,
    errors_in_words,
    sub_goal_losses,
)
from jepa_planner.training.view_dropout import LONE_VIEW_SHARE
from jepa_planner.world_model.preprocess import preprocess
from jepa_planner.world_model.scene_encoder import SceneEncoder
from jepa_planner.world_model.sub_goal_head import SubGoalHead

AUGMENTED_SHARE = 0.5
FORESIGHT_BATCH = 250


class SeeingHead(nn.Module):
    """A head and the encoder of its scene tokens, which are learned together."""

    def __init__(self, scene: SceneEncoder, head: SubGoalHead) -> None:
        super().__init__()
        self.scene, self.head = scene, head

    def of_views(self, views: list[int]) -> SeeingHead:
        """The same, weights shared, where only some of the views are there."""
        seeing = SeeingHead(self.scene.of_views(views), self.head.of_views(views))
        return seeing.train(self.training)

    def with_tokens(self, moments: Moments, pixels: Tensor) -> Moments:
        """Scene tokens put behind the latents; pixels [B, 2, v, 3, H, W] of the present and of the goal."""
        count, channels = len(pixels), moments.latents.shape[-1]
        tokens = self.scene(pixels.flatten(0, 1)).reshape(count, 2, -1, channels)
        return moments._replace(
            latents=torch.cat([moments.latents, tokens[:, 0]], dim=1),
            goals=torch.cat([moments.goals, tokens[:, 1]], dim=1),
        )


@dataclass(frozen=True)
class SeenMoments:
    """Moments with their pictures, of images uint8 [E, T+1, V, H, W, 3]; views: where the model's stand in V."""

    sampler: MomentSampler
    images: np.ndarray
    views: list[int]
    size: tuple[int, int]

    def draw(self, iteration: int) -> tuple[Moments, Tensor]:
        """Moments, and pixels [B, 2, V, 3, H, W] of the present and of the goal."""
        numbers = self.sampler.numbers(iteration)
        frames = np.stack([numbers.now, numbers.goal], axis=1)
        pictures = self.images[numbers.episode[:, None], frames][:, :, self.views]
        return self.sampler.at(numbers), preprocess(torch.from_numpy(pictures), self.size)


def seen_moments(data: Demonstrations, numbers: np.ndarray, settings: SubGoalTraining, seed: int) -> SeenMoments:
    """Those of consecutive demonstrations, whose pictures were kept."""
    sampler = MomentSampler(*data.part(numbers), settings.span, settings.batch, seed, settings.moment_share)
    first, last = int(numbers[0]), int(numbers[-1]) + 1
    return SeenMoments(sampler, data.images[first:last], list(data.views), data.image_size)


def train_seeing_head(
    seeing: SeeingHead, seen: SeenMoments, settings: SubGoalTraining, folder: Path, seed: int
) -> None:
    """Train in place; `folder` receives log and checkpoints. Some batches are seen by one view alone."""
    views = len(seen.views)

    def losses_at(iteration: int) -> dict[str, Tensor]:
        moments, pixels = seen.draw(iteration)
        generator = torch.Generator().manual_seed(seed * 1_000_003 + iteration)
        if torch.rand((), generator=generator) < AUGMENTED_SHARE:
            pixels = augment(pixels, 1, generator)
        by = seeing
        if torch.rand((), generator=generator) < LONE_VIEW_SHARE:
            view = int(torch.randint(views, (), generator=generator))
            by, pixels = seeing.of_views([view]), pixels[:, :, [view]]
        noisy = [
            x + settings.latent_noise * torch.randn(x.shape, generator=generator)
            for x in (moments.latents, moments.goals)
        ]
        moments = moments._replace(latents=noisy[0], goals=noisy[1])
        with torch.random.fork_rng(devices=[]), mixed_precision(pixels.device):  # dropout follows from the iteration
            torch.manual_seed(seed * 1_000_003 + iteration)
            return sub_goal_losses(by.head, by.with_tokens(moments, pixels), settings)

    fit("sub_goals", seeing, losses_at, settings.fit, folder)
    seeing.requires_grad_(False)


@torch.inference_mode()
def foresight_seeing(seeing: SeeingHead, seen: SeenMoments) -> dict[str, float]:
    """As `sub_goal_training.foresight`, of a head that sees."""
    seeing.eval()
    parts = []
    for number in range(HELD_OUT_DRAWS // FORESIGHT_BATCH):
        moments, pixels = seen.draw(number)
        full = seeing.with_tokens(moments, pixels)
        parts.append((moments, seeing.head(full.latents, full.states, full.goals)))
    return errors_in_words(parts)
