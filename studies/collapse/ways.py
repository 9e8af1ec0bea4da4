"""Ways to train an encoder of patches that differ in nothing but what keeps its tokens apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.images_on_disk import frames_at
from jepa_planner.learning.training.dense.clips import ClipSampler, ClipSettings
from jepa_planner.learning.training.dense.linear_probe import CELLS, FACTS
from jepa_planner.learning.training.dense.masked_video import MaskedVideo, MaskedVideoSettings
from jepa_planner.learning.training.mixed_precision import mixed_precision
from jepa_planner.learning.training.objectives.encoded import Encoded
from jepa_planner.learning.training.objectives.joint import TERMS
from jepa_planner.learning.training.probes import facts_of
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.preprocess import preprocess

LEAST_SPREAD = 1e-4
NEVER_TRAINED = "never trained"
Losses = Callable[[int], dict[str, Tensor]]


@dataclass(frozen=True)
class Way:
    """One row: what is predicted, and the term of `JointObjective`'s that is added, if any."""

    objective: MaskedVideoSettings = field(default_factory=MaskedVideoSettings)
    term: str = ""
    supervised: bool = False


FREE = MaskedVideoSettings(targets="free")
WAYS = {
    "teacher": Way(),
    "teacher, targets not standardised": Way(MaskedVideoSettings(standardised=False)),
    "no teacher": Way(MaskedVideoSettings(targets="stopped")),
    "no stop-gradient": Way(FREE),
    "no stop-gradient, targets not standardised": Way(replace(FREE, standardised=False)),
    "VICReg": Way(FREE, "vicreg"),
    "Barlow Twins": Way(FREE, "barlow_twins"),
    "SIGReg": Way(FREE, "sigreg"),
    "InfoNCE": Way(FREE, "info_nce"),
    "supervised": Way(supervised=True),
    NEVER_TRAINED: Way(),
}


class WithTerm(nn.Module):
    """Masked prediction without stop-gradient, and a term over a sample of the hidden tokens."""

    SAMPLE = 1024

    def __init__(self, masked: MaskedVideo, term: str) -> None:
        super().__init__()
        self.masked, self.weight = masked, TERMS[term].weight
        self.term = TERMS[term].make(masked.encoder.config.width)

    def forward(self, clips: Tensor, generator: Generator) -> dict[str, Tensor]:
        """clips [B, T, 3, H, W], normalised -> named losses, "total" among them."""
        foreseen, targets = (tokens.float().flatten(0, 1) for tokens in self.masked.foresee(clips, generator))
        drawn = torch.randperm(len(targets), generator=generator)[: 2 * self.SAMPLE].view(2, -1)
        # The terms take windows of two frames, of which the second is foreseen; here the two are any two tokens.
        true, imagined = targets[drawn].movedim(0, 1), foreseen[drawn[1]][:, None]
        arm = true.new_zeros(0)
        with torch.autocast(clips.device.type, enabled=False):
            apart = self.term(Encoded(true, imagined, arm, arm), generator)
        prediction = F.l1_loss(foreseen, targets)
        return {"total": prediction + self.weight * apart, "prediction": prediction, "term": apart}


class Supervised(nn.Module):
    """The linear read-out of `linear_probe` and the encoder below it, trained together on what is true."""

    def __init__(self, encoder: VideoEncoder, facts: np.ndarray, views: int) -> None:
        """facts [M, numbers]: of the episodes to learn from."""
        super().__init__()
        self.encoder = encoder
        rows, columns = encoder.config.grid
        self.cells = (min(CELLS, rows), min(CELLS, columns))
        numbers = views * self.cells[0] * self.cells[1] * encoder.config.width
        self.read = nn.Linear(numbers, facts.shape[1])
        self.mean, self.scale = (torch.from_numpy(of(facts, axis=0)).float() for of in (np.mean, np.std))

    def forward(self, pictures: Tensor, facts: Tensor) -> dict[str, Tensor]:
        """pictures [B, V, 3, H, W], normalised, facts [B, numbers] -> the loss."""
        latents = self.encoder(pictures.flatten(0, 1)[:, None])
        cells = F.adaptive_avg_pool2d(latents.mT.unflatten(2, self.encoder.config.grid), self.cells)
        read = self.read(cells.unflatten(0, pictures.shape[:2]).flatten(1))
        return {"total": F.smooth_l1_loss(read.float(), (facts - self.mean) / self.scale.clamp(min=LEAST_SPREAD))}


def training_of(
    way: Way, encoder: VideoEncoder, episodes: Episodes, numbers: np.ndarray, clips: ClipSettings, seed: int
) -> tuple[nn.Module, Losses, Callable[[], VideoEncoder]]:
    """What is trained on the episodes with these numbers, its losses by iteration, and what is kept of it."""
    size = encoder.config.image_size
    if way.supervised:
        known = np.concatenate([_facts(episodes, np.full(1, n), np.full(1, s)) for n in numbers for s in (0, 20, 40)])
        taught = Supervised(encoder, known, episodes.images.shape[2])

        def supervised_at(iteration: int) -> dict[str, Tensor]:
            rng = np.random.default_rng((seed, iteration))
            chosen = rng.choice(numbers, clips.moments)
            moments = rng.integers(0, episodes.lengths[chosen] + 1)
            shown = torch.from_numpy(frames_at(episodes.images, chosen * episodes.images.shape[1] + moments))
            pictures = preprocess(shown.flatten(0, 1), size).unflatten(0, shown.shape[:2])
            with mixed_precision(pictures.device):
                return taught(pictures, torch.from_numpy(_facts(episodes, chosen, moments)).float())

        return taught, supervised_at, lambda: taught.encoder
    masked = MaskedVideo(encoder, way.objective)
    objective = WithTerm(masked, way.term) if way.term else masked
    sampler = ClipSampler(episodes, numbers, clips, seed)

    def losses_at(iteration: int) -> dict[str, Tensor]:
        pictures = preprocess(sampler.draw(iteration), size)
        with mixed_precision(pictures.device):
            return objective(pictures, Generator().manual_seed(seed * 1_000_003 + iteration))

    return objective, losses_at, lambda: masked.kept


def _facts(episodes: Episodes, numbers: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """FACTS [M, numbers] of these episodes at these moments."""
    moments = np.minimum(moments, episodes.lengths[numbers])
    facts = facts_of(episodes.states[numbers, moments], episodes.object_pose[numbers, moments])
    return np.concatenate([facts[name] for name in FACTS], axis=1)
