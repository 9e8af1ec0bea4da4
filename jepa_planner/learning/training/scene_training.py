"""Third stage, seeing: a head for sub-goals that looks at the pictures of the present and of the goal themselves.

As in `sub_goal_training`, and most moments are drawn from before an act of the hand, their goals from after it: there
the pictures differ by what the act did, and where it begins and ends (`hand_acts`) is a further answer to be learned.
That is what teaches the head quickly where things are; the next moment alone teaches it slowly.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from jepa_planner.learning.data.hand_acts import hand_acts
from jepa_planner.learning.data.images_on_disk import Images
from jepa_planner.learning.training.augmentation import augment
from jepa_planner.learning.training.demonstrations import Demonstrations
from jepa_planner.learning.training.fit import fit
from jepa_planner.learning.training.mixed_precision import mixed_precision
from jepa_planner.learning.training.sub_goal_training import (
    HELD_OUT_DRAWS,
    Drawn,
    Moments,
    MomentSampler,
    SubGoalTraining,
    foresight_errors,
    hypothesis_losses,
)
from jepa_planner.learning.training.view_dropout import LONE_VIEW_SHARE
from jepa_planner.model.preprocess import preprocess
from jepa_planner.model.sub_goal_head import ACTS, POSE, SubGoalHead

AUGMENTED_SHARE = 0.3
ACT_SHARE = 0.75
"""Of moments drawn from before an act and goals from after it."""
BEGUN_SHARE = 0.3
"""Of those, the share in which the act has begun already."""
ACT_WEIGHT = 2.0
FORESIGHT_BATCH = 250


class SeenMoments(NamedTuple):
    """A batch: moments, pixels [B, 2, V, 3, H, W] of the present and of the goal, where the hand begins and ends to act
    in between [B, acts, 2, pose], and which of those numbers are known [B, acts, 2].
    """

    moments: Moments
    pixels: Tensor
    poses: Tensor
    known: Tensor


@dataclass(frozen=True)
class SeenMomentSampler:
    """Draws moments with their pictures, of images uint8 [E, T+1, V, H, W, 3]; acts int [A, 6]: the number of an
    episode and an `Act` in it; views: where the model's stand in V; size: rows and columns as it sees them.
    """

    moments: MomentSampler
    images: Images
    acts: np.ndarray
    views: list[int]
    size: tuple[int, int]

    def draw(self, iteration: int) -> SeenMoments:
        """The same iteration gives the same batch."""
        sampler = self.moments
        rng = np.random.default_rng([sampler.seed, iteration, 1])
        anyhow, acts = sampler.numbers(iteration), self.acts[rng.integers(len(self.acts), size=sampler.batch)]
        episode, kind, earliest, begin, end, latest = acts.T
        begun = rng.random(sampler.batch) < BEGUN_SHARE
        now = np.where(begun, rng.integers(begin, end), rng.integers(earliest, begin))
        goal = rng.integers(end + 1, latest + 1)
        of_act = rng.random(sampler.batch) < ACT_SHARE
        chosen = [np.where(of_act, *both) for both in zip((episode, now, goal), anyhow[:3], strict=True)]
        then = np.minimum(sampler.next_moments[chosen[0], chosen[1]], chosen[2])
        frames = np.stack(chosen[1:], axis=1)
        pictures = self.images[chosen[0][:, None], frames][:, :, self.views]
        known = np.zeros((sampler.batch, ACTS, 2), np.float32)
        rows = np.arange(sampler.batch)
        known[rows, kind, 0], known[rows, kind, 1] = of_act & ~begun, of_act
        ends = np.stack([begin, end], axis=1)
        poses = np.repeat(sampler.states[episode[:, None], ends][:, None][..., POSE], ACTS, axis=1)
        return SeenMoments(
            sampler.at(Drawn(*chosen, then)), preprocess(torch.from_numpy(pictures), self.size),
            torch.from_numpy(poses), torch.from_numpy(known),
        )  # fmt: skip


def seen_moments(data: Demonstrations, numbers: np.ndarray, settings: SubGoalTraining, seed: int) -> SeenMomentSampler:
    """Those of consecutive demonstrations, whose pictures were kept; raises ValueError where no hand acts in them."""
    sampler = MomentSampler(*data.part(numbers), settings.span, settings.batch, seed, settings.moment_share)
    first, last = int(numbers[0]), int(numbers[-1]) + 1
    acts = [(number, *act) for number, states in enumerate(sampler.states) for act in hand_acts(states)]
    if not acts:
        raise ValueError(
            f"in none of {len(numbers)} demonstrations does the hand take and let go or push something: a head that "
            "sees learns from that; show it, or leave out --seeing"
        )
    return SeenMomentSampler(sampler, data.images[first:last], np.array(acts), list(data.views), data.image_size)


def train_seeing_head(
    head: SubGoalHead, sampler: SeenMomentSampler, settings: SubGoalTraining, folder: Path, seed: int
) -> None:
    """Train in place; `folder` receives log and checkpoints. Some batches are seen by one view alone."""
    views = len(sampler.views)

    def losses_at(iteration: int) -> dict[str, Tensor]:
        seen = sampler.draw(iteration)
        generator = torch.Generator().manual_seed(seed * 1_000_003 + iteration)
        pixels, seeing = seen.pixels, head
        if torch.rand((), generator=generator) < AUGMENTED_SHARE:
            pixels = augment(pixels, 1, generator)
        if torch.rand((), generator=generator) < LONE_VIEW_SHARE:
            view = int(torch.randint(views, (), generator=generator))
            seeing, pixels = head.of_views([view]), pixels[:, :, [view]]
        latents, goals = (
            x + settings.latent_noise * torch.randn(x.shape, generator=generator)
            for x in (seen.moments.latents, seen.moments.goals)
        )
        moments = seen.moments._replace(latents=latents, goals=goals)
        with torch.random.fork_rng(devices=[]), mixed_precision(pixels.device):  # dropout follows from the iteration
            torch.manual_seed(seed * 1_000_003 + iteration)
            guesses, poses = seeing.guess(*moments.observations(pixels))
            losses = hypothesis_losses(guesses, moments, head.state_std, settings)
        scaled = (seen.poses - head.state_mean[list(POSE)]) / head.state_std[list(POSE)]
        off = (poses.float() - scaled).square().mean(dim=-1)
        losses["acts"] = (off * seen.known).sum() / seen.known.sum().clamp(min=1.0)
        losses["total"] = losses["total"] + ACT_WEIGHT * losses["acts"]
        return losses

    fit("sub_goals", head, losses_at, settings.fit, folder)
    head.requires_grad_(False)


@torch.inference_mode()
def foresight_seeing(head: SubGoalHead, sampler: SeenMomentSampler) -> dict[str, float]:
    """As `sub_goal_training.foresight`, of a head that sees, for moments as they are drawn in its training."""
    head.eval()
    parts = []
    for number in range(HELD_OUT_DRAWS // sampler.moments.batch):
        seen = sampler.draw(number)
        parts.append((seen.moments, head(*seen.moments.observations(seen.pixels))))
    return foresight_errors(parts)
