"""Model bundles: a folder with `model.yaml` (the contract), `planner.yaml` (how to plan with it) and safetensors.

What stands in `planner.yaml` is planning's to understand: here it is kept with the bundle, as plain data.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
import yaml
from torch import nn

from jepa_planner.core.shipped import shipped
from jepa_planner.core.strict_fields import FieldError, from_plain, to_plain
from jepa_planner.core.yaml_changes import changed_yaml
from jepa_planner.core.yaml_text import read_yaml, write_yaml
from jepa_planner.model.bundle_files import (
    CONTRACT_FILE,
    DECODER_FILE,
    ENCODER_FILE,
    PLANNER_FILE,
    PREDICTOR_FILE,
    STATISTICS_FILE,
    SUB_GOALS_FILE,
    VERDICT_FILE,
    VIEWING_DECODER_FILE,
    BundleError,
    check_files,
    check_hash,
    check_listed,
    inside,
    load_weights,
    sha256,
)
from jepa_planner.model.contract import FORMAT, Contract
from jepa_planner.model.contract_sections import OutOfDistributionSpec, SubGoalSpec, VerdictSpec
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.latent_statistics import LatentStatistics, feature_count
from jepa_planner.model.older_formats import parted, renamed
from jepa_planner.model.older_names import present_planner
from jepa_planner.model.pixel_decoder import PixelDecoder
from jepa_planner.model.predictor_kind import Predictor
from jepa_planner.model.predictors import make_predictor
from jepa_planner.model.sub_goal_head import SubGoalHead
from jepa_planner.model.verdict_head import VerdictHead
from jepa_planner.model.weights_file import Weights, read_weights, stored_dtype, weight_shapes, write_weights

DEFAULT_MODEL = "panda-tabletop"
"""Of those in models/, the one that is used where none is named."""
MAX_CONTRACT_BYTES = 1_000_000
H = TypeVar("H", SubGoalHead, VerdictHead)


def save_bundle(
    folder: str | Path,
    encoder: VideoEncoder,
    predictor: Predictor,
    contract: Contract,
    dtype: torch.dtype = torch.float32,
    decoder: PixelDecoder | None = None,
) -> Contract:
    """Writes weights (as float32, float16 or bfloat16) and contract; returns it with the files' sha256.

    Other files that `contract.files` lists stay listed, with their hash taken again. decoder: of a model that is
    planned with in pixels. Raises BundleError where the modules are not those that the contract describes.
    """
    if encoder.config != contract.encoder or predictor.config != contract.predictor:
        raise BundleError("encoder or predictor: the module's sizes are not those in the contract")
    modules = {ENCODER_FILE: encoder, PREDICTOR_FILE: predictor}
    if decoder is not None:
        modules[DECODER_FILE] = decoder
    weights = {name: {key: (value,) for key, value in m.state_dict().items()} for name, m in modules.items()}
    return write_bundle(Path(folder), contract, weights, dtype)


def write_bundle(
    folder: Path,
    contract: Contract,
    weights: Mapping[str, Weights],
    dtype: torch.dtype,
    mapped: bool = False,
    advance: Callable[[int], object] = lambda _: None,
) -> Contract:
    """Writes files of weights by name, and the contract with the files' sha256, which it returns.

    Other files that `contract.files` lists must be there. What a model.yaml of an older format there says of planning
    goes into planner.yaml first. mapped and advance: see `write_weights`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / CONTRACT_FILE).is_file() and not (folder / PLANNER_FILE).is_file():
        _, planner = parted(_read_plain(folder / CONTRACT_FILE))
        if planner is not None:
            write_planner(folder, planner)
    for name, part in weights.items():
        write_weights(folder / name, part, dtype, mapped, advance)
    hashes = {name: sha256(inside(folder, name)) for name in sorted({*contract.files, *weights})}
    contract = replace(contract, files=hashes, format=FORMAT)
    (folder / CONTRACT_FILE).write_text(write_yaml(to_plain(contract)), encoding="utf-8")
    return contract


def read_planner(folder: str | Path) -> Any:
    """How to plan with a bundle, as plain data: what `planner.yaml` holds, or a `model.yaml` of an older format.

    Raises BundleError where neither says it.
    """
    folder = Path(folder)
    if (path := folder / PLANNER_FILE).is_file():
        return present_planner(renamed(_read_plain(path)))
    if (folder / CONTRACT_FILE).is_file():
        _, planner = parted(_read_plain(folder / CONTRACT_FILE))
        if planner is not None:
            return planner
    raise BundleError(f"{path}: no such file; it tells how to plan with the model, and stands beside {CONTRACT_FILE}")


def write_planner(folder: str | Path, plain: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> None:
    """Writes `planner.yaml` into a folder, made where it is not there; whole, or not at all.

    before: what the file there stands for, with what it leaves out; of that one only what differs is written, and what
    else is there, comments included, stays as it is.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    path = Path(folder) / PLANNER_FILE
    if before is None or not path.is_file():
        text = write_yaml(plain)
    else:
        text = changed_yaml(path.read_bytes().decode(), before, plain)
    new = path.with_suffix(".new")
    new.write_bytes(text.encode())
    new.replace(path)


def copy_planner(init: Path, folder: Path) -> None:
    """Puts how to plan with a bundle into another folder, word by word; raises BundleError as `read_planner` does."""
    if (init / PLANNER_FILE).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(init / PLANNER_FILE, folder / PLANNER_FILE)
    else:
        write_planner(folder, read_planner(init))


def _read_plain(path: Path) -> Any:
    """A YAML file of a bundle; raises BundleError where it is none or too large."""
    if (size := path.stat().st_size) > MAX_CONTRACT_BYTES:
        raise BundleError(f"{path}: {size} bytes; a contract has at most {MAX_CONTRACT_BYTES}")
    try:
        return read_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:
        raise BundleError(f"{path}: {error}") from error


def load_contract(folder: str | Path, views: Sequence[str] = ()) -> Contract:
    """Reads `model.yaml` alone; raises BundleError naming an unknown, missing or contradictory field.

    views: those of the model's that are there, if not all; see `Contract.of_views`.
    """
    path = Path(folder) / CONTRACT_FILE
    if not path.is_file():
        raise BundleError(f"{path}: no such file; a model bundle is a folder with {CONTRACT_FILE} and weights")
    plain = _read_plain(path)
    try:
        _refuse_newer(plain)
        contract = from_plain(Contract, parted(plain)[0])
    except ValueError as error:
        raise BundleError(f"{path}: {error}") from error
    return contract.of_views(views)


def _refuse_newer(plain: object) -> None:
    """Before anything else is read: what a newer format added would be called an unknown field."""
    bundle_format = plain.get("format") if isinstance(plain, Mapping) else None
    if type(bundle_format) is int and bundle_format > FORMAT:
        raise FieldError(
            f"made by a newer jepa_planner (format {bundle_format}, this one reads up to {FORMAT}): update"
        )


def load_bundle(
    folder: str | Path, dtype: torch.dtype = torch.float32, views: Sequence[str] = ()
) -> tuple[VideoEncoder, Predictor, Contract]:
    """Loads modules in eval mode on the CPU, after every listed file has matched its sha256.

    Matrices are held as dtype, all else as float32. views: see `load_contract`. Raises BundleError naming the file or
    tensor at fault, and for an encoder alone. Weights are safetensors: loading runs no code.
    """
    folder = Path(folder)
    contract = load_contract(folder)
    sizes = contract.predictor
    if sizes is None:
        raise BundleError(
            f"{folder / CONTRACT_FILE}: predictor is null: this bundle is an encoder alone, and planning needs a "
            "predictor; train one on it with `jepa-planner train --predictor-only --init`"
        )
    check_files(folder, contract, (ENCODER_FILE, PREDICTOR_FILE, *_head_files(contract)))
    encoder = load_weights(folder / ENCODER_FILE, lambda: VideoEncoder(contract.encoder), dtype)
    predictor = load_weights(folder / PREDICTOR_FILE, lambda: make_predictor(sizes), dtype)
    seen = contract.of_views(views)
    if seen is not contract:
        encoder = encoder.of_views([contract.image.views.index(view) for view in seen.image.views])
    return encoder, predictor, seen


def load_encoder(folder: str | Path, dtype: torch.dtype = torch.float32) -> tuple[VideoEncoder, Contract]:
    """The encoder of any bundle, one without a predictor included; otherwise as `load_bundle`."""
    folder = Path(folder)
    contract = load_contract(folder)
    check_files(folder, contract, (ENCODER_FILE,))
    return load_weights(folder / ENCODER_FILE, lambda: VideoEncoder(contract.encoder), dtype), contract


def write_latent_statistics(
    folder: str | Path, latent_statistics: LatentStatistics, spec: OutOfDistributionSpec
) -> Contract:
    """Adds statistics of the training data to a bundle, or replaces them; returns its contract."""
    folder = Path(folder)
    contract = replace(load_contract(folder), out_of_distribution=spec)
    weights = {name: (tensor,) for name, tensor in latent_statistics.tensors().items()}
    return write_bundle(folder, contract, {STATISTICS_FILE: weights}, torch.float32)


def load_latent_statistics(folder: str | Path) -> LatentStatistics | None:
    """Statistics of the training data, None where the bundle has none; raises BundleError as `load_bundle` does."""
    folder = Path(folder)
    contract = load_contract(folder)
    if contract.out_of_distribution is None:
        return None
    check_listed(folder, contract, (STATISTICS_FILE,))
    check_hash(folder, STATISTICS_FILE, contract.files[STATISTICS_FILE])
    count = feature_count(contract.latent.tokens, contract.latent.channels)
    expected = {"mean": (count,), "whitening": (count, count), "tcp_weight": (count, 3)}
    expected |= {"tcp_bias": (3,), "tcp_min": (3,), "tcp_max": (3,)}
    path = inside(folder, STATISTICS_FILE)
    if (shapes := weight_shapes(path)) != expected:
        raise BundleError(f"{path}: tensors are {shapes}, expected {expected}")
    return LatentStatistics(**read_weights(path, torch.float32))


def load_sub_goal_head(folder: str | Path, views: Sequence[str] = ()) -> SubGoalHead | None:
    """The head that imagines sub-goals, in eval mode on the CPU; None where the bundle has none.

    views: see `load_contract`. Reads and checks no other weights, and raises as `load_bundle` does.
    """
    contract = load_contract(folder)
    if (spec := contract.sub_goals) is None:
        return None
    sizes = spec.head
    return _load_head(Path(folder), contract, views, SUB_GOALS_FILE, lambda: SubGoalHead(sizes))


def load_verdict_head(folder: str | Path, views: Sequence[str] = ()) -> VerdictHead | None:
    """The head that tells when the work is done; otherwise as `load_sub_goal_head`."""
    contract = load_contract(folder)
    if (spec := contract.verdict) is None:
        return None
    sizes = spec.head
    return _load_head(Path(folder), contract, views, VERDICT_FILE, lambda: VerdictHead(sizes))


def _load_head(folder: Path, contract: Contract, views: Sequence[str], name: str, build: Callable[[], H]) -> H:
    check_listed(folder, contract, (name,))
    check_hash(folder, name, contract.files[name])
    head = load_weights(inside(folder, name), build, torch.float32).requires_grad_(False)
    return head.of_views(contract.view_numbers(views))


def load_decoder(folder: str | Path) -> PixelDecoder | None:
    """The decoder of a model that is planned with in pixels, in eval mode on the CPU; None where it has none.

    Reads and checks no other weights, and raises as `load_bundle` does.
    """
    return _load_decoder(Path(folder), DECODER_FILE)


def load_viewing_decoder(folder: str | Path) -> PixelDecoder | None:
    """As `load_decoder`, of the decoder that draws latents for people; nothing is planned with it."""
    return _load_decoder(Path(folder), VIEWING_DECODER_FILE)


def _load_decoder(folder: Path, name: str) -> PixelDecoder | None:
    contract = load_contract(folder)
    if name not in contract.files:
        return None
    check_hash(folder, name, contract.files[name])
    return load_weights(inside(folder, name), lambda: PixelDecoder(contract.encoder), torch.float32)


def add_sub_goal_head(init: Path, folder: Path, head: SubGoalHead, spec: SubGoalSpec) -> Contract:
    """Writes the bundle `init` with a head, in place of the one it may have had, into a folder, which may be its own.

    The other files are copied byte by byte. The head's numbers keep the type that the encoder's are stored in. Returns
    the contract. Raises BundleError where the head is not the one that spec describes.
    """
    if head.config != spec.head:
        raise BundleError("sub_goals: the head's sizes are not those in the contract")
    return _add_head(init, folder, replace(load_contract(init), sub_goals=spec), SUB_GOALS_FILE, head)


def add_verdict_head(init: Path, folder: Path, head: VerdictHead, spec: VerdictSpec) -> Contract:
    """As `add_sub_goal_head`, of the head that tells when the work is done."""
    if head.config != spec.head:
        raise BundleError("verdict: the head's sizes are not those in the contract")
    return _add_head(init, folder, replace(load_contract(init), verdict=spec), VERDICT_FILE, head)


def add_viewing_decoder(init: Path, folder: Path, decoder: PixelDecoder) -> Contract:
    """As `add_sub_goal_head`, of the decoder that draws latents for people."""
    contract = load_contract(init)
    if decoder.config != contract.encoder:
        raise BundleError("viewing_decoder: it is of another encoder's latents")
    return _add_head(init, folder, contract, VIEWING_DECODER_FILE, decoder)


def _add_head(init: Path, folder: Path, contract: Contract, name: str, head: nn.Module) -> Contract:
    folder.mkdir(parents=True, exist_ok=True)
    if folder.resolve() != init.resolve():
        for other in contract.files.keys() - {name}:
            shutil.copyfile(inside(init, other), folder / other)
        copy_planner(init, folder)
    weights = {key: (tensor,) for key, tensor in head.state_dict().items()}
    return write_bundle(folder, contract, {name: weights}, stored_dtype(folder / ENCODER_FILE))


def model_folder(chosen: str | Path = "") -> Path:
    """The folder of a bundle: the given one, or the one that ships under that name; else that of DEFAULT_MODEL.

    Raises BundleError when none was given and it is not there.
    """
    if chosen:
        folder = Path(chosen).expanduser()
        if folder.exists() or len(folder.parts) != 1:
            return folder
        try:
            return shipped(f"models/{folder}")
        except FileNotFoundError:
            return folder
    try:
        return shipped(f"models/{DEFAULT_MODEL}")
    except FileNotFoundError as error:
        raise BundleError(f"{error}; or name the folder of a model bundle") from error


def _head_files(contract: Contract) -> tuple[str, ...]:
    heads = ((contract.sub_goals, SUB_GOALS_FILE), (contract.verdict, VERDICT_FILE))
    return tuple(name for spec, name in heads if spec is not None)
