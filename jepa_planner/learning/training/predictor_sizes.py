"""Sizes of a predictor that is trained from nothing."""

from __future__ import annotations

from typing import Any, Literal, get_args

from jepa_planner.model.encoder import EncoderConfig
from jepa_planner.model.mlp_predictor import MlpPredictorConfig
from jepa_planner.model.predictor import PredictorConfig
from jepa_planner.model.predictors import AnyPredictorConfig

PredictorKind = Literal["transformer", "mlp"]
PREDICTOR_KINDS: tuple[PredictorKind, ...] = get_args(PredictorKind)


def usual_kind(encoder: EncoderConfig) -> PredictorKind:
    """The kind that suits an encoder's latents: an MLP those of a few slots, a transformer those of many tokens."""
    return "mlp" if encoder.slots else "transformer"


def new_predictor_config(
    encoder: EncoderConfig, state_dim: int, action_dim: int, kind: PredictorKind | None = None
) -> AnyPredictorConfig:
    """Sizes for an encoder's latents; None: of the usual kind. Raises ValueError where that kind is not for them."""
    fixed: dict[str, Any] = {
        "latent_channels": encoder.latent_channels, "grid": encoder.latent_grid, "state_dim": state_dim,
        "action_dim": action_dim,
    }  # fmt: skip
    if (kind or usual_kind(encoder)) == "mlp":
        return MlpPredictorConfig(**fixed, width=384, depth=2, mlp_hidden=768)
    if not encoder.slots:
        return PredictorConfig(**fixed, width=384, depth=6, heads=6, mlp_hidden=1536, extrinsics=False)
    return PredictorConfig(
        **fixed, width=192, depth=3, heads=3, mlp_hidden=768, slot_embedding=True, residual=True, output_norm="none",
        extrinsics=False,
    )  # fmt: skip
