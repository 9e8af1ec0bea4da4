"""What the files of a bundle called things before, read by their present names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jepa_planner.core.channel_names import present_names

OLDER_FILES = {"latent_statistics.safetensors": "familiarity.safetensors"}
"""Weights' files of before by their present names; the bytes are the same."""
SECTIONS = {"familiarity": "out_of_distribution"}
SCENE = {"spots": "keypoints"}
PLANNER = {
    "progress": {"settled_looks": "settled_observations", "unreachable_looks": "unreachable_observations"},
    "sub_goals": {"max_looks": "max_observations", "back_moments": "back_sub_goals"},
    "verdict": {"looks": "observations"},
}
"""Fields of the sections of planner.yaml, which has no format of its own."""


def present_model(plain: Mapping[str, Any]) -> dict[str, Any]:
    """A model.yaml of any format, as plain data, by present names; what is no mapping where one belongs stays."""
    model = _renamed(plain, SECTIONS)
    if isinstance(model.get("files"), Mapping):
        model["files"] = _renamed(model["files"], {old: new for new, old in OLDER_FILES.items()})
    for section in ("state", "action"):
        part = model.get(section)
        if isinstance(part, Mapping) and isinstance(part.get("channels"), list):
            model[section] = {**part, "channels": list(present_names(part["channels"]))}
    for section in ("sub_goals", "verdict"):
        part = model.get(section)
        if not isinstance(part, Mapping):
            continue
        head = part.get("head")
        if isinstance(head, Mapping) and isinstance(head.get("scene"), Mapping):
            model[section] = {**part, "head": {**head, "scene": _renamed(head["scene"], SCENE)}}
    return model


def present_planner(plain: Any) -> Any:
    """A planner.yaml, as plain data, by present names; what is no mapping is returned as it is."""
    if not isinstance(plain, Mapping):
        return plain
    planner = dict(plain)
    for section, names in PLANNER.items():
        if isinstance(planner.get(section), Mapping):
            planner[section] = _renamed(planner[section], names)
    return planner


def _renamed(plain: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Under present names; one that stands there under both keeps the older, which is then refused as unknown."""
    return {names[key] if key in names and names[key] not in plain else key: value for key, value in plain.items()}
