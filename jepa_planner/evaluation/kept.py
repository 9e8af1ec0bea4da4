"""Evaluations that are kept in files: a table of many cells resumes, and never mixes models or trials."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path


def kept(file: Path, asked: dict[str, object], evaluate: Callable[[], dict[str, object]]) -> dict[str, object]:
    """What `evaluate` finds, with what was asked, from the file where it is there already.

    asked: by what an evaluation is known again, as plain JSON types. Raises ValueError naming what differs.
    """
    if file.exists():
        found = json.loads(file.read_text())
        if differing := [name for name, value in asked.items() if found[name] != value]:
            raise ValueError(f"{file} was made with another {', '.join(differing)}: choose another --out, or delete it")
        return found
    found = evaluate() | asked
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=1) + "\n")
    return found
