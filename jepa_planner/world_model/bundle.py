"""Model bundles: a folder with `model.yaml` (the contract) and weights as safetensors."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import safetensors.torch
import torch
import yaml
from safetensors import SafetensorError
from torch import nn

from jepa_planner.world_model.contract import Contract
from jepa_planner.world_model.encoder import VideoEncoder
from jepa_planner.world_model.predictor import ActionConditionedPredictor
from jepa_planner.world_model.strict_fields import FieldError, from_plain, to_plain

CONTRACT_FILE = "model.yaml"
WEIGHT_FILES = ("encoder.safetensors", "predictor.safetensors")
MAX_CONTRACT_BYTES = 1_000_000
M = TypeVar("M", bound=nn.Module)


class BundleError(ValueError):
    """A bundle is incomplete, altered or inconsistent; the message names the file and the field."""


def save_bundle(
    folder: str | Path,
    encoder: VideoEncoder,
    predictor: ActionConditionedPredictor,
    contract: Contract,
    dtype: torch.dtype = torch.float32,
) -> Contract:
    """Writes weights (as float32, float16 or bfloat16) and contract; returns it with the files' sha256.

    Other files that `contract.files` lists stay listed, with their hash taken again. Raises BundleError where
    the modules are not those that the contract describes.
    """
    folder = Path(folder)
    if encoder.config != contract.encoder or predictor.config != contract.predictor:
        raise BundleError("encoder or predictor: the module's sizes are not those in the contract")
    folder.mkdir(parents=True, exist_ok=True)
    for name, module in zip(WEIGHT_FILES, (encoder, predictor), strict=True):
        tensors = {
            key: value.detach().to("cpu", dtype if value.is_floating_point() else value.dtype).contiguous()
            for key, value in module.state_dict().items()
        }
        safetensors.torch.save_file(tensors, folder / name)
    names = sorted({*contract.files, *WEIGHT_FILES})
    contract = replace(contract, files={name: sha256(_inside(folder, name)) for name in names})
    text = yaml.safe_dump(to_plain(contract), sort_keys=False, width=110, default_flow_style=None)
    (folder / CONTRACT_FILE).write_text(text, encoding="utf-8")
    return contract


def load_contract(folder: str | Path) -> Contract:
    """Reads `model.yaml` alone; raises BundleError naming an unknown, missing or contradictory field."""
    path = Path(folder) / CONTRACT_FILE
    if not path.is_file():
        raise BundleError(f"{path}: no such file; a model bundle is a folder with {CONTRACT_FILE} and weights")
    if (size := path.stat().st_size) > MAX_CONTRACT_BYTES:
        raise BundleError(f"{path}: {size} bytes; a contract has at most {MAX_CONTRACT_BYTES}")
    try:
        return from_plain(Contract, yaml.safe_load(path.read_text(encoding="utf-8")))
    except (FieldError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise BundleError(f"{path}: {error}") from error


def load_bundle(folder: str | Path) -> tuple[VideoEncoder, ActionConditionedPredictor, Contract]:
    """Loads modules in eval mode, float32, on the CPU, after every listed file has matched its sha256.

    Raises BundleError naming the file or tensor at fault. Weights are safetensors: loading runs no code.
    """
    folder = Path(folder)
    contract = load_contract(folder)
    for name in WEIGHT_FILES:
        if name not in contract.files:
            raise BundleError(f"{folder / CONTRACT_FILE}: files: missing {name}")
    for name, expected in contract.files.items():
        path = _inside(folder, name)
        if (given := sha256(path)) != expected:
            raise BundleError(
                f"{path}: sha256 is {given}, but {CONTRACT_FILE} says {expected}: the file was altered or cut "
                "short; copy or train the bundle again"
            )
    encoder = _load_weights(folder / WEIGHT_FILES[0], VideoEncoder(contract.encoder))
    predictor = _load_weights(folder / WEIGHT_FILES[1], ActionConditionedPredictor(contract.predictor))
    return encoder, predictor, contract


def model_folder(given: str | Path = "") -> Path:
    """The folder of a bundle: the given one, else the one that ships with the source tree or the installation.

    Raises BundleError when none was given and none ships.
    """
    if given:
        return Path(given).expanduser()
    for root in Path(__file__).resolve().parents:
        for models in (root / "models", root / "share" / "jepa_planner" / "models"):
            if found := sorted(models.glob(f"*/{CONTRACT_FILE}")):
                return found[0].parent
    raise BundleError("no model bundle was found in models/: train one, or name its folder")


def sha256(path: Path) -> str:
    """Hash of a file's bytes in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def name_mismatches(module: nn.Module, tensors: dict[str, torch.Tensor]) -> list[str]:
    """Every tensor that is missing, unexpected or misshapen for a module, in words."""
    wanted = module.state_dict()
    problems = [f"missing {name} {list(wanted[name].shape)}" for name in wanted if name not in tensors]
    problems += [f"unexpected {name} {list(tensors[name].shape)}" for name in tensors if name not in wanted]
    for name in wanted.keys() & tensors.keys():
        if wanted[name].shape != tensors[name].shape:
            given, expected = list(tensors[name].shape), list(wanted[name].shape)
            problems.append(f"misshapen {name}: {given}, expected {expected}")
    return sorted(problems)


def _inside(folder: Path, name: str) -> Path:
    """The path of a listed file, which must exist and, links followed, lie within the folder."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise BundleError(f"{folder / CONTRACT_FILE}: files: {name!r} leaves the bundle's folder")
    if not path.is_file():
        raise BundleError(f"{path}: listed under files in {CONTRACT_FILE}, but there is no such file")
    return path


def _load_weights(path: Path, module: M) -> M:
    try:
        tensors = safetensors.torch.load_file(path)
    except SafetensorError as error:
        raise BundleError(f"{path}: not a safetensors file ({error})") from error
    if problems := name_mismatches(module, tensors):
        raise BundleError(f"{path}: " + "; ".join(problems))
    module.load_state_dict(tensors)
    return module.eval()
