"""Third stage, with keypoints: a head for sub-goals that looks at the pictures of the present and of the goal
themselves.

As in `sub_goal_training`, and most keyframes are drawn from before a contact segment, their goals from after it: there
the pictures differ by what the contact did, and where it begins and ends (`contact_segments`) is a further answer to be
learned. That is what teaches the head quickly where things are; the next keyframe alone teaches it slowly.

A thing that is to be brought elsewhere is taken in the same way wherever that is. So goals of hands that are about to
take it are drawn from other episodes of the same scene, too: from few episodes come many pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from jepa_planner.core.arm_layout import YAW, X, Y
from jepa_planner.core.poses import short_way
from jepa_planner.learning.data.contact_segments import GRASP, left
from jepa_planner.learning.data.images_on_disk import Images
from jepa_planner.learning.training.augmentation import augment
from jepa_planner.learning.training.demonstrations import Demonstrations
from jepa_planner.learning.training.fit import fit
from jepa_planner.learning.training.goals_across import HELD, GoalsAcross
from jepa_planner.learning.training.mixed_precision import mixed_precision
from jepa_planner.learning.training.sub_goal_training import (
    HELD_OUT_DRAWS,
    Drawn,
    KeyframeBatch,
    KeyframeSampler,
    SubGoalTraining,
    foresight_errors,
    hypothesis_losses,
    keyframe_sampler,
)
from jepa_planner.learning.training.view_dropout import LONE_VIEW_SHARE
from jepa_planner.model.picture_warp import Warp
from jepa_planner.model.preprocess import preprocess
from jepa_planner.model.sub_goal_head import CONTACT_KINDS, POSE, SubGoalHead

AUGMENTED_SHARE = 0.3
CONTACT_SHARE = 0.75
"""Of keyframes drawn from before a contact segment and goals from after it."""
BEGUN_SHARE = 0.3
"""Of those, the share in which the segment has begun already."""
ACROSS_SHARE = 0.5
"""Of those that have not begun and will grasp, the share whose goals are of other episodes of the same scene."""
ELSEWHERE_M = 0.03
"""A thing that is nearer to where it is wanted might be left there."""
CONTACT_WEIGHT = 2.0
FORESIGHT_BATCH = 250


class PictureKeyframes(NamedTuple):
    """A batch: keyframes, pixels [B, 2, V, 3, H, W] of the present and of the goal, where the hand begins and ends to
    act in between [B, kinds of contact, 2, pose], and which of those numbers are known [B, kinds of contact, 2].
    """

    keyframes: KeyframeBatch
    pixels: Tensor
    poses: Tensor
    known: Tensor


@dataclass(frozen=True)
class PictureKeyframeSampler:
    """Draws keyframes with their pictures, of images uint8 [E, T+1, V, H, W, 3]; segments int [A, 6]: the number of an
    episode and a `ContactSegment` in it; views: where the model's stand in V; size: rows and columns as it sees them;
    warps: see `ImageSpec`; goals: those of other episodes, if any are to be drawn.
    """

    keyframes: KeyframeSampler
    images: Images
    segments: np.ndarray
    views: list[int]
    size: tuple[int, int]
    warps: tuple[Warp, ...] = ()
    goals: GoalsAcross | None = None

    def draw(self, iteration: int) -> PictureKeyframes:
        """The same iteration gives the same batch."""
        sampler, batch = self.keyframes, self.keyframes.batch
        rng = np.random.default_rng([sampler.seed, iteration, 1])
        anyhow = sampler.numbers(iteration)
        episode, kind, earliest, begin, end, latest = self.segments[rng.integers(len(self.segments), size=batch)].T
        begun = rng.random(batch) < BEGUN_SHARE
        now = np.where(begun, rng.integers(begin, end), rng.integers(earliest, begin))
        goal_episode, goal, lies = episode, rng.integers(end + 1, latest + 1), end
        then = np.minimum(sampler.next_keyframes[episode, now], goal)
        if self.goals is not None:
            other = self.goals.draw(episode, rng)
            way_m = sampler.states[other[0], other[2]] - sampler.states[episode, begin]
            elsewhere = (other[2] == HELD) | (np.linalg.norm(way_m[:, [X, Y]], axis=1) > ELSEWHERE_M)
            across = ~begun & (kind == GRASP) & elsewhere & (rng.random(batch) < ACROSS_SHARE)
            then = np.where(across, np.minimum(sampler.next_keyframes[episode, now], end), then)
            goal_episode, goal, lies = (
                np.where(across, *both) for both in zip(other, (episode, goal, lies), strict=True)
            )
        in_contact = rng.random(batch) < CONTACT_SHARE
        drawn = Drawn(episode, now, then, goal_episode, goal)
        chosen = Drawn._make(np.where(in_contact, *both) for both in zip(drawn, anyhow, strict=True))
        episodes = np.stack([chosen.episode, chosen.goal_episode], axis=1)
        pictures = self.images[episodes, np.stack([chosen.now, chosen.goal], axis=1)][:, :, self.views]
        known = np.zeros((batch, CONTACT_KINDS, 2), np.float32)
        rows = np.arange(batch)
        known[rows, kind, 0], known[rows, kind, 1] = in_contact & ~begun, in_contact & (lies != HELD)
        at = np.stack([sampler.states[episode, begin], sampler.states[goal_episode, lies]], axis=1)
        poses = np.repeat(at[:, None][..., POSE], CONTACT_KINDS, axis=1)
        pixels = preprocess(torch.from_numpy(pictures), self.size, warps=self.warps)
        return PictureKeyframes(sampler.at(chosen), pixels, torch.from_numpy(poses), torch.from_numpy(known))


def picture_keyframes(
    data: Demonstrations, episode_indices: np.ndarray, settings: SubGoalTraining, seed: int, across: bool = True
) -> PictureKeyframeSampler:
    """Those of consecutive demonstrations, whose pictures were kept; raises ValueError where no hand acts in them.

    across: whether goals are drawn from other episodes, too.
    """
    first, last = int(episode_indices[0]), int(episode_indices[-1]) + 1
    of_each = data.contacts(episode_indices)
    sampler = keyframe_sampler(data, episode_indices, settings, seed)
    segments = [
        (number, *segment._replace(earliest=segment.earliest if not before else left(states, before[-1], segment)))
        for number, (states, found) in enumerate(zip(data.arm_states[first:last], of_each, strict=True))
        for before, segment in ((found[:at], each) for at, each in enumerate(found))
    ]
    if data.images is None or data.alike is None:
        raise ValueError("demonstrations without their pictures given; a head with keypoints learns from these")
    if not segments:
        raise ValueError(
            f"in none of {len(episode_indices)} demonstrations does the hand take and let go or push something: a head "
            f"with "
            "keypoints learns from that; show it, or leave out --keypoints"
        )
    acted = np.array(segments)
    goals = GoalsAcross(acted, data.alike[first:last]) if across and (acted[:, 1] == GRASP).any() else None
    return PictureKeyframeSampler(
        sampler, data.images[first:last], acted, list(data.views), data.image_size, data.warps, goals
    )


def train_keypoint_head(
    head: SubGoalHead, sampler: PictureKeyframeSampler, settings: SubGoalTraining, folder: Path, seed: int
) -> None:
    """Train in place; `folder` receives log and checkpoints. Some batches are seen by one view alone."""
    views = len(sampler.views)

    def losses_at(iteration: int) -> dict[str, Tensor]:
        seen = sampler.draw(iteration)
        generator = torch.Generator().manual_seed(seed * 1_000_003 + iteration)
        pixels, observer = seen.pixels, head
        if torch.rand((), generator=generator) < AUGMENTED_SHARE:
            pixels = augment(pixels, 1, generator)
        if torch.rand((), generator=generator) < LONE_VIEW_SHARE:
            view = int(torch.randint(views, (), generator=generator))
            observer, pixels = head.of_views([view]), pixels[:, :, [view]]
        latents, goals = (
            x + settings.latent_noise * torch.randn(x.shape, generator=generator)
            for x in (seen.keyframes.latents, seen.keyframes.goals)
        )
        keyframes = seen.keyframes._replace(latents=latents, goals=goals)
        with torch.random.fork_rng(devices=[]), mixed_precision(pixels.device):  # dropout follows from the iteration
            torch.manual_seed(seed * 1_000_003 + iteration)
            guesses, poses = observer.guess(*keyframes.observations(pixels))
            losses = hypothesis_losses(guesses, keyframes, head.state_std, settings)
        if poses is None:
            raise ValueError("a head without keypoints given; expected one that says where the hand acts")
        off_mean = seen.poses - head.state_mean[list(POSE)]
        off_mean[..., POSE.index(YAW)] = short_way(off_mean[..., POSE.index(YAW)])
        scaled = off_mean / head.state_std[list(POSE)]
        off = (poses.float() - scaled).square().mean(dim=-1)
        losses["contacts"] = (off * seen.known).sum() / seen.known.sum().clamp(min=1.0)
        losses["total"] = losses["total"] + CONTACT_WEIGHT * losses["contacts"]
        return losses

    fit("sub_goals", head, losses_at, settings.fit, folder)
    head.requires_grad_(False)


@torch.inference_mode()
def keypoint_foresight(head: SubGoalHead, sampler: PictureKeyframeSampler) -> dict[str, float]:
    """As `sub_goal_training.foresight`, of a head with keypoints, for keyframes as they are drawn in its training."""
    head.eval()
    parts = []
    for number in range(HELD_OUT_DRAWS // sampler.keyframes.batch):
        seen = sampler.draw(number)
        parts.append((seen.keyframes, head(*seen.keyframes.observations(seen.pixels))))
    return foresight_errors(parts)
