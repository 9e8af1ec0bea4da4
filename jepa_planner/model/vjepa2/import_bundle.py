"""Turns a model found in somebody else's files into a bundle: whole, or not at all."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from jepa_planner.model.bundle import write_bundle, write_planner
from jepa_planner.model.bundle_files import CONTRACT_FILE, ENCODER_FILE, PREDICTOR_FILE, sha256
from jepa_planner.model.contract import Contract
from jepa_planner.model.vjepa2.foreign_weights import FoundModel
from jepa_planner.model.weights_file import Weights, stacked_shape

Advance = Callable[[int], object]


class TargetError(ValueError):
    """A bundle cannot be written where it was asked for."""


def import_bundle(
    source_model: FoundModel,
    contract: Contract,
    settings: Mapping[str, Any],
    target: Path,
    dtype: torch.dtype,
    force: bool = False,
    advance: Advance = lambda _: None,
) -> Contract:
    """Writes the bundle, weights as dtype, and returns its contract with the sha256 of sources and files.

    settings: how to plan with it, as plain data. Memory holds one copy of the weights of a file. A failure leaves the
    target as it was. force replaces a bundle that is there. advance is called with the number of bytes dealt with,
    `work_bytes` in all. Raises TargetError for the target, and ValueError naming a tensor that is not finite as dtype.
    """
    check_target(target, force, source_model.files)
    with _new_folder(target) as folder:
        sources = {file.name: sha256(file, advance) for file in source_model.files}
        contract = replace(contract, training=replace(contract.training, source_files=sources))
        write_planner(folder, settings)
        return write_bundle(folder, contract, _weights(source_model), dtype, mapped=True, advance=advance)


def work_bytes(source_model: FoundModel, dtype: torch.dtype) -> int:
    """Bytes that `import_bundle` reads to hash the sources, and writes."""
    read = sum(file.stat().st_size for file in source_model.files)
    weights_count = sum(
        torch.Size(stacked_shape(parts)).numel()
        for weights in _weights(source_model).values()
        for parts in weights.values()
    )
    return read + weights_count * dtype.itemsize


def check_target(target: Path, force: bool, sources: tuple[Path, ...] = ()) -> None:
    """Raises TargetError where something is in the way: only force replaces a bundle, and nothing else is replaced."""
    if not target.exists():
        return
    is_bundle = (target / CONTRACT_FILE).is_file()
    if not (is_bundle or (target.is_dir() and not any(target.iterdir()))):
        raise TargetError(f"{target} exists and is no model bundle; name another folder")
    if is_bundle and not force:
        raise TargetError(f"{target} exists; name another folder, or replace it with --force")
    if any(source.resolve().is_relative_to(target.resolve()) for source in sources):
        raise TargetError(f"{target} holds the file to import; name another folder")


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """A temporary folder beside the target that takes its place at the end, or vanishes with an exception."""
    target = target.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    new, old = temporary / "new", temporary / "old"
    try:
        new.mkdir()
        yield new
        if target.exists():
            os.replace(target, old)
        os.replace(new, target)
    finally:
        if old.exists() and not target.exists():
            os.replace(old, target)
        shutil.rmtree(temporary, ignore_errors=True)


def _weights(source_model: FoundModel) -> dict[str, Weights]:
    weights = {ENCODER_FILE: source_model.encoder}
    if source_model.predictor_config is not None:
        weights[PREDICTOR_FILE] = source_model.predictor
    return weights
