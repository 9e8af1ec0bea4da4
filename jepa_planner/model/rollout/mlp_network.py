"""One time step of many candidates through an MLP predictor."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from jepa_planner.model.layers import each
from jepa_planner.model.mlp_predictor import MlpPredictor, ResidualMlp
from jepa_planner.model.rollout.float_block import FloatLinear
from jepa_planner.model.rollout.network import StepLinear, StepNetwork


class SeenLatents:
    """The latents that candidates went through, [candidates, steps, numbers]."""

    def __init__(self, candidates: int, steps: int, numbers: int, device: torch.device) -> None:
        self.latents = torch.empty(candidates, steps, numbers, device=device)

    def begin_with(self, past: SeenLatents, steps: int) -> None:
        """See `Memory`."""
        self.latents[:, :steps] = past.latents[:, :steps]


class MlpNetwork(StepNetwork[SeenLatents]):
    """See `StepNetwork`. Its parts are linear maps: into the blocks, two of each block, and out of them."""

    tokens_per_step = 1
    parts: Sequence[StepLinear]
    _predictor: MlpPredictor

    def __init__(self, predictor: MlpPredictor, dtype: torch.dtype) -> None:
        super().__init__(predictor, dtype)
        blocks = each(predictor.blocks, ResidualMlp)
        self._norms = [block.norm for block in blocks]
        inside = [linear for block in blocks for linear in (block.mlp.fc1, block.mlp.fc2)]
        self._embed_arm = FloatLinear(predictor.embed_arm, dtype)
        self.linears = [FloatLinear(x, dtype) for x in (predictor.embed_latents, *inside, predictor.read_out)]
        self.parts = [partial(_at_any_step, linear) for linear in self.linears]

    def new_memory(self, candidates: int, steps: int) -> SeenLatents:
        """See `StepNetwork`."""
        return SeenLatents(candidates, steps, self.config.latent_numbers, self._predictor.device)

    def candidate_bytes(self, steps: int, eight_bits: bool) -> int:
        """See `StepNetwork`."""
        config = self.config
        return 4 * (steps + 6) * config.latent_numbers + 8 * (3 * config.width + 2 * config.mlp_hidden)

    def observe(self, latent: Tensor, action: Tensor, state: Tensor, step: int, memory: SeenLatents) -> None:
        """See `StepNetwork`."""
        memory.latents[:, step] = latent.flatten(1)

    def predict(self, latent: Tensor, action: Tensor, state: Tensor, step: int, memory: SeenLatents) -> Tensor:
        """See `StepNetwork`."""
        p, now = self._predictor, latent.flatten(1)
        memory.latents[: len(action), step] = now
        change = now - memory.latents[: len(now), max(step - 1, 0)]  # at the first step: from itself
        into, *inside, out = self.parts
        acting = torch.cat([action / p.action_std, p.scaled_states(state)], dim=-1)
        x = into(torch.cat([now, change], dim=-1)[:, None], step).float() + self._embed_arm(acting)[:, None].float()
        for norm, fc1, fc2 in zip(self._norms, inside[::2], inside[1::2], strict=True):
            x = x.add_(fc2(F.gelu(fc1(norm(x), step)), step))
        return p.normalise_output(latent + out(p.norm(x), step).float().view(-1, *latent.shape[1:]))


def _at_any_step(linear: FloatLinear, x: Tensor, step: int) -> Tensor:
    return linear(x)
