"""How many floating-point operations planning needs, counted from the sizes of a predictor.

A multiplication and an addition are two operations. Norms, softmax, GELU and rotations are left out, as is usual: they
are a few per cent of the operations, though not of the time.
"""

from __future__ import annotations

from jepa_planner.model.mlp_predictor import MlpPredictorConfig
from jepa_planner.model.predictor import CONDITIONING_TOKENS, PredictorConfig
from jepa_planner.model.predictors import AnyPredictorConfig
from jepa_planner.planning.solvers.settings import SearchSettings


def step_flops(config: AnyPredictorConfig, steps_before: int) -> float:
    """One more time step of one candidate, which attends to so many steps before it: what the fast path runs."""
    if config.kind == "mlp":
        return _mlp_flops(config)
    return _tokens_flops(config) + _attention_flops(config, steps_before + 1)


def fast_flops(config: AnyPredictorConfig, horizon: int, past: int = 0) -> float:
    """A rollout of one candidate from `past` steps that all share."""
    return sum(step_flops(config, past + step) for step in range(horizon))


def search_flops(config: AnyPredictorConfig, search: SearchSettings, past: int = 0) -> float:
    """A whole search along the fast path; what candidates share is not counted."""
    return search.samples * search.iterations * fast_flops(config, search.horizon, past)


def _mlp_flops(config: MlpPredictorConfig) -> float:
    ends = config.width * (3 * config.latent_numbers + config.action_dim + config.state_dim)
    return 2 * (ends + 2 * config.depth * config.width * config.mlp_hidden)


def _tokens_flops(config: PredictorConfig) -> float:
    per_token = 2 * config.depth * (4 * config.width**2 + 2 * config.width * config.mlp_hidden)
    into_and_out = 2 * 2 * config.latent_channels * config.width * config.latent_tokens
    conditioning = 2 * config.width * (config.action_dim + config.state_dim)
    return per_token * _tokens(config) + into_and_out + conditioning


def _attention_flops(config: PredictorConfig, seen: int) -> float:
    """Scores and weighted sums: 2 products of [queries, width] with [keys, width] per layer."""
    return 2 * 2 * config.depth * config.width * _tokens(config) * (seen * _tokens(config))


def _tokens(config: PredictorConfig) -> int:
    return CONDITIONING_TOKENS + config.latent_tokens
