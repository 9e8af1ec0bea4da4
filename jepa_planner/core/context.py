"""What was seen and done up to now: where rollouts begin."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Context:
    """What was seen and done up to now, oldest first; the last frame is the present.

    latents [T, N, D], states [T, S] and the actions [T-1, A] executed between them, all float32.
    """

    latents: Tensor
    states: Tensor
    actions: Tensor

    def to(self, device: torch.device) -> "Context":
        """The same on a device."""
        return Context(self.latents.to(device), self.states.to(device), self.actions.to(device))
