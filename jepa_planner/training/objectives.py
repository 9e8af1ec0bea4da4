"""What the encoder is trained for: predict the next latent, stay spread out, and know what the arm did."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from jepa_planner.world_model.encoder import VideoEncoder
from jepa_planner.world_model.predictor import ActionConditionedPredictor

ARM_CHANNELS = (0, 1, 2, 7)
"""Channels of the arm state that a camera can see: x, y, z and the measured closedness."""
ARM_CHANGE_SCALE = (0.03, 0.03, 0.03, 0.3)
"""Typical change of those channels in one step (m, closedness), which makes the regression targets of unit size."""


class Sigreg(nn.Module):
    """Distance of latents from an isotropic Gaussian, seen through random one-dimensional slices.

    forward: latents [M, D] -> scalar. For each of `slices` random directions the empirical characteristic function is
    compared with that of N(0, 1) (Epps-Pulley test). The sum over `knots` in 0..3 is weighted by the Gaussian and
    scaled by M, so that its size for Gaussian latents does not depend on M. Collapsed latents score high. Source:
    LeJEPA (arXiv 2511.08544).
    """

    def __init__(self, slices: int = 256, knots: int = 17) -> None:
        super().__init__()
        t = torch.linspace(0.0, 3.0, knots)
        gaussian = torch.exp(-0.5 * t**2)
        trapezoid = torch.full((knots,), 2 * 3.0 / (knots - 1))
        trapezoid[[0, -1]] /= 2
        self.slices = slices
        self.register_buffer("t", t, persistent=False)
        self.register_buffer("gaussian", gaussian, persistent=False)
        self.register_buffer("weights", trapezoid * gaussian, persistent=False)

    def forward(self, latents: Tensor, generator: torch.Generator) -> Tensor:
        directions = torch.randn(latents.shape[-1], self.slices, generator=generator, device="cpu").to(latents)
        directions = directions / directions.norm(dim=0)
        angles = (latents @ directions)[..., None] * self.t
        error = (angles.cos().mean(0) - self.gaussian) ** 2 + angles.sin().mean(0) ** 2
        return (error @ self.weights).mean() * len(latents)


@dataclass(frozen=True)
class JointWeights:
    """Weights of the terms of `JointObjective`; `gripper` weighs the gripper inside the inverse dynamics."""

    sigreg: float = 0.1
    inverse: float = 0.5
    state: float = 0.1
    gripper: float = 8.0


class JointObjective(nn.Module):
    """Encoder and predictor trained together, without stop-gradient or teacher; collapse is kept off by `Sigreg`.

    Terms: squared error of the predicted next latents; Sigreg at each time step; inverse dynamics (the change of the
    arm's own state from two latents); the arm's own state from the predicted latents. No pixels are reconstructed and
    no object labels are used: the arm's state is its own measurement.
    """

    def __init__(self, encoder: VideoEncoder, predictor: ActionConditionedPredictor, weights: JointWeights) -> None:
        super().__init__()
        self.encoder = encoder
        self.predictor = predictor
        self.weights = weights
        self.sigreg = Sigreg()
        numbers = encoder.config.latent_tokens * encoder.config.latent_channels
        arm = len(ARM_CHANNELS)
        self.inverse_dynamics = nn.Sequential(nn.Linear(2 * numbers, 256), nn.GELU(), nn.Linear(256, arm))
        self.state_readout = nn.Sequential(nn.Linear(numbers, 128), nn.GELU(), nn.Linear(128, arm))
        self.register_buffer("change_scale", torch.tensor(ARM_CHANGE_SCALE), persistent=False)
        importance = torch.tensor([1.0, 1.0, 1.0, weights.gripper])
        self.register_buffer("importance", importance / importance.mean(), persistent=False)

    def forward(self, images: Tensor, states: Tensor, actions: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """images [B, T, V, 3, H, W], states [B, T, S], actions [B, T-1, A] -> named losses, "total" among them."""
        batch, frames = images.shape[:2]
        latents = self.encoder(images.flatten(0, 1)).unflatten(0, (batch, frames))
        predicted = self.predictor.normalise_output(self.predictor(latents[:, :-1], actions, states[:, :-1]))
        flat = latents.flatten(2)
        arm = states[..., list(ARM_CHANNELS)]
        change = (arm[:, 1:] - arm[:, :-1]) / self.change_scale
        inverse = self.inverse_dynamics(torch.cat([flat[:, :-1], flat[:, 1:]], dim=-1))
        channels = list(ARM_CHANNELS)
        standard = (arm - self.predictor.state_mean[channels]) / self.predictor.state_std[channels]
        losses = {
            "prediction": (predicted - latents[:, 1:]).pow(2).mean(),
            "sigreg": torch.stack([self.sigreg(flat[:, t], generator) for t in range(frames)]).mean(),
            "inverse": ((inverse - change).pow(2) * self.importance).mean(),
            "state": (self.state_readout(predicted.flatten(2)) - standard[:, 1:]).pow(2).mean(),
        }
        w = self.weights
        losses["total"] = (
            losses["prediction"]
            + w.sigreg * losses["sigreg"]
            + w.inverse * losses["inverse"]
            + w.state * losses["state"]
        )
        return losses
