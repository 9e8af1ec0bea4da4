"""Evaluations that are kept in files: a table of many cells resumes, and never mixes models, data, settings or trials.

What a result depends on is noted with it, by `trials_asked` and `episodes_asked`: what stands there is all that counts.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from jepa_planner import __version__
from jepa_planner.core.strict_fields import to_plain
from jepa_planner.learning.data.episodes import shard_paths
from jepa_planner.learning.evaluation.scene_adapter import adapter_class
from jepa_planner.learning.evaluation.trials import TrialSettings
from jepa_planner.model.bundle import load_contract
from jepa_planner.model.bundle_files import check_files, sha256
from jepa_planner.planning.planner_settings import PlannerSettings

ASKED = "asked"
"""Under this name a file says what was asked."""


def trials_asked(bundle: Path, settings: TrialSettings, **others: object) -> dict[str, object]:
    """What the outcome of a model's trials depends on: the package, the contract, how it is planned with, the trials,
    and `others`.

    The hashes of the bundle's files stand in the contract. Raises BundleError where a file is another by now.
    """
    contract = load_contract(bundle)
    check_files(bundle, contract, ())
    planner = to_plain(PlannerSettings.load(bundle, contract))
    asked = {"package": __version__, **to_plain(contract), "planner": planner, **to_plain(settings)}
    asked["vary"] = sorted(settings.vary)
    if ":" in settings.task:
        asked["adapter"] = sha256(Path(inspect.getfile(adapter_class(settings.task))))
    return asked | others


def episodes_asked(folders: Sequence[Path]) -> list[str]:
    """What stands for episodes: the hash of each shard; raises EpisodeError for a folder without any."""
    return [sha256(path) for folder in folders for path in shard_paths(folder)]


def cached(file: Path, asked: dict[str, object], evaluate: Callable[[], dict[str, object]]) -> dict[str, object]:
    """What `evaluate` finds, with what was asked, from the file where it is there already, which is then said.

    asked: all that the finding depends on, as JSON can write it. Raises ValueError naming what differs.
    """
    asked = json.loads(json.dumps(asked))
    if file.exists():
        result = _read(file)
        noted = result[ASKED]
        if differing := [name for name in {**asked, **noted} if name not in noted or asked.get(name) != noted[name]]:
            raise ValueError(f"{file} was made with another {', '.join(differing)}: choose another --out, or delete it")
        print(f"{file}: made before, read from there")
        return result
    result = evaluate() | {ASKED: asked}
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")  # a file that is there is whole
    part.write_text(json.dumps(result, indent=1) + "\n")
    os.replace(part, file)
    return result


def _read(file: Path) -> dict[str, object]:
    try:
        result = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} cannot be read: {error}; choose another --out, or delete it") from error
    if not isinstance(result, dict) or not isinstance(result.get(ASKED), dict):
        raise ValueError(f"{file} does not say what it was made with: choose another --out, or delete it")
    return result
