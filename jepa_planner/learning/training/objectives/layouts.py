"""Layouts of a scene are told apart, and in variants that look different they are told apart alike."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from jepa_planner.learning.training.objectives.encoded import Encoded

TEMPERATURE = 0.15
"""Mean squared difference of latents that makes one layout e times likelier than another."""


class TellLayoutsApart(nn.Module):
    """Cross entropy of finding each layout of one variant among those of another variant of the same scene.

    InfoNCE (arXiv 1807.03748) whose negatives differ from the positive in nothing but where things stand: the arm is at
    rest and cannot tell, and what the table looks like differs between the variants. So latents must say where things
    are, in the same way on every table, and by how far: distances are those that planning sums up. What a variant's
    latents have in common is taken away first, as planning never compares two variants.
    """

    def forward(self, encoded: Encoded, generator: Generator) -> Tensor:
        """See `Term`. Raises ValueError where no layouts were encoded."""
        if encoded.layouts is None:
            raise ValueError("no layouts were encoded; this term compares those of several variants")
        one, other = (encoded.layouts - encoded.layouts.mean(2, keepdim=True)).unbind(1)
        distances = torch.cdist(one, other).square() / one.shape[-1]
        right = torch.arange(one.shape[1], device=one.device).expand(len(one), -1)
        logits = -distances / TEMPERATURE
        there, back = (functional.cross_entropy(way, right) for way in (logits, logits.transpose(1, 2)))
        return 0.5 * (there + back)
