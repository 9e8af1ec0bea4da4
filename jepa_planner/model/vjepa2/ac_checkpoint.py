"""Finds encoder and predictor in files of the layout in which V-JEPA 2 and V-JEPA 2-AC were released."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from jepa_planner.model.vjepa2.foreign_weights import (
    CheckpointError,
    FoundModel,
    as_tensors,
    check_encoder,
    check_predictor,
    infer_encoder,
    infer_predictor,
)
from jepa_planner.model.vjepa2.version_2_1 import (
    IMAGE_SIZE,
    KEYS,
    Embedding,
    as_version_2,
    is_version_2_1,
    with_its_positions,
)
from jepa_planner.model.weights_file import Weights

PREFIXES = ("module.", "backbone.")
IGNORED = ("pos_embed",)  # older files carry a position table that rotary models never use


def find_vjepa2_ac(
    path: Path,
    image_size: tuple[int, int] = (256, 256),
    encoder_head_width: int | None = None,
    predictor_head_width: int | None = None,
) -> FoundModel:
    """Encoder and predictor of a V-JEPA 2-AC file; image_size is (height, width).

    The file is mapped, not read: optimizer state never enters memory. Raises CheckpointError naming every missing,
    unexpected or misshapen tensor, and for a file that would run code when unpickled.
    """
    content = _content(path)
    encoder, predictor = (_part(path, content, name) for name in ("encoder", "predictor"))
    try:
        encoder_config = infer_encoder(encoder, image_size, encoder_head_width)
        predictor_config = infer_predictor(predictor, encoder_config.grid, predictor_head_width)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    # Scaling of states and actions is no part of the released layout: identity.
    for name, size, value in (
        ("state_mean", predictor_config.state_dim, 0.0),
        ("state_std", predictor_config.state_dim, 1.0),
        ("action_std", predictor_config.action_dim, 1.0),
    ):
        predictor.setdefault(name, (torch.full((size,), value),))
    check_encoder(f"{path}: encoder", encoder_config, encoder)
    check_predictor(f"{path}: predictor", predictor_config, predictor)
    return FoundModel((path,), encoder_config, encoder, predictor_config, predictor)


def find_vjepa2_encoder(
    path: Path, image_size: tuple[int, int] | None = None, head_width: int | None = None, key: str | None = None,
    embedding: Embedding | None = None,
) -> FoundModel:  # fmt: skip
    """The encoder of a V-JEPA 2, 2.1 or 2-AC file, as `find_vjepa2_ac`.

    key: where it stands in the file; None: "encoder", and in one of V-JEPA 2.1 where its makers look for it.
    embedding: see `as_version_2`; of V-JEPA 2.1 alone. image_size defaults to (256, 256), and 384 for V-JEPA 2.1.
    """
    content = _content(path)
    if key is None:
        newer = (name for name in KEYS if name in content and is_version_2_1(_part(path, content, name)))
        key = next(newer, "encoder")
    encoder: Weights = _part(path, content, key)
    try:
        if is_version_2_1(encoder):
            encoder = as_version_2(encoder, embedding or "picture")
            config = with_its_positions(infer_encoder(encoder, image_size or IMAGE_SIZE, head_width, key))
        elif embedding is not None:
            raise ValueError(f"{key} has one patch embedding; only V-JEPA 2.1 has one for each of picture and video")
        else:
            config = infer_encoder(encoder, image_size or (256, 256), head_width, key)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    check_encoder(f"{path}: {key}", config, encoder)
    return FoundModel((path,), config, encoder)


def strip_prefixes(weights: Mapping[str, Tensor]) -> dict[str, tuple[Tensor]]:
    """The same tensors under the names that our modules use."""
    stripped = {}
    for name, tensor in weights.items():
        for prefix in PREFIXES:
            name = name.replace(prefix, "")
        if name not in IGNORED:
            stripped[name] = (tensor,)
    return stripped


def _content(path: Path) -> Mapping[str, object]:
    """A file's parts by name, none of them looked at."""
    content = _map(path)
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path}: holds a {type(content).__name__}; expected a dict")
    return content


def _part(path: Path, content: Mapping[str, object], name: str) -> dict[str, tuple[Tensor]]:
    """Views of a named part of a file, prefixes stripped."""
    part = content.get(name)
    if not isinstance(part, Mapping):
        raise CheckpointError(f"{path}: has no {name!r}; it holds {', '.join(map(str, content))}")
    return strip_prefixes(as_tensors(f"{path}: {name}", part))


def _map(path: Path) -> object:
    if not zipfile.is_zipfile(path):
        path.open("rb").close()  # a file that cannot be opened says so itself
        raise CheckpointError(
            f"{path}: not a file of torch.save, or cut short: its zip directory is missing. Fetch it again; one saved "
            "by torch before 1.6 has to be saved anew"
        )
    try:
        return torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except UnpicklingError as error:
        # torch's own message goes on to recommend loading the file with its code.
        what = re.search(r"(?:GLOBAL|Unsupported (?:class|operand|global)) ([\w.]+)", str(error))
        raise CheckpointError(
            f"{path}: holds more than weights{f' ({what[1]})' if what else ''}, and loading it would run code: "
            "refused. Where you trust its origin, save its tensors alone and import that"
        ) from error
    except (RuntimeError, EOFError, LookupError, TypeError, AttributeError, ValueError) as error:
        reason = (str(error) or type(error).__name__).split(". ")[0]
        raise CheckpointError(f"{path}: not a checkpoint that can be mapped ({reason})") from error
