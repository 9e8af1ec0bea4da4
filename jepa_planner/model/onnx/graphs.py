"""What a model looks like as ONNX: the graphs, and the names of their inputs and outputs.

encoder.onnx: images [B, V, 3, H, W], normalised -> latents [B, N, D].

predictor.onnx is one time step: latent [B, N, D], action [B, A], state [B, S], and what the predictor remembers ->
next_latent [B, N, D] in the form of latents.

A transformer remembers keys and values of earlier steps, layer by layer, and each candidate's, this step's included,
come out too. Steps that all candidates share have a batch of one (shared_*, [1, heads, tokens, head_size]); those of
each candidate's own (own_*, [B, heads, tokens, head_size]) grow by one step's tokens to new_own_*. Both may be empty.
An MLP remembers the latent of the step before, [B, N, D]; at the first step it is given the present one again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from jepa_planner.model.layers import KeyValueCache
from jepa_planner.model.mlp_predictor import LastLatent
from jepa_planner.model.predictor import CONDITIONING_TOKENS, PredictorConfig, StepCache
from jepa_planner.model.predictor_kind import Predictor

ENCODER_ONNX, PREDICTOR_ONNX = "encoder.onnx", "predictor.onnx"
ENCODER_INPUTS, ENCODER_OUTPUTS = ("images",), ("latents",)
STEP_INPUTS = ("latent", "action", "state")
BEFORE = "latent_before"
NEXT_LATENT = "next_latent"

Pairs = Sequence[tuple[Tensor, Tensor]]
"""Keys and values of each layer."""


def memory_names(prefix: str, depth: int) -> list[str]:
    """Names of the keys and values of each layer, in their order."""
    return [f"{prefix}_{kind}_{layer}" for layer in range(depth) for kind in ("keys", "values")]


def step_outputs(config: PredictorConfig) -> list[str]:
    """Names of what comes out of a transformer's step, in their order."""
    return [NEXT_LATENT, *memory_names("new_own", config.depth)]


def tokens_per_step(config: PredictorConfig) -> int:
    """Keys that one time step adds to each layer of a transformer."""
    return config.latent_tokens + CONDITIONING_TOKENS


class StepGraph(nn.Module, ABC):
    """A predictor's `step` and `normalise_output` with all memory passed in and out.

    inputs, outputs: their names in order. dynamic: which axes of the inputs may have any size.
    """

    inputs: Sequence[str]
    outputs: Sequence[str]
    dynamic: tuple[Any, ...]

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.predictor = predictor

    def example(self, candidates: int) -> tuple:
        """Inputs for so many candidates, 2 or more, and two earlier steps: the exporter takes 0 and 1 for constants."""
        config = self.predictor.config
        latent = draw(candidates, config.latent_tokens, config.latent_channels)
        action, state = draw(candidates, config.action_dim), draw(candidates, config.state_dim)
        return latent, action, state, *self._remembered(candidates)

    @abstractmethod
    def _remembered(self, candidates: int) -> tuple: ...


class TransformerStepGraph(StepGraph):
    """See the module; keys and values as pairs per layer."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__(predictor)
        config, some = predictor.config, torch.export.Dim.DYNAMIC
        self.inputs = [*STEP_INPUTS, *memory_names("shared", config.depth), *memory_names("own", config.depth)]
        self.outputs = step_outputs(config)
        shared, own = ({2: some}, {2: some}), ({0: some, 2: some}, {0: some, 2: some})
        self.dynamic = ({0: some}, {0: some}, {0: some}, [shared] * config.depth, [own] * config.depth)

    def forward(
        self, latent: Tensor, action: Tensor, state: Tensor, shared: Pairs, own: Pairs
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        candidates, common = latent.shape[0], shared[0][0].shape[2]
        layers = [
            KeyValueCache(
                *(torch.cat([s.expand(candidates, -1, -1, -1), o], dim=2) for s, o in zip(*pair, strict=True))
            )
            for pair in zip(shared, own, strict=True)
        ]
        steps = (common + own[0][0].shape[2]) // tokens_per_step(self.predictor.config)
        cache = StepCache(layers, steps)
        out = self.predictor.normalise_output(self.predictor.step(latent, action, state, cache))
        return out, [layer.behind(common) for layer in layers]

    def _remembered(self, candidates: int) -> tuple:
        config = self.predictor.config
        tokens, size = 2 * tokens_per_step(config), config.width // config.heads

        def memory(batch: int) -> list[tuple[Tensor, Tensor]]:
            shape = (batch, config.heads, tokens, size)
            return [(draw(*shape), draw(*shape)) for _ in range(config.depth)]

        return memory(1), memory(candidates)


class MlpStepGraph(StepGraph):
    """See the module."""

    inputs, outputs = (*STEP_INPUTS, BEFORE), (NEXT_LATENT,)
    dynamic = ({0: torch.export.Dim.DYNAMIC},) * 4

    def forward(self, latent: Tensor, action: Tensor, state: Tensor, before: Tensor) -> Tensor:
        return self.predictor.normalise_output(self.predictor.step(latent, action, state, LastLatent(before)))

    def _remembered(self, candidates: int) -> tuple:
        return (draw(candidates, self.predictor.config.latent_tokens, self.predictor.config.latent_channels),)


STEP_GRAPHS: dict[str, type[StepGraph]] = {"transformer": TransformerStepGraph, "mlp": MlpStepGraph}
"""By kind of predictor."""


def draw(*shape: int) -> Tensor:
    """Normal numbers, the same each time."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))
