"""What is known of one moment: what the cameras show, as a model sees it, and how the arm stands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Observation:
    """One moment, or a batch of them along leading axes that all fields share; float32.

    latent: [.., N, D], of all views in the encoder's space. images: [.., V, 3, H, W], the pictures as the encoder takes
    them, for heads that look at them; None where the model has none. state: [.., S], the arm's, in m, rad and gripper
    closure; None of a goal picture, which does not tell it. stamp_s: of the oldest picture; 0: not known.
    """

    latent: Tensor
    images: Tensor | None = None
    state: Tensor | None = None
    stamp_s: float = 0.0

    def __getitem__(self, index: Any) -> Observation:
        """One of a batch, or a part of it; None as index makes a batch of one."""
        return self._each(lambda field: field[index])

    def to(self, device: str | torch.device) -> Observation:
        """The same on a device, as float32."""
        return self._each(lambda field: field.to(device, torch.float32))

    @property
    def arm_state(self) -> Tensor:
        """`state` where it has to be known; raises ValueError where it is not."""
        if self.state is None:
            raise ValueError("the observation has no arm state; expected that of the arm at rest")
        return self.state

    def with_state(self, state: np.ndarray | Tensor) -> Observation:
        """The same with the arm's state [S]."""
        return replace(self, state=torch.as_tensor(state, dtype=torch.float32))

    def _each(self, change: Any) -> Observation:
        images, state = (None if field is None else change(field) for field in (self.images, self.state))
        return replace(self, latent=change(self.latent), images=images, state=state)
