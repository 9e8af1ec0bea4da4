"""How much a latent is like those of the training data, and whether it shows the arm where the joints say it is."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

MAX_FEATURES = 512
XYZ = slice(0, 3)
_FLOOR = 1e-3


@dataclass(frozen=True)
class LatentStatistics:
    """Statistics of training latents: mean [F], whitening [F, F], the linear map [F, 3] + [3] to the tcp, and the box
    [3], [3] (m) in which the tcp was.

    Features F are the latent's numbers, or the mean over its tokens where they are more than MAX_FEATURES. The
    whitening makes directions in which training data hardly varies count as much as a thousandth of the widest.
    """

    mean: Tensor
    whitening: Tensor
    tcp_weight: Tensor
    tcp_bias: Tensor
    tcp_min: Tensor
    tcp_max: Tensor

    @classmethod
    def of(cls, latents: Tensor, states: Tensor) -> LatentStatistics:
        """From latents [M, N, D] and arm states [M, S] of training frames; the map is a ridge regression."""
        features = latent_features(latents).double()
        mean = features.mean(0)
        centred = features - mean
        covariance = centred.T @ centred / max(1, len(features) - 1)
        values, vectors = torch.linalg.eigh(covariance)
        whitening = vectors / values.clamp(min=_FLOOR * float(values[-1])).sqrt()
        xyz = states[:, XYZ].double()
        ridge = 1e-5 * covariance.diagonal().mean() * len(features) * torch.eye(len(mean), dtype=torch.float64)
        weight = torch.linalg.solve(centred.T @ centred + ridge, centred.T @ (xyz - xyz.mean(0)))
        bias = xyz.mean(0) - mean @ weight
        box = xyz.amin(0).float(), xyz.amax(0).float()
        return cls(mean.float(), whitening.float().contiguous(), weight.float(), bias.float(), *box)

    def distance(self, latents: Tensor) -> Tensor:
        """Mahalanobis distance over the root of F, [..]: about 1 for training data; latents [.., N, D]."""
        white = (latent_features(latents) - self.mean) @ self.whitening
        return white.square().mean(-1).sqrt()

    def arm_error_m(self, latents: Tensor, states: Tensor) -> Tensor:
        """Distance [..] between where latents [.., N, D] show the tcp and where states [.., S] say it is."""
        return (self.shown_tcp_m(latents) - states[..., XYZ]).norm(dim=-1)

    def outside_m(self, latents: Tensor) -> Tensor:
        """How far [..] outside of its training box latents [.., N, D] show the tcp."""
        shown = self.shown_tcp_m(latents)
        return (shown - shown.clamp(self.tcp_min, self.tcp_max)).norm(dim=-1)

    def shown_tcp_m(self, latents: Tensor) -> Tensor:
        """Where latents [.., N, D] show the tcp, [.., 3]."""
        return latent_features(latents) @ self.tcp_weight + self.tcp_bias

    def tensors(self) -> dict[str, Tensor]:
        """What is stored."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def feature_count(tokens: int, channels: int) -> int:
    """F for latents of a size."""
    return tokens * channels if tokens * channels <= MAX_FEATURES else channels


def latent_features(latents: Tensor) -> Tensor:
    """Latents [.., N, D] -> [.., F] float32."""
    latents = latents.float()
    tokens, channels = latents.shape[-2:]
    return latents.flatten(-2) if tokens * channels <= MAX_FEATURES else latents.mean(-2)
