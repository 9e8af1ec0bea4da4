"""The files of a model bundle: their names, and that each is the one that was written and lies where it should."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from torch import nn

from jepa_planner.model.contract import Contract
from jepa_planner.model.older_names import OLDER_FILES
from jepa_planner.model.weights_file import read_weights, weight_shapes

CONTRACT_FILE, PLANNER_FILE = "model.yaml", "planner.yaml"
ENCODER_FILE, PREDICTOR_FILE = "encoder.safetensors", "predictor.safetensors"
STATISTICS_FILE = "latent_statistics.safetensors"
SUB_GOALS_FILE, DECODER_FILE = "sub_goals.safetensors", "decoder.safetensors"
VERDICT_FILE, VIEWING_DECODER_FILE = "verdict.safetensors", "viewing_decoder.safetensors"
M = TypeVar("M", bound=nn.Module)


class BundleError(ValueError):
    """A bundle is incomplete, altered or inconsistent; the message names the file and the field."""


def sha256(path: Path, advance: Callable[[int], object] = lambda _: None) -> str:
    """Hash of a file's bytes in hexadecimal; advance is called with the number of bytes read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            advance(len(block))
    return digest.hexdigest()


def name_mismatches(module: nn.Module, shapes: Mapping[str, Sequence[int]]) -> list[str]:
    """Every tensor that is missing, unexpected or misshapen for a module, in words."""
    needed = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    problems = [f"missing {name} {list(needed[name])}" for name in needed if name not in shapes]
    problems += [f"unexpected {name} {list(shapes[name])}" for name in shapes if name not in needed]
    for name in needed.keys() & shapes.keys():
        if needed[name] != tuple(shapes[name]):
            problems.append(f"misshapen {name}: {list(shapes[name])}, expected {list(needed[name])}")
    return sorted(problems)


def check_files(folder: Path, contract: Contract, needed: Sequence[str]) -> None:
    """Raises BundleError where a needed file is not listed, or a listed one is not there as it was written."""
    check_listed(folder, contract, needed)
    for name, expected in contract.files.items():
        check_hash(folder, name, expected)


def check_listed(folder: Path, contract: Contract, needed: Sequence[str]) -> None:
    """Raises BundleError naming the first needed file that the contract does not list."""
    for name in needed:
        if name not in contract.files:
            raise BundleError(f"{folder / CONTRACT_FILE}: files: missing {name}")


def check_hash(folder: Path, name: str, expected: str) -> None:
    """Raises BundleError where a file's bytes are not those that were written."""
    path = inside(folder, name)
    if (digest := sha256(path)) != expected:
        raise BundleError(
            f"{path}: sha256 is {digest}, but {CONTRACT_FILE} says {expected}: the file was altered or cut "
            "short; copy or train the bundle again"
        )


def inside(folder: Path, name: str) -> Path:
    """The path of a listed file, which must exist and, links followed, lie within the folder."""
    path = (folder / name).resolve()
    if not path.is_file() and (folder / OLDER_FILES.get(name, name)).is_file():
        path = (folder / OLDER_FILES[name]).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise BundleError(f"{folder / CONTRACT_FILE}: files: {name!r} leaves the bundle's folder")
    if not path.is_file():
        raise BundleError(f"{path}: listed under files in {CONTRACT_FILE}, but there is no such file")
    return path


def load_weights(path: Path, build: Callable[[], M], dtype: torch.dtype) -> M:
    """What `build` makes, with the file's weights, in eval mode; raises BundleError naming file and tensor."""
    with torch.device("meta"):  # the weights come from the file: do not draw random ones first
        module = build()
    try:
        if problems := name_mismatches(module, weight_shapes(path)):
            raise BundleError(f"{path}: " + "; ".join(problems))
        module.load_state_dict(read_weights(path, dtype), assign=True)
    except SafetensorError as error:
        raise BundleError(f"{path}: not a safetensors file ({error})") from error
    return module.eval()
