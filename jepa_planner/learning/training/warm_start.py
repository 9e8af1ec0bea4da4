"""Training that begins with the weights of another bundle, of other cameras, picture sizes or arm states too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor, nn

from jepa_planner.model.bundle import load_bundle
from jepa_planner.model.contract import ContractError
from jepa_planner.model.encoder import EncoderConfig, VideoEncoder
from jepa_planner.model.predictors import AnyPredictorConfig, make_predictor

OF_VIEWS = "view_embed"
"""The weights of an encoder that are there once for each of its cameras."""


@dataclass(frozen=True)
class WarmStart:
    """What training begins with: weights of an encoder and of a predictor of the sizes asked for.

    fresh: names of weights that the bundle has in no fitting size, which begin at random.
    """

    encoder: dict[str, Tensor]
    predictor_config: AnyPredictorConfig
    predictor: dict[str, Tensor]
    fresh: tuple[str, ...]


def warm_start(bundle: Path, encoder: EncoderConfig, predictors: Sequence[AnyPredictorConfig]) -> WarmStart:
    """Weights of a bundle for an encoder, and for the predictor of its kind among those expected, one of each kind.

    Convolutions and attention know nothing of how large pictures are; a camera that is new begins as one of those that
    were there. Raises ContractError where blocks or latents have other sizes.
    """
    old_encoder, old_predictor, given = load_bundle(bundle)
    old = given.predictor
    wanted = next((config for config in predictors if old is not None and config.kind == old.kind), None)
    seen = replace(
        given.encoder, any_view=encoder.any_view, views=encoder.views, image_size=encoder.image_size
    ) if given.encoder.slots else given.encoder  # fmt: skip
    if seen != encoder or old is None or wanted is None or replace(old, state_dim=wanted.state_dim) != wanted:
        raise ContractError(
            f"{bundle} cannot be begun with: it holds {given.encoder} and {given.predictor}, expected {encoder} and "
            f"{' or '.join(map(str, predictors))}"
        )
    weights = dict(old_encoder.state_dict())
    if OF_VIEWS in weights:
        cameras = [number % given.encoder.views for number in range(encoder.views)]
        weights[OF_VIEWS] = weights[OF_VIEWS][cameras]
    of_encoder, new = _fitting(weights, VideoEncoder(encoder))
    of_predictor, renewed = _fitting(old_predictor.state_dict(), make_predictor(wanted))
    return WarmStart(of_encoder, wanted, of_predictor, (*new, *renewed))


def _fitting(weights: dict[str, Tensor], module: nn.Module) -> tuple[dict[str, Tensor], list[str]]:
    """A module's weights, those taken that have its sizes; and the names of the others."""
    own = module.state_dict()
    fits = {name: name in weights and weights[name].shape == tensor.shape for name, tensor in own.items()}
    return (
        {name: weights[name] if fits[name] else tensor for name, tensor in own.items()},
        [name for name in own if not fits[name]],
    )
