"""One time step of many candidates through the transformer predictor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from jepa_planner.model.layers import Block, each
from jepa_planner.model.predictor import CONDITIONING_TOKENS, ActionConditionedPredictor
from jepa_planner.model.rollout.float_block import FloatBlock, FloatLinear
from jepa_planner.model.rollout.memory import LayerMemory, Turn, split_halves
from jepa_planner.model.rollout.network import StepLinear, StepNetwork

StepBlock = Callable[[Tensor, Turn, LayerMemory, int, int], Tensor]
B = TypeVar("B", bound=StepBlock)


@dataclass(frozen=True)
class Parts(Generic[B]):
    """What a step goes through: the embedding of latents, the blocks, and the read-out."""

    embed: StepLinear
    blocks: Sequence[B]
    read_out: StepLinear


class LayerMemories:
    """Keys and values of candidates, layer by layer."""

    def __init__(self, layers: list[LayerMemory], tokens_per_step: int) -> None:
        self.layers, self._tokens_per_step = layers, tokens_per_step

    def begin_with(self, past: LayerMemories, steps: int) -> None:
        """See `Memory`."""
        shared = steps * self._tokens_per_step
        for layer, known in zip(self.layers, past.layers, strict=True):
            layer.keys[:, :, :shared] = known.keys[:, :, :shared]
            layer.values[:, :, :shared] = known.values[:, :, :shared]


class TransformerNetwork(StepNetwork[LayerMemories]):
    """See `StepNetwork`."""

    parts: Parts[Any]
    _predictor: ActionConditionedPredictor

    def __init__(self, predictor: ActionConditionedPredictor, dtype: torch.dtype) -> None:
        super().__init__(predictor, dtype)
        config = predictor.config
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
        blocks = [FloatBlock(block, dtype) for block in each(predictor.predictor_blocks, Block)]
        self.parts = Parts(lambda x, step: self.embed(x), blocks, lambda x, step: self.read_out(x))

    def new_memory(self, candidates: int, steps: int) -> LayerMemories:
        """See `StepNetwork`."""
        heads, width = self.config.heads, self.config.width
        shape = (candidates, heads, steps * self.tokens_per_step, width // heads)
        layers = [LayerMemory(shape, self.dtype, self._cosine.device) for _ in self.parts.blocks]
        return LayerMemories(layers, self.tokens_per_step)

    def candidate_bytes(self, steps: int, eight_bits: bool) -> int:
        """See `StepNetwork`."""
        config, number = self.config, self.dtype.itemsize
        remembered = 2 * config.depth * steps * config.width * number
        running = 4 * 4 * config.width + number * (5 * config.width + 2 * config.mlp_hidden)
        attending = 4 * config.heads * steps * self.tokens_per_step if eight_bits else 0
        return self.tokens_per_step * (remembered + running + attending)

    def observe(self, latent: Tensor, action: Tensor, state: Tensor, step: int, memory: LayerMemories) -> None:
        """See `StepNetwork`."""
        self._run(self._embed(latent, action, state, step), step, memory.layers)

    def predict(self, latent: Tensor, action: Tensor, state: Tensor, step: int, memory: LayerMemories) -> Tensor:
        """See `StepNetwork`."""
        x = self._run(self._embed(latent, action, state, step), step, memory.layers)
        predicted = self.parts.read_out(self._predictor.predictor_norm(x), step).float()
        return self._predictor.normalise_output(predicted + latent if self.config.residual else predicted)

    def _embed(self, latent: Tensor, action: Tensor, state: Tensor, step: int) -> Tensor:
        p = self._predictor
        tokens = self.parts.embed(latent, step).float()
        if self.config.slot_embedding:
            tokens = tokens + p.slot_embed
        acting = self._embed_action(action / p.action_std)[:, None].float()
        arm = self._embed_state(p.scaled_states(state))[:, None].float()
        return torch.cat([acting, arm, tokens.expand(len(action), -1, -1)], dim=1)

    def _run(self, x: Tensor, step: int, layers: list[LayerMemory]) -> Tensor:
        turn, seen = self.turn(step), step * self.tokens_per_step
        for depth, (block, layer) in enumerate(zip(self.parts.blocks, layers, strict=True)):
            is_last = depth == len(layers) - 1  # of which only the latent tokens are read
            last = self.config.latent_tokens if is_last else self.tokens_per_step
            x = block(x, turn, layer, seen, last)
        return x

    def turn(self, step: int) -> Turn:
        """Rotation of a step's queries and keys."""
        rows = slice(step * self.tokens_per_step, (step + 1) * self.tokens_per_step)
        return Turn(self._cosine[rows], self._signed_sine[rows])
