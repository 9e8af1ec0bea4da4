"""Reads checkpoints in the layout in which V-JEPA 2-AC was released into an encoder and a predictor."""

import re
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

from jepa_planner.world_model.bundle import name_mismatches
from jepa_planner.world_model.encoder import EncoderConfig, VideoEncoder
from jepa_planner.world_model.predictor import ActionConditionedPredictor, PredictorConfig

PREFIXES = ("module.", "backbone.")
IGNORED = ("pos_embed",)  # older files carry a position table that rotary models never use
HEAD_WIDTH = 64  # of the released ViT-L, ViT-g and predictor


class CheckpointError(ValueError):
    """A file is not a checkpoint in the released layout; the message names what is wrong with it."""


def load_checkpoint(
    path: str | Path,
    image_size: tuple[int, int] = (256, 256),
    encoder_head_width: int = HEAD_WIDTH,
    predictor_head_width: int = HEAD_WIDTH,
) -> tuple[VideoEncoder, ActionConditionedPredictor]:
    """Encoder and predictor of a released file, in eval mode, with the file's own number type.

    Sizes are inferred from the tensors; image_size (height, width) and the head widths are not stored in the
    file. It is mapped, not read: optimizer state never enters memory. Raises CheckpointError naming every
    missing, unexpected or misshapen tensor, and for files that would run code when unpickled.
    """
    try:
        parts = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except (RuntimeError, UnpicklingError, EOFError) as error:
        raise CheckpointError(f"{path}: not a checkpoint that can be mapped, weights only ({error})") from error
    if not isinstance(parts, Mapping):
        raise CheckpointError(f"{path}: holds a {type(parts).__name__}; expected a dict")
    for name in ("encoder", "predictor"):
        if not isinstance(parts.get(name), Mapping):
            raise CheckpointError(f"{path}: has no {name!r}; it holds {', '.join(map(str, parts))}")
    encoder_weights = strip_prefixes(parts["encoder"])
    predictor_weights = strip_prefixes(parts["predictor"])
    try:
        encoder_config = infer_encoder(encoder_weights, image_size, encoder_head_width)
        predictor_config = infer_predictor(predictor_weights, encoder_config.grid, predictor_head_width)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    with torch.device("meta"):
        encoder = VideoEncoder(encoder_config)
        predictor = ActionConditionedPredictor(predictor_config)
    for name, value in (("state_mean", 0.0), ("state_std", 1.0), ("action_std", 1.0)):
        size = predictor.get_buffer(name).shape  # scaling is no part of the released layout: identity
        predictor_weights.setdefault(name, torch.full(size, value))
    _assign(f"{path}: encoder", encoder, encoder_weights)
    _assign(f"{path}: predictor", predictor, predictor_weights)
    return encoder, predictor


def strip_prefixes(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under the names that our modules use."""
    stripped = {}
    for name, tensor in weights.items():
        for prefix in PREFIXES:
            name = name.replace(prefix, "")
        if name not in IGNORED:
            stripped[name] = tensor
    return stripped


def infer_encoder(
    weights: Mapping[str, Tensor], image_size: tuple[int, int], head_width: int = HEAD_WIDTH
) -> EncoderConfig:
    """Sizes of the encoder from the shapes of its tensors; raises ValueError where they do not tell."""
    width, _, tubelet, patch, _ = _shape(weights, "encoder", "patch_embed.proj.weight", 5)
    return EncoderConfig(
        image_size=image_size,
        patch_size=patch,
        tubelet_size=tubelet,
        width=width,
        depth=_depth(weights, "encoder", "blocks"),
        heads=_heads("encoder", width, head_width),
        mlp_hidden=_shape(weights, "encoder", "blocks.0.mlp.fc1.weight", 2)[0],
    )


def infer_predictor(
    weights: Mapping[str, Tensor], grid: tuple[int, int], head_width: int = HEAD_WIDTH
) -> PredictorConfig:
    """Sizes of the predictor from the shapes of its tensors; grid is (rows, columns) of encoder tokens."""
    width, latent_channels = _shape(weights, "predictor", "predictor_embed.weight", 2)
    return PredictorConfig(
        latent_channels=latent_channels,
        grid=grid,
        width=width,
        depth=_depth(weights, "predictor", "predictor_blocks"),
        heads=_heads("predictor", width, head_width),
        mlp_hidden=_shape(weights, "predictor", "predictor_blocks.0.mlp.fc1.weight", 2)[0],
        state_dim=_shape(weights, "predictor", "state_encoder.weight", 2)[1],
        action_dim=_shape(weights, "predictor", "action_encoder.weight", 2)[1],
        extrinsics="extrinsics_encoder.weight" in weights,
    )


def _shape(weights: Mapping[str, Tensor], part: str, name: str, dimensions: int) -> tuple[int, ...]:
    tensor = weights.get(name)
    if not isinstance(tensor, Tensor) or tensor.ndim != dimensions:
        raise ValueError(f"{part}: missing {name} with {dimensions} dimensions, which tells its sizes")
    return tuple(tensor.shape)


def _depth(weights: Mapping[str, Tensor], part: str, blocks: str) -> int:
    found = {match[1] for name in weights if (match := re.match(rf"{blocks}\.(\d+)\.", name))}
    if not found:
        raise ValueError(f"{part}: missing {blocks}.N")
    return len(found)


def _heads(part: str, width: int, head_width: int) -> int:
    if width % head_width:
        raise ValueError(f"{part}: width {width} is no multiple of head width {head_width}; give another one")
    return width // head_width


def _assign(where: str, module: nn.Module, weights: dict[str, Tensor]) -> None:
    if problems := name_mismatches(module, weights):
        raise CheckpointError(f"{where}: " + "; ".join(problems))
    module.load_state_dict(weights, assign=True)
    module.eval()
