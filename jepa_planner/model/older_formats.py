"""Bundles of older formats, read as what they would be now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jepa_planner.model.older_names import present_model, present_planner

LAST_WITH_PLANNING = 3
"""Up to this format, how to plan with a model stood in model.yaml."""
NEW_NAMES = {"optimiser": "solver"}
"""Of what planner.yaml calls otherwise since format 5."""


def parted(plain: Any) -> tuple[Any, dict[str, Any] | None]:
    """What a model.yaml says of the model, and what of planning with it, as planner.yaml says it since format 4.

    plain: the whole file, as YAML holds it. The second is None where nothing is said of it; what is not such a file at
    all is returned as it is.
    """
    if not isinstance(plain, Mapping):
        return plain, None
    plain = present_model(plain)
    if not _is_old(plain.get("format")):
        return plain, None
    model = {name: value for name, value in plain.items() if name not in ("energy", "planning")}
    planner = dict(plain["planning"]) if isinstance(plain.get("planning"), Mapping) else {}
    planner["energy"] = plain.get("energy")
    for section, part in (("sub_goals", "pursuit"), ("verdict", "rule")):
        if isinstance(fields := plain.get(section), Mapping):
            model[section] = {name: value for name, value in fields.items() if name != part}
            planner[section] = fields.get(part, {})
    return model, present_planner(renamed(planner))


def renamed(planner: Any) -> Any:
    """What a planner.yaml says, by the names of today; what is no mapping at all is returned as it is."""
    if not isinstance(planner, Mapping):
        return planner
    known = {name: new for name, new in NEW_NAMES.items() if new not in planner}
    return {known.get(name, name): value for name, value in planner.items()}


def _is_old(given: Any) -> bool:
    return type(given) is int and 1 <= given <= LAST_WITH_PLANNING
