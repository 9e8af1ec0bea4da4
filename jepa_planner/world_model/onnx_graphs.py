"""What a model looks like as ONNX: the graphs, and the names of their inputs and outputs.

encoder.onnx: images [B, V, 3, H, W], normalised -> latents [B, N, D].

predictor.onnx is one time step: latent [B, N, D], action [B, A], state [B, S], and the keys and values of earlier
steps, layer by layer -> next_latent [B, N, D] in the form of latents, and each candidate's keys and values, this step's
included. Steps that all candidates share have a batch of one (shared_*, [1, heads, tokens, head_size]); those of each
candidate's own (own_*, [B, heads, tokens, head_size]) grow by one step's tokens to new_own_*. Both may be empty.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from jepa_planner.world_model.layers import KeyValueCache
from jepa_planner.world_model.predictor import (
    CONDITIONING_TOKENS,
    ActionConditionedPredictor,
    PredictorConfig,
    StepCache,
)

ENCODER_ONNX, PREDICTOR_ONNX = "encoder.onnx", "predictor.onnx"
ENCODER_INPUTS, ENCODER_OUTPUTS = ("images",), ("latents",)
STEP_INPUTS = ("latent", "action", "state")
NEXT_LATENT = "next_latent"

Pairs = Sequence[tuple[Tensor, Tensor]]
"""Keys and values of each layer."""


def memory_names(prefix: str, depth: int) -> list[str]:
    """Names of the keys and values of each layer, in their order."""
    return [f"{prefix}_{kind}_{layer}" for layer in range(depth) for kind in ("keys", "values")]


def predictor_inputs(config: PredictorConfig) -> list[str]:
    """Names of the step's inputs, in their order."""
    return [*STEP_INPUTS, *memory_names("shared", config.depth), *memory_names("own", config.depth)]


def predictor_outputs(config: PredictorConfig) -> list[str]:
    """Names of the step's outputs, in their order."""
    return [NEXT_LATENT, *memory_names("new_own", config.depth)]


def tokens_per_step(config: PredictorConfig) -> int:
    """Keys that one time step adds to each layer."""
    return config.latent_tokens + CONDITIONING_TOKENS


class StepGraph(nn.Module):
    """`ActionConditionedPredictor.step` and `normalise_output` with all memory passed in and out."""

    def __init__(self, predictor: ActionConditionedPredictor) -> None:
        super().__init__()
        self.predictor = predictor

    def forward(
        self, latent: Tensor, action: Tensor, state: Tensor, shared: Pairs, own: Pairs
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """See the module; keys and values as pairs per layer."""
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
        return out, [(layer.keys[:, :, common:], layer.values[:, :, common:]) for layer in layers]
