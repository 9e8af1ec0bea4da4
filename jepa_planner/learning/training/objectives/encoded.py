"""What every term of an objective is given, and the shape that it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Generator, Tensor

from jepa_planner.core.arm_layout import MEASURED, YAW, X, Y, Z


@dataclass(frozen=True)
class Encoded:
    """A batch of windows after encoder and predictor; latents are flattened to D numbers a frame.

    latents [B, T, D]; predicted [B, T-1, D]: of frames 1 to T-1; arm [B, T, 5]: what a camera can see of the arm's own
    state (ARM_CHANNELS), standardised; arm_change [B, T-1, 5]: its change in each step, in units of ARM_CHANGE_SCALE.
    together: so many windows in a row show the same scene, or are variants of the same motion. layouts [scenes,
    variants, L, D]: of scenes in which only things move, see `LayoutBatches`; None: no such were encoded.
    """

    latents: Tensor
    predicted: Tensor
    arm: Tensor
    arm_change: Tensor
    together: int = 1
    layouts: Tensor | None = None


class Term(Protocol):
    """One term of a training objective; modules with weights of their own are trained along."""

    def __call__(self, encoded: Encoded, generator: Generator) -> Tensor:
        """A loss (scalar); what is random in it comes from the generator."""


ARM_CHANNELS = (X, Y, Z, YAW, MEASURED)
"""Channels of the arm state that a camera can see: x, y, z, yaw and the measured closure."""
ARM_CHANGE_SCALE = (0.03, 0.03, 0.03, 0.06, 0.3)
"""Typical change of those channels in one step (m, rad, closure), which makes the targets of unit size."""
