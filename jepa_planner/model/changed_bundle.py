"""The same weights under another contract: a bundle with some of its settings changed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

from jepa_planner.core.strict_fields import FieldError, from_plain, to_plain
from jepa_planner.model.bundle import load_contract, write_bundle
from jepa_planner.model.contract import Contract


def changed(contract: Contract, changes: Sequence[str]) -> Contract:
    """The contract with each change NAME=VALUE made: a dotted name as in model.yaml, the value as YAML.

    Raises FieldError for a change that is none, a name that is not there, or a value that cannot be.
    """
    plain = to_plain(contract)
    for change in changes:
        name, separator, value = change.partition("=")
        if not separator or not name:
            raise FieldError(f"{change!r} given; expected NAME=VALUE, as in planning.mppi.horizon=2")
        *sections, last = name.split(".")
        _section(plain, sections, name)[last] = yaml.safe_load(value)
    return from_plain(Contract, plain)


def changed_bundle(init: Path, changes: Sequence[str], folder: Path) -> Contract:
    """Writes the bundle of `init` with its contract changed into another folder; returns the new contract.

    Files of weights are hard links where the file system has them, copies elsewhere. Raises FieldError as `changed`.
    """
    if folder.resolve() == init.resolve():
        raise ValueError(f"{folder} is the bundle to be changed; choose another folder")
    contract = changed(load_contract(init), changes)
    folder.mkdir(parents=True, exist_ok=True)
    for name in contract.files:
        (folder / name).unlink(missing_ok=True)
        try:
            os.link(init / name, folder / name)
        except OSError:
            shutil.copyfile(init / name, folder / name)
    return write_bundle(folder, contract, {}, torch.float32)


def _section(plain: dict[str, Any], names: Sequence[str], whole: str) -> dict[str, Any]:
    """The mapping under nested names; one that is null begins empty."""
    for name in names:
        if not isinstance(plain.get(name, ()), dict | None):
            sections = ", ".join(key for key, value in plain.items() if isinstance(value, dict | None))
            raise FieldError(f"{whole}: there is no section {name}; known are {sections}")
        plain[name] = plain[name] or {}
        plain = plain[name]
    return plain
