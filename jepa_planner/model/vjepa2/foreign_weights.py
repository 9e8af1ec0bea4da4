"""What is found in somebody else's file: sizes inferred from its tensors, and the tensors under our names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from jepa_planner.model.bundle_files import name_mismatches
from jepa_planner.model.encoder import EncoderConfig, VideoEncoder
from jepa_planner.model.predictor import ActionConditionedPredictor, PredictorConfig
from jepa_planner.model.weights_file import Weights, stacked_shape

HEAD_WIDTH = 64  # of the released ViT-L, ViT-g and predictor
VIT_H_WIDTH, VIT_H_HEAD_WIDTH = 1280, 80


class CheckpointError(ValueError):
    """A file does not hold the weights that were looked for; the message names the file and what is wrong with it."""


@dataclass(frozen=True)
class FoundModel:
    """Sizes and weights found in files; the tensors are views of the mapped files, under the names of our modules.

    predictor_config is None where only an encoder was found.
    """

    files: tuple[Path, ...]
    encoder_config: EncoderConfig
    encoder: Weights
    predictor_config: PredictorConfig | None = None
    predictor: Weights = field(default_factory=dict)


def infer_encoder(
    weights: Weights, image_size: tuple[int, int], head_width: int | None = None, name: str = "encoder"
) -> EncoderConfig:
    """Sizes of the encoder from the shapes of its tensors; raises ValueError where they do not tell.

    image_size (height, width) and head_width are not in the weights; the latter is that of the released model of the
    same width by default: 80 for ViT-H, else 64.
    """
    width, _, tubelet, patch, _ = _shape(weights, name, "patch_embed.proj.weight", 5)
    head_width = head_width or (VIT_H_HEAD_WIDTH if width == VIT_H_WIDTH else HEAD_WIDTH)
    return EncoderConfig(
        image_size=image_size,
        patch_size=patch,
        tubelet_size=tubelet,
        width=width,
        depth=_depth(weights, name, "blocks"),
        heads=_heads(name, width, head_width),
        mlp_hidden=_shape(weights, name, "blocks.0.mlp.fc1.weight", 2)[0],
    )


def infer_predictor(weights: Weights, grid: tuple[int, int], head_width: int | None = None) -> PredictorConfig:
    """Sizes of the predictor from the shapes of its tensors; grid is (rows, columns) of encoder tokens."""
    width, latent_channels = _shape(weights, "predictor", "predictor_embed.weight", 2)
    return PredictorConfig(
        latent_channels=latent_channels,
        grid=grid,
        width=width,
        depth=_depth(weights, "predictor", "predictor_blocks"),
        heads=_heads("predictor", width, head_width or HEAD_WIDTH),
        mlp_hidden=_shape(weights, "predictor", "predictor_blocks.0.mlp.fc1.weight", 2)[0],
        state_dim=_shape(weights, "predictor", "state_encoder.weight", 2)[1],
        action_dim=_shape(weights, "predictor", "action_encoder.weight", 2)[1],
        extrinsics="extrinsics_encoder.weight" in weights,
    )


def check_encoder(where: str, config: EncoderConfig, weights: Weights) -> None:
    """Raises CheckpointError naming every tensor that is missing, unexpected, misshapen or not floating-point."""
    with torch.device("meta"):
        _check(where, VideoEncoder(config), weights)


def check_predictor(where: str, config: PredictorConfig, weights: Weights) -> None:
    """As `check_encoder`."""
    with torch.device("meta"):
        _check(where, ActionConditionedPredictor(config), weights)


def as_tensors(where: str, weights: Mapping[object, object]) -> dict[str, Tensor]:
    """The same mapping, once it is sure that it holds tensors by name; raises CheckpointError otherwise."""
    tensors = {}
    for name, value in weights.items():
        if not (isinstance(name, str) and isinstance(value, Tensor)):
            raise CheckpointError(f"{where}: {name!r} is a {type(value).__name__}; expected tensors by name")
        tensors[name] = value
    return tensors


def _check(where: str, module: nn.Module, weights: Weights) -> None:
    problems = name_mismatches(module, {name: stacked_shape(parts) for name, parts in weights.items()})
    for name, parts in weights.items():
        if not all(part.is_floating_point() for part in parts):
            problems.append(f"{name} holds {parts[0].dtype}, expected floating-point numbers")
    if problems:
        raise CheckpointError(f"{where}: " + "; ".join(problems))


def _shape(weights: Weights, part: str, name: str, dimensions: int) -> tuple[int, ...]:
    shape = stacked_shape(weights[name]) if name in weights else ()
    if len(shape) != dimensions or 0 in shape:
        raise ValueError(f"{part}: missing {name} with {dimensions} dimensions, which tells its sizes")
    return shape


def _depth(weights: Weights, part: str, blocks: str) -> int:
    blocks_seen = {match[1] for name in weights if (match := re.match(rf"{blocks}\.(\d+)\.", name))}
    if not blocks_seen:
        raise ValueError(f"{part}: missing {blocks}.N")
    return len(blocks_seen)


def _heads(part: str, width: int, head_width: int) -> int:
    if head_width < 1 or width % head_width:
        raise ValueError(f"{part}: width {width} is no multiple of head width {head_width}; give another one")
    return width // head_width
