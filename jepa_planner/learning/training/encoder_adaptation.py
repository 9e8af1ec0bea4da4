"""An encoder that goes on learning until its latents mean again what a frozen predictor and read-outs take them for.

Latents keep their meaning, so all that was learned from them before stays of use: where the linear read-out of the
statistics and the verdict head read the arm is where its joints say it is, and what the predictor foresees comes. They
keep their measure as well, as tolerances of energies are in it: moments are as far apart as before.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from jepa_planner.learning.training.change import Change
from jepa_planner.learning.training.fit import FitSettings, fit
from jepa_planner.learning.training.view_dropout import encode_windows
from jepa_planner.learning.training.warp_fitting import JUDGED, JUDGED_AT_ONCE, FrozenModel, MomentSampler, see
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.latent_statistics import LatentStatistics
from jepa_planner.model.picture_warp import Warp

APART = 0.5
"""Weight of how far apart moments are, beside the terms of `FrozenModel.losses`."""
LEAST_APART = 1e-3
"""Mean squared difference of latents of moments that are hardly apart."""


@dataclass(frozen=True)
class EncoderAdaptation:
    """How long the encoder goes on, and how fast."""

    iterations: int = 500
    """Batches to learn from, at least 1."""
    learning_rate: float = 3e-4
    """Where the warm-up ends, more than 0: half of that of training from nothing."""
    moments: int = 16
    """Moments of episodes in each, at least 1."""

    @property
    def fit(self) -> FitSettings:
        """How weights are fitted."""
        return FitSettings(self.iterations, self.learning_rate, weight_decay=0.0, warm_up=max(1, self.iterations // 10))


def adapt_encoder(
    model: FrozenModel, train: MomentSampler, held_out: MomentSampler, warps: Sequence[Warp],
    settings: EncoderAdaptation, folder: Path,
) -> tuple[VideoEncoder, Change] | None:  # fmt: skip
    """The encoder, or what became of it where the arm is read better from its latents of held-out episodes.

    None for a bundle without statistics: with nothing that says what latents mean, they would come to mean nothing.
    """
    if model.statistics is None:
        return None
    learning = replace(model, encoder=copy.deepcopy(model.encoder).requires_grad_(True))
    numbers = torch.tensor(warps)

    def losses_at(iteration: int) -> dict[str, Tensor]:
        learning.encoder.eval()  # few pictures tell BatchNorm nothing
        moments = train.draw(iteration, settings.moments)
        pixels, generator = see(moments.pixels, numbers), torch.Generator().manual_seed(iteration)
        latents = encode_windows(learning.encoder, pixels, generator)
        losses = learning.losses_of(moments, pixels, latents)
        with torch.no_grad():
            before = model.encoder(pixels.flatten(0, 1))
        losses["apart"] = apart_loss(latents.flatten(0, 1), before)
        return losses | {"total": losses["total"] + APART * losses["apart"]}

    off_cm = _arm_off_cm(model.encoder, model.statistics, held_out, numbers)
    fit("encoder", learning.encoder, losses_at, settings.fit, folder)
    new = learning.encoder.requires_grad_(False)
    change = Change("arm read from latents, off by cm", off_cm, _arm_off_cm(new, model.statistics, held_out, numbers))
    return (new if change.better else model.encoder), change


def weights_hash(module: torch.nn.Module) -> str:
    """Stands for a module's weights."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def apart_loss(latents: Tensor, before: Tensor) -> Tensor:
    """Squared logarithm of how much farther moments are from each other than before, latents [M, N, D] both."""
    return (_apart(latents) / _apart(before)).log().square().mean()


def _apart(latents: Tensor) -> Tensor:
    """How far apart moments [M, N, D] are from each other, [M, M]: mean squared differences, and LEAST_APART."""
    flat = latents.flatten(1)
    return (flat[:, None] - flat).square().mean(dim=-1) + LEAST_APART


@torch.inference_mode()
def _arm_off_cm(encoder: VideoEncoder, statistics: LatentStatistics, sampler: MomentSampler, warps: Tensor) -> float:
    off_m = []
    for number in range(JUDGED // JUDGED_AT_ONCE):
        moments = sampler.draw(number, JUDGED_AT_ONCE)
        pixels = see(moments.pixels, warps)
        latents = encoder(pixels.flatten(0, 1)).unflatten(0, pixels.shape[:2])
        off_m.append(statistics.arm_error_m(latents, moments.states).mean())
    return 100.0 * float(torch.stack(off_m).mean())
