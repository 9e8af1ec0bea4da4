"""The same model planned with in another way: a bundle with some settings of its planner changed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from jepa_planner.core.strict_fields import FieldError, from_plain, to_plain
from jepa_planner.model.bundle import load_contract
from jepa_planner.model.bundle_files import CONTRACT_FILE, inside
from jepa_planner.planning.planner_settings import PlannerSettings


def changed(settings: PlannerSettings, changes: Sequence[str]) -> PlannerSettings:
    """The settings with each change NAME=VALUE made: a dotted name as in planner.yaml, the value as YAML.

    Raises FieldError for a change that is none, a name that is not there, or a value that cannot be.
    """
    plain = to_plain(settings)
    for change in changes:
        name, separator, value = change.partition("=")
        if not separator or not name:
            raise FieldError(f"{change!r} given; expected NAME=VALUE, as in mppi.horizon=2")
        *sections, last = name.split(".")
        _section(plain, sections, name)[last] = yaml.safe_load(value)
    return from_plain(PlannerSettings, plain)


def changed_bundle(init: Path, changes: Sequence[str], folder: Path) -> PlannerSettings:
    """Writes the bundle of `init` with its planner changed into another folder; returns the new settings.

    The model's files are hard links where the file system has them, copies elsewhere. Raises FieldError as `changed`,
    and for what the model cannot do.
    """
    if folder.resolve() == init.resolve():
        raise ValueError(f"{folder} is the bundle to be changed; choose another folder")
    contract = load_contract(init)
    settings = changed(PlannerSettings.load(init, contract), changes)
    settings.check(contract)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(init / CONTRACT_FILE, folder / CONTRACT_FILE)
    for name in contract.files:
        (folder / name).unlink(missing_ok=True)
        try:
            os.link(inside(init, name), folder / name)
        except OSError:
            shutil.copyfile(inside(init, name), folder / name)
    settings.save(folder)
    return settings


def _section(plain: dict[str, Any], names: Sequence[str], whole: str) -> dict[str, Any]:
    """The mapping under nested names; one that is null begins empty."""
    for name in names:
        if not isinstance(plain.get(name, ()), dict | None):
            sections = ", ".join(key for key, value in plain.items() if isinstance(value, dict | None))
            raise FieldError(f"{whole}: there is no section {name}; known are {sections}")
        plain[name] = plain[name] or {}
        plain = plain[name]
    return plain
