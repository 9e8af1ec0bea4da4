"""The head that tells when the work is done, trained on pairs of frames between which it is known how far things went.

Any frame may be the present and any other the goal, in both directions of time; see `object_tracks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from jepa_planner.core.observation import Observation
from jepa_planner.core.poses import state_difference
from jepa_planner.learning.data.images_on_disk import Images
from jepa_planner.learning.data.object_tracks import FREE, FramePairs, frame_pairs
from jepa_planner.learning.training.augmentation import augment
from jepa_planner.learning.training.demonstrations import Demonstrations
from jepa_planner.learning.training.fit import FitSettings, fit
from jepa_planner.learning.training.keypoint_training import AUGMENTED_SHARE
from jepa_planner.learning.training.mixed_precision import mixed_precision
from jepa_planner.learning.training.view_dropout import LONE_VIEW_SHARE
from jepa_planner.model.preprocess import preprocess
from jepa_planner.model.verdict_head import Opinion, VerdictHead

STILL_WEIGHT = 2.0
"""The first class, of things that lie as they should or nearly so, is drawn as much more often than any other."""
SMALL = 0.2
"""Of errors in where the arm stands in the goal, in spreads."""
HANDS = 9
"""Ways in which the hand may stand at present and in the goal."""


class NothingMoved(ValueError):
    """Demonstrations in which it is not known of anything that the hand moved it: no verdict can be learned of them."""


@dataclass(frozen=True)
class VerdictTraining:
    """Settings of the head's training and of its calibration."""

    fit: FitSettings
    """How weights are fitted."""
    batch: int = 256
    """Pairs of a present and a goal per iteration."""
    latent_noise: float = 0.1
    """Spread of the noise on the latents that are given, at least 0."""
    label_m: float = 0.004
    """Spread of the error in how far things went, more than 0."""
    state_weight: float = 1.0
    """Weight of how the arm stands in the goal, beside how far things are off; at least 0."""
    strangers: float = 0.0
    """Share of pairs of two scenes, which show other things: where pictures are alike there are none; in [0, 1]."""
    unreachable: float = 0.15
    """Share of pairs in one of which a thing is out of reach or gone, where such episodes are given; in [0, 1]."""
    refusals: float = 0.002
    """Share of things that can be brought to their places which the head may call out of reach, when it is calibrated;
    in [0, 1].
    """
    false_alarms: float = 0.01
    """Share of things that are far off which the head may call done, when it is calibrated; in [0, 1]."""


class VerdictBatch(NamedTuple):
    """A batch: latents and goals [B, N, D], states and goal_states [B, S]; off_m [B]: how far the object is off,
    infinite where the two show different things, or one where no hand can go, uncertainty_m [B]: how uncertain that is;
    hand int [B]: what it does, as in `object_tracks`; pixels [B, 2, V, 3, H, W] of the present and the goal, or None.
    """

    latents: Tensor
    states: Tensor
    goals: Tensor
    goal_states: Tensor
    off_m: Tensor
    uncertainty_m: Tensor
    hand: Tensor
    pixels: Tensor | None


UNCHANGED_SHARE = 1 / 3
"""Of pairs with a thing out of reach, those in both of which it lies there: nothing has to be done about it."""


class Unreachable:
    """Frames of episodes in which a thing is out of reach from first to last, or gone, by the scene that they show."""

    def __init__(self, data: Demonstrations) -> None:
        self._frames = data.states.shape[1]
        self._of_scene = {scene: np.flatnonzero(data.scenes == scene) for scene in np.unique(data.scenes)}

    def draw(self, scenes: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Numbers of an episode and of two of its frames for each of scenes [B]; -1 where no episode shows it."""
        none = np.array([-1])
        episode = np.array([rng.choice(self._of_scene.get(scene, none)) for scene in scenes])
        return episode, *rng.integers(self._frames, size=(2, len(scenes)))


class _Frames(NamedTuple):
    """What was seen in episodes, from one number up to another: [E, T+1, ...] each."""

    latents: np.ndarray
    states: np.ndarray
    images: Images | None


class PairSampler:
    """Draws pairs evenly from the classes between edges_m, and within each rare ways of the hand more than their share.

    Of consecutive demonstrations, by number, and of episodes with a thing out of reach; raises NothingMoved where the
    former hold no pairs.
    """

    def __init__(
        self, data: Demonstrations, episode_indices: np.ndarray, edges_m: Sequence[float], settings: VerdictTraining,
        seed: int,
        out_of_reach: Demonstrations | None = None,
    ) -> None:  # fmt: skip
        first, last = int(episode_indices[0]), int(episode_indices[-1]) + 1
        images = None if data.images is None else data.images[first:last]
        self._parts = [_Frames(data.latents[first:last], data.states[first:last], images)]
        if out_of_reach is not None:
            self._parts.append(_Frames(out_of_reach.latents, out_of_reach.states, out_of_reach.images))
        self._unreachable = None if out_of_reach is None else Unreachable(out_of_reach)
        self._scenes, self._views, self._size = data.scenes[first:last], list(data.views), data.image_size
        self._alike = None if data.alike is None else data.alike[first:last]
        self.settings, self._seed, self._warps = settings, seed, data.warps
        self.pairs = pairs = frame_pairs(data.arm_states[first:last], data.thresholds.tracks)
        if not len(pairs.now):
            raise NothingMoved(
                f"of no two frames of {len(episode_indices)} demonstrations is it known how far things went between"
            )
        kinds = np.searchsorted(edges_m, pairs.off_m) * HANDS + 3 * pairs.hand + pairs.goal_hand
        self._order = np.argsort(kinds, kind="stable")
        found, self._first, self._count = np.unique(kinds[self._order], return_index=True, return_counts=True)
        share = np.sqrt(self._count)
        of_class = np.bincount(found // HANDS, share)[found // HANDS]
        chances = share / of_class * np.where(found < HANDS, STILL_WEIGHT, 1.0)
        self._chances = chances / chances.sum()

    def check_moved(self, least_m: float) -> None:
        """Raises NothingMoved unless the hand moves something by more than that."""
        if not (self.pairs.off_m > least_m).any():
            raise NothingMoved(
                f"in none of {len(self._scenes)} demonstrations does the hand move anything: what tells whether things "
                "lie as they should learns from how they are taken and put down, or pushed; show that"
            )

    def draw(self, iteration: int) -> VerdictBatch:
        """The same iteration gives the same batch."""
        rng = np.random.default_rng([self._seed, iteration])
        batch = self.settings.batch
        kind = rng.choice(len(self._chances), size=batch, p=self._chances)
        chosen = self._order[self._first[kind] + rng.integers(self._count[kind])]
        drawn = FramePairs(*(part[chosen] for part in self.pairs))
        goal_episode = np.where(
            rng.random(batch) < self.settings.strangers, rng.integers(len(self._scenes), size=batch), drawn.episode
        )
        stranger = self._scenes[goal_episode] != self._scenes[drawn.episode]
        if self._alike is not None:  # what a file calls one scene is one, and what looks alike is, too
            stranger &= self._alike[goal_episode] != self._alike[drawn.episode]
        goal_episode = np.where(stranger, goal_episode, drawn.episode)
        off_m, uncertainty_m = np.where(stranger, np.float32(np.inf), drawn.off_m), drawn.uncertainty_m
        part: np.ndarray = np.zeros((2, batch), int)
        episode, frame = np.stack([drawn.episode, goal_episode]), np.stack([drawn.now, drawn.goal])
        if self._unreachable is not None:
            there, now, goal = self._unreachable.draw(self._scenes[drawn.episode], rng)
            lies_there = (rng.random(batch) < self.settings.unreachable) & (there >= 0)
            in_both, in_goal = rng.random(batch) < UNCHANGED_SHARE, rng.random(batch) < 0.5
            part = lies_there & np.stack([in_both | ~in_goal, in_both | in_goal])
            episode, frame = np.where(part, there, episode), np.where(part, np.stack([now, goal]), frame)
            off_m = np.where(lies_there, np.where(in_both, np.float32(0.0), np.float32(np.inf)), off_m)
            uncertainty_m = np.where(lies_there, np.float32(0.0), uncertainty_m)
        latents, states, images = self._seen(part.astype(int), episode, frame)
        parts = (
            latents[0],
            states[0],
            latents[1],
            states[1],
            off_m,
            uncertainty_m,
            np.where(part[0], FREE, drawn.hand),
        )
        pixels = None
        if images is not None:
            seen = torch.from_numpy(images.swapaxes(0, 1)[:, :, self._views])
            pixels = preprocess(seen, self._size, warps=self._warps)
        return VerdictBatch._make([*(torch.from_numpy(np.asarray(part)) for part in parts), pixels])

    def _seen(
        self, part: np.ndarray, episode: np.ndarray, frame: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Latents, states and images [2, B, ...] of frames of episodes of either part, by numbers [2, B]."""

        def seen(of_parts: Sequence[Images]) -> np.ndarray:
            values = np.empty((*part.shape, *of_parts[0].shape[2:]), of_parts[0].dtype)
            for number, all_frames in enumerate(of_parts):
                here = part == number
                values[here] = all_frames[episode[here], frame[here]]
            return values

        latents, states = (seen([getattr(frames, name) for frames in self._parts]) for name in ("latents", "states"))
        images = [frames.images for frames in self._parts if frames.images is not None]
        return latents, states, seen(images) if len(images) == len(self._parts) else None


def opinion_of(head: VerdictHead, batch: VerdictBatch) -> Opinion:
    """What a head says of a batch."""
    now, goal = (None, None) if batch.pixels is None else (batch.pixels[:, 0], batch.pixels[:, 1])
    return head(Observation(batch.latents, now, batch.states), Observation(batch.goals, goal))


def chances_of(batch: VerdictBatch, edges_m: Sequence[float], label_m: float) -> Tensor:
    """What a head should say [B, classes]: how far things are off, spread by how uncertain that is."""
    spread_m = (batch.uncertainty_m.square() + label_m**2).sqrt()
    strange = batch.off_m.isinf()
    off_m = torch.where(strange, 0.0, batch.off_m)
    below = torch.special.ndtr((torch.tensor(edges_m) - off_m[:, None]) / spread_m[:, None])
    ends = torch.zeros(len(below), 1), torch.ones(len(below), 1)
    known = torch.cat([ends[0], below, ends[1]], dim=1).diff(dim=1)
    return torch.cat([known * ~strange[:, None], strange[:, None].float()], dim=1)


def verdict_losses(
    head: VerdictHead, opinion: Opinion, batch: VerdictBatch, settings: VerdictTraining
) -> dict[str, Tensor]:
    """Cross entropy of how far objects are "off", and error of where the "arm" stands in the goal, in spreads.

    Small errors of it count squared and larger ones as they are: it matters most where the arm is nearly there.
    """
    chances = chances_of(batch, head.config.edges_m, settings.label_m)
    off = -(chances * opinion.logits.float().log_softmax(dim=-1)).sum(dim=-1).mean()
    arm = arm_reading_loss(head, opinion.goal_states, batch.goal_states)
    return {"off": off, "arm": arm, "total": off + settings.state_weight * arm}


def arm_reading_loss(head: VerdictHead, read: Tensor, true: Tensor) -> Tensor:
    """Error of where the arm stands in goals, read and true states [B, S], in spreads of the head's states: squared
    where it is small, and as it is where it is larger.
    """
    off = state_difference(read, true) / head.state_std
    return smooth_l1_loss(off, torch.zeros_like(off), beta=SMALL)


def train_verdict_head(
    head: VerdictHead, sampler: PairSampler, settings: VerdictTraining, folder: Path, seed: int
) -> None:
    """Train in place; `folder` receives log and checkpoints. Of a head with keypoints, some batches are seen by one
    view.
    """

    def losses_at(iteration: int) -> dict[str, Tensor]:
        batch = sampler.draw(iteration)
        generator = torch.Generator().manual_seed(seed * 1_000_003 + iteration)
        noisy = (x + settings.latent_noise * torch.randn(x.shape, generator=generator) for x in (batch[0], batch[2]))
        pixels, observer = batch.pixels, head
        if pixels is not None:
            if torch.rand((), generator=generator) < AUGMENTED_SHARE:
                pixels = augment(pixels, 1, generator)
            if torch.rand((), generator=generator) < LONE_VIEW_SHARE:
                view = int(torch.randint(pixels.shape[2], (), generator=generator))
                observer, pixels = head.of_views([view]), pixels[:, :, [view]]
        latents, goals = noisy
        batch = batch._replace(latents=latents, goals=goals, pixels=pixels)
        with torch.random.fork_rng(devices=[]):  # dropout follows from the iteration as well
            torch.manual_seed(seed * 1_000_003 + iteration)
            with nullcontext() if pixels is None else mixed_precision(latents.device):
                opinion = opinion_of(observer, batch)
        return verdict_losses(head, opinion, batch, settings)

    fit("verdict", head, losses_at, settings.fit, folder)
    head.requires_grad_(False)
