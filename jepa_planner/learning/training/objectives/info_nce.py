"""InfoNCE: a predicted latent is told from all other frames of the batch."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from jepa_planner.learning.training.objectives.encoded import Encoded


class InfoNce(nn.Module):
    """Cross entropy of picking, for each predicted latent, its own frame among all predicted ones (arXiv 1807.03748).

    Likeness is the mean squared difference, the planner's energy, divided by -temperature. Other frames of the same
    window count among the wrong answers, so that time must leave a trace. Latents that are all alike score the
    logarithm of the number of frames.
    """

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, encoded: Encoded, generator: Generator) -> Tensor:
        """See `Term`."""
        predicted, true = encoded.predicted.flatten(0, 1), encoded.latents[:, 1:].flatten(0, 1)
        if len(predicted) < 2:
            raise ValueError(f"{len(predicted)} predicted frame has no others; InfoNCE needs at least 2")
        product = predicted @ true.T
        apart = predicted.square().sum(1)[:, None] - 2.0 * product + true.square().sum(1)
        logits = -apart / (predicted.shape[1] * self.temperature)
        return F.cross_entropy(logits, torch.arange(len(predicted), device=logits.device))
