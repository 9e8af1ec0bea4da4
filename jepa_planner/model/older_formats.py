"""Bundles of older formats, read as what they would be now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LAST_WITH_PLANNING = 3
"""Up to this format, how to plan with a model stood in model.yaml."""


def parted(plain: Any) -> tuple[Any, dict[str, Any] | None]:
    """What a model.yaml says of the model, and what of planning with it, as planner.yaml says it since format 4.

    plain: the whole file, as YAML holds it. The second is None where nothing is said of it; what is not such a file at
    all is returned as it is.
    """
    if not isinstance(plain, Mapping) or not _is_old(plain.get("format")):
        return plain, None
    model = {name: value for name, value in plain.items() if name not in ("energy", "planning")}
    planner = dict(plain["planning"]) if isinstance(plain.get("planning"), Mapping) else {}
    planner["energy"] = plain.get("energy")
    for section, part in (("sub_goals", "pursuit"), ("verdict", "rule")):
        if isinstance(given := plain.get(section), Mapping):
            model[section] = {name: value for name, value in given.items() if name != part}
            planner[section] = given.get(part, {})
    return model, planner


def _is_old(given: Any) -> bool:
    return type(given) is int and 1 <= given <= LAST_WITH_PLANNING
