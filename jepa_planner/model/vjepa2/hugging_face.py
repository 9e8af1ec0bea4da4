"""Finds the encoder in the layout of Hugging Face's `VJEPA2Model`: config.json and safetensors."""

import json
import re
from pathlib import Path

from safetensors import SafetensorError
from torch import Tensor

from jepa_planner.model.layers import NORM_EPS
from jepa_planner.model.vjepa2.foreign_weights import CheckpointError, FoundModel, check_encoder, infer_encoder
from jepa_planner.model.weights_file import map_weights

CONFIG_FILE = "config.json"
OUTER_PREFIX = "vjepa2."  # of models with a classifier on top
ENCODER_PREFIX = "encoder."
OTHER_PARTS = ("predictor.", "pooler.", "classifier.")  # of masked pretraining and of classifiers
RENAMED = (
    (r"^embeddings\.patch_embeddings\.proj\.", "patch_embed.proj."),
    (r"^layer\.(\d+)\.attention\.proj\.", r"blocks.\1.attn.proj."),
    (r"^layer\.(\d+)\.", r"blocks.\1."),
    (r"^layernorm\.", "norm."),
)
SPLIT = re.compile(r"^layer\.(\d+)\.attention\.(query|key|value)\.(weight|bias)$")
FIXED = {"model_type": "vjepa2", "hidden_act": "gelu", "layer_norm_eps": NORM_EPS, "qkv_bias": True, "in_chans": 3}


def find_hf_encoder(path: Path, image_size: tuple[int, int] | None = None, head_width: int | None = None) -> FoundModel:
    """The encoder of a folder as `save_pretrained` writes it, or of one safetensors file.

    image_size (height, width) and head_width default to what config.json says, and without one to 256 pixels and the
    released model of the same width. The files are mapped, not read. Raises CheckpointError naming a setting that our
    encoder does not have and every missing, unexpected or misshapen tensor.
    """
    config = _read_config(path / CONFIG_FILE) if path.is_dir() else {}
    files = tuple(sorted(path.glob("*.safetensors"))) if path.is_dir() else (path,)
    if not files:
        raise CheckpointError(f"{path}: holds no *.safetensors")
    tensors: dict[str, Tensor] = {}
    for file in files:
        try:
            tensors |= map_weights(file)
        except SafetensorError as error:
            raise CheckpointError(f"{file}: not a safetensors file, or cut short ({error})") from error
    weights = rename(tensors)
    if not image_size:
        side = config.get("crop_size", 256)
        image_size = (side, side)
    try:
        if not head_width and config:
            head_width = config["hidden_size"] // config["num_attention_heads"]
        sizes = infer_encoder(weights, image_size, head_width)
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    check_encoder(f"{path}: encoder", sizes, weights)
    return FoundModel(files, sizes, weights)


def rename(tensors: dict[str, Tensor]) -> dict[str, tuple[Tensor, ...]]:
    """The encoder's tensors under our names; query, key and value become the parts of one.

    What does not fit keeps its name, so that a check finds it.
    """
    weights: dict[str, tuple[Tensor, ...]] = {}
    for name in tensors:
        inner = name.removeprefix(OUTER_PREFIX)
        if inner.startswith(OTHER_PARTS):
            continue
        inner = inner.removeprefix(ENCODER_PREFIX)
        split = SPLIT.match(inner)
        if split and (parts := _query_key_value(tensors, name, split[2])):
            weights[f"blocks.{split[1]}.attn.qkv.{split[3]}"] = parts
            continue
        for pattern, ours in () if split else RENAMED:
            inner = re.sub(pattern, ours, inner)
        weights[inner] = (tensors[name],)
    return weights


def _query_key_value(tensors: dict[str, Tensor], name: str, which: str) -> tuple[Tensor, ...]:
    """The three tensors of which `name` is one, or nothing where they are not complete and alike."""
    parts = [tensors.get(name.replace(f".{which}.", f".{part}.")) for part in ("query", "key", "value")]
    alike = tuple(part for part in parts if part is not None and part.shape == tensors[name].shape)
    return alike if len(alike) == len(parts) and tensors[name].ndim else ()


def _read_config(path: Path) -> dict:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error}); give the safetensors file itself instead") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path}: holds a {type(config).__name__}; expected the settings of a VJEPA2Model")
    for name, expected in FIXED.items():
        if (value := config.get(name, expected)) != expected:
            raise CheckpointError(f"{path}: {name} is {value!r}; the V-JEPA 2 encoder has {expected!r}")
    return config
