"""Latents know what the arm did and where it is: its own joints are the teacher."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from jepa_planner.learning.training.objectives.encoded import ARM_CHANNELS, Encoded

YAW_IMPORTANCE = 2.0
GRIPPER_IMPORTANCE = 8.0


class InverseDynamics(nn.Module):
    """Squared error of the arm's change of state, read by a small network from the latents before and after.

    Errors of the gripper count GRIPPER_IMPORTANCE times: its fingers are few pixels wide, and without that the latents
    leave them out.
    """

    def __init__(self, latent_numbers: int) -> None:
        super().__init__()
        self.read = nn.Sequential(nn.Linear(2 * latent_numbers, 256), nn.GELU(), nn.Linear(256, len(ARM_CHANNELS)))
        importance = torch.tensor([1.0, 1.0, 1.0, YAW_IMPORTANCE, GRIPPER_IMPORTANCE])
        self.register_buffer("importance", importance / importance.mean(), persistent=False)

    def forward(self, encoded: Encoded, generator: Generator) -> Tensor:
        """See `Term`."""
        read = self.read(torch.cat([encoded.latents[:, :-1], encoded.latents[:, 1:]], dim=-1))
        return ((read - encoded.arm_change).pow(2) * self.importance).mean()


class StateReadout(nn.Module):
    """Squared error of the arm's state, read by a small network from the predicted latent."""

    def __init__(self, latent_numbers: int) -> None:
        super().__init__()
        self.read = nn.Sequential(nn.Linear(latent_numbers, 128), nn.GELU(), nn.Linear(128, len(ARM_CHANNELS)))

    def forward(self, encoded: Encoded, generator: Generator) -> Tensor:
        """See `Term`."""
        return (self.read(encoded.predicted) - encoded.arm[:, 1:]).pow(2).mean()
