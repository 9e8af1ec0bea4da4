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

from jepa_planner.training.augmentation import augment
from jepa_planner.training.demonstrations import Demonstrations
from jepa_planner.training.fit import FitSettings, fit
from jepa_planner.training.mixed_precision import mixed_precision
from jepa_planner.training.object_tracks import FramePairs, frame_pairs
from jepa_planner.training.scene_training import AUGMENTED_SHARE, behind_latents
from jepa_planner.training.view_dropout import LONE_VIEW_SHARE
from jepa_planner.world_model.preprocess import preprocess
from jepa_planner.world_model.verdict_head import Opinion, VerdictHead

STILL_WEIGHT = 2.0
"""The first class, of things that lie as they should or nearly so, is drawn as much more often than any other."""
SMALL = 0.2
"""Of errors in where the arm stands in the goal, in spreads."""
HANDS = 9
"""Ways in which the hand may stand at present and in the goal."""


@dataclass(frozen=True)
class VerdictTraining:
    """latent_noise: spread of the noise on the latents that are given. label_m: of the error in how far things went.
    state_weight: of how the arm stands in the goal. strangers: share of pairs of two scenes, which show other things.
    false_alarms: share of things that are far off which the head may call done, when it is calibrated.
    """

    fit: FitSettings
    batch: int = 256
    latent_noise: float = 0.1
    label_m: float = 0.004
    state_weight: float = 1.0
    strangers: float = 0.0
    false_alarms: float = 0.01


class Looks(NamedTuple):
    """A batch: latents and goals [B, N, D], states and goal_states [B, S]; off_m [B]: how far the object is off,
    infinite where the two show different things, doubt_m [B]: how uncertain that is; hand int [B]: what it does, as in
    `object_tracks`; pixels [B, 2, V, 3, H, W] of the present and the goal, or None.
    """

    latents: Tensor
    states: Tensor
    goals: Tensor
    goal_states: Tensor
    off_m: Tensor
    doubt_m: Tensor
    hand: Tensor
    pixels: Tensor | None


class PairSampler:
    """Draws pairs evenly from the classes between edges_m, and within each rare ways of the hand more than their share.

    Of consecutive demonstrations, by number; raises ValueError where they hold no pairs.
    """

    def __init__(
        self, data: Demonstrations, numbers: np.ndarray, edges_m: Sequence[float], settings: VerdictTraining, seed: int
    ) -> None:  # fmt: skip
        first, last = int(numbers[0]), int(numbers[-1]) + 1
        self._latents, self._states = data.latents[first:last], data.states[first:last]
        self._images = None if data.images is None else data.images[first:last]
        self._scenes, self._views, self._size = data.scenes[first:last], list(data.views), data.image_size
        self.settings, self._seed = settings, seed
        self.pairs = pairs = frame_pairs(data.arm_states[first:last])
        if not len(pairs.now):
            raise ValueError(
                f"of no two frames of {len(numbers)} demonstrations is it known how far things went between"
            )
        kinds = np.searchsorted(edges_m, pairs.off_m) * HANDS + 3 * pairs.hand + pairs.goal_hand
        self._order = np.argsort(kinds, kind="stable")
        found, self._first, self._count = np.unique(kinds[self._order], return_index=True, return_counts=True)
        share = np.sqrt(self._count)
        of_class = np.bincount(found // HANDS, share)[found // HANDS]
        chances = share / of_class * np.where(found < HANDS, STILL_WEIGHT, 1.0)
        self._chances = chances / chances.sum()

    def draw(self, iteration: int) -> Looks:
        """The same iteration gives the same batch."""
        rng = np.random.default_rng([self._seed, iteration])
        batch = self.settings.batch
        kind = rng.choice(len(self._chances), size=batch, p=self._chances)
        chosen = self._order[self._first[kind] + rng.integers(self._count[kind])]
        drawn = FramePairs(*(part[chosen] for part in self.pairs))
        goal_episode = np.where(
            rng.random(batch) < self.settings.strangers, rng.integers(len(self._states), size=batch), drawn.episode
        )
        stranger = self._scenes[goal_episode] != self._scenes[drawn.episode]
        goal_episode = np.where(stranger, goal_episode, drawn.episode)
        present, goal = (drawn.episode, drawn.now), (goal_episode, drawn.goal)
        off_m = np.where(stranger, np.inf, drawn.off_m)
        parts = (self._latents[present], self._states[present], self._latents[goal], self._states[goal], off_m,
                 drawn.doubt_m, drawn.hand)  # fmt: skip
        pixels = None
        if self._images is not None:
            pictures = np.stack([self._images[present], self._images[goal]], axis=1)[:, :, self._views]
            pixels = preprocess(torch.from_numpy(pictures), self._size)
        return Looks(*(torch.from_numpy(np.asarray(part)) for part in parts), pixels)


def opinion_of(head: VerdictHead, looks: Looks) -> Opinion:
    """What a head says of a batch."""
    latents, goals = looks.latents, looks.goals
    if looks.pixels is not None:
        latents, goals = (behind_latents(x, looks.pixels[:, i]) for i, x in enumerate((latents, goals)))
    return head(latents, looks.states, goals)


def chances_of(looks: Looks, edges_m: Sequence[float], label_m: float) -> Tensor:
    """What a head should say [B, classes]: how far things are off, spread by how uncertain that is."""
    spread_m = (looks.doubt_m.square() + label_m**2).sqrt()
    strange = looks.off_m.isinf()
    off_m = torch.where(strange, 0.0, looks.off_m)
    below = torch.special.ndtr((torch.tensor(edges_m) - off_m[:, None]) / spread_m[:, None])
    ends = torch.zeros(len(below), 1), torch.ones(len(below), 1)
    known = torch.cat([ends[0], below, ends[1]], dim=1).diff(dim=1)
    return torch.cat([known * ~strange[:, None], strange[:, None].float()], dim=1)


def verdict_losses(head: VerdictHead, opinion: Opinion, looks: Looks, settings: VerdictTraining) -> dict[str, Tensor]:
    """Cross entropy of how far objects are "off", and error of where the "arm" stands in the goal, in spreads.

    Small errors of it count squared and larger ones as they are: it matters most where the arm is nearly there.
    """
    wanted = chances_of(looks, head.config.edges_m, settings.label_m)
    off = -(wanted * opinion.logits.float().log_softmax(dim=-1)).sum(dim=-1).mean()
    arm = smooth_l1_loss(opinion.goal_states / head.state_std, looks.goal_states / head.state_std, beta=SMALL)
    return {"off": off, "arm": arm, "total": off + settings.state_weight * arm}


def train_verdict_head(
    head: VerdictHead, sampler: PairSampler, settings: VerdictTraining, folder: Path, seed: int
) -> None:
    """Train in place; `folder` receives log and checkpoints. Of a head that sees, some batches are seen by one view."""

    def losses_at(iteration: int) -> dict[str, Tensor]:
        looks = sampler.draw(iteration)
        generator = torch.Generator().manual_seed(seed * 1_000_003 + iteration)
        noisy = (x + settings.latent_noise * torch.randn(x.shape, generator=generator) for x in (looks[0], looks[2]))
        pixels, seeing = looks.pixels, head
        if pixels is not None:
            if torch.rand((), generator=generator) < AUGMENTED_SHARE:
                pixels = augment(pixels, 1, generator)
            if torch.rand((), generator=generator) < LONE_VIEW_SHARE:
                view = int(torch.randint(pixels.shape[2], (), generator=generator))
                seeing, pixels = head.of_views([view]), pixels[:, :, [view]]
        latents, goals = noisy
        looks = looks._replace(latents=latents, goals=goals, pixels=pixels)
        with torch.random.fork_rng(devices=[]):  # dropout follows from the iteration as well
            torch.manual_seed(seed * 1_000_003 + iteration)
            with nullcontext() if pixels is None else mixed_precision(latents.device):
                opinion = opinion_of(seeing, looks)
        return verdict_losses(head, opinion, looks, settings)

    fit("verdict", head, losses_at, settings.fit, folder)
    head.requires_grad_(False)
