"""One time step of many candidates through the predictor: what every rollout consists of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from jepa_planner.world_model.predictor import CONDITIONING_TOKENS, ActionConditionedPredictor
from jepa_planner.world_model.rollouts.float_block import FloatBlock, FloatLinear
from jepa_planner.world_model.rollouts.memory import LayerMemory, Turn, split_halves

StepBlock = Callable[[Tensor, Turn, LayerMemory, int, int], Tensor]
StepLinear = Callable[[Tensor, int], Tensor]
"""Maps what enters at a step, whose number is given too."""


@dataclass(frozen=True)
class Parts:
    """What a step goes through: the embedding of latents, the blocks, and the read-out."""

    embed: StepLinear
    blocks: Sequence[StepBlock]
    read_out: StepLinear


class StepNetwork:
    """`ActionConditionedPredictor.step` and `normalise_output`, without gradients, over memories written in place.

    Matrix products run in dtype. `with_parts` gives the same network other parts.
    """

    def __init__(self, predictor: ActionConditionedPredictor, dtype: torch.dtype) -> None:
        config = predictor.config
        self._predictor, self.config, self.dtype = predictor, config, dtype
        self.tokens_per_step = CONDITIONING_TOKENS + config.latent_tokens
        self.embed, self._embed_action, self._embed_state, self.read_out = (
            FloatLinear(linear, dtype)
            for linear in (
                predictor.predictor_embed, predictor.action_encoder, predictor.state_encoder, predictor.predictor_proj,
            )
        )  # fmt: skip
        order = split_halves(config.width // config.heads)
        tables = predictor.rotary_cosine, predictor.rotary_sine
        self._cosine, self._signed_sine = (table[:, order].to(dtype) for table in tables)
        blocks = [FloatBlock(block, dtype) for block in predictor.predictor_blocks]
        self.parts = Parts(lambda x, step: self.embed(x), blocks, lambda x, step: self.read_out(x))

    def with_parts(self, parts: Parts) -> StepNetwork:
        """The same network with other parts."""
        other = copy(self)
        other.parts = parts
        return other

    def new_memory(self, candidates: int, steps: int) -> list[LayerMemory]:
        """Room for so many candidates and steps, one memory per layer."""
        heads, width = self.config.heads, self.config.width
        shape = (candidates, heads, steps * self.tokens_per_step, width // heads)
        return [LayerMemory(shape, self.dtype, self._cosine.device) for _ in self.parts.blocks]

    def observe(self, latent: Tensor, action: Tensor, state: Tensor, step: int, memory: list[LayerMemory]) -> None:
        """Adds a step to the memory whose outcome is known."""
        self._run(self._embed(latent, action, state, step), step, memory)

    def predict(
        self,
        latent: Tensor,
        action: Tensor,
        state: Tensor,
        step: int,
        memory: list[LayerMemory],
    ) -> Tensor:
        """The next latent [C, N, D] float32, normalised.

        latent [C, N, D], or [1, N, D] where all candidates share it; action [C, A]; state [C, S]. step counts from
        the first one in the memory, which grows.
        """
        x = self._run(self._embed(latent, action, state, step), step, memory)
        predicted = self.parts.read_out(self._predictor.predictor_norm(x), step).float()
        return self._predictor.normalise_output(predicted + latent if self.config.residual else predicted)

    def _embed(self, latent: Tensor, action: Tensor, state: Tensor, step: int) -> Tensor:
        p = self._predictor
        tokens = self.parts.embed(latent, step).float()
        if self.config.slot_embedding:
            tokens = tokens + p.slot_embed
        acting = self._embed_action(action / p.action_std)[:, None].float()
        arm = self._embed_state((state - p.state_mean) / p.state_std)[:, None].float()
        return torch.cat([acting, arm, tokens.expand(len(action), -1, -1)], dim=1)

    def _run(self, x: Tensor, step: int, memory: list[LayerMemory]) -> Tensor:
        turn, seen = self.turn(step), step * self.tokens_per_step
        for depth, (block, layer) in enumerate(zip(self.parts.blocks, memory, strict=True)):
            is_last = depth == len(memory) - 1  # of which only the latent tokens are read
            last = self.config.latent_tokens if is_last else self.tokens_per_step
            x = block(x, turn, layer, seen, last)
        return x

    def turn(self, step: int) -> Turn:
        """Rotation of a step's queries and keys."""
        rows = slice(step * self.tokens_per_step, (step + 1) * self.tokens_per_step)
        return Turn(self._cosine[rows], self._signed_sine[rows])
