"""How a bundle came to be: a list of the runs that made it, in a file beside its contract.

It is there for people. Nothing reads it when a model is loaded, and no hash depends on it: the same run gives the same
model, in other seconds.
"""

from __future__ import annotations

import hashlib
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from jepa_planner import __version__
from jepa_planner.core.yaml_text import read_yaml, write_yaml
from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.images_on_disk import on_disk
from jepa_planner.model.bundle_files import sha256

MANIFEST_FILE = "manifest.yaml"
LIBRARIES = ("torch", "numpy", "h5py")


@dataclass(frozen=True)
class Run:
    """One run, from its start on: what it does, with which settings, as plain data, and from what kinds of episodes."""

    stage: str
    settings: Mapping[str, Any]
    started_s: float = field(default_factory=time.monotonic)

    def note(self, bundle: Path, learned_from: Mapping[str, Episodes], init: Path | None = None) -> None:
        """Adds the run, which ends now, to what the manifest of a bundle says, or that of `init`, from which it was
        made.

        seconds: since the start; a run that went on where another was cut short took longer in all.
        """
        runs = _runs_before((init or bundle) / MANIFEST_FILE)
        libraries = {name: version(name) for name in LIBRARIES}
        this = {
            "stage": self.stage,
            "seconds": round(time.monotonic() - self.started_s, 1),
            "settings": _plain(self.settings),
            "episodes": {kind: folders_of(episodes) for kind, episodes in learned_from.items()},
            "versions": {"jepa_planner": __version__, "python": platform.python_version(), **libraries},
        }
        (bundle / MANIFEST_FILE).write_text(write_yaml({"runs": [*runs, this]}), encoding="utf-8")


def _runs_before(manifest: Path) -> list[Any]:
    """Those of a manifest; none, and a warning, where people made something else of it."""
    if not manifest.is_file():
        return []
    try:
        return list(read_yaml(manifest.read_text(encoding="utf-8"))["runs"])
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        print(f"warning: {manifest} tells of no runs ({error!r}): the list begins anew", file=sys.stderr)
        return []


def folders_of(episodes: Episodes) -> list[dict[str, object]]:
    """The folders of episodes that were read from files: how many of which length, and a checksum of the files.

    sha256: what `sha256sum episodes-*.h5 | sha256sum` prints in the folder, where all of its files were read.
    """
    images = on_disk(episodes.images)
    folders: dict[Path, list[int]] = {}
    for number, file in enumerate(images.files):
        folders.setdefault(file.path.parent, []).append(number)
    return [
        {
            "folder": str(folder),
            "episodes": int(sum((images.rows[:, 0] == number).sum() for number in numbers)),
            "steps": episodes.actions.shape[1],
            "sha256": checksum([images.files[number].path for number in numbers]),
        }
        for folder, numbers in folders.items()
    ]


def checksum(paths: Sequence[Path]) -> str:
    """Of files, in the order of their names."""
    lines = "".join(f"{sha256(path)}  {path.name}\n" for path in sorted(paths))
    return hashlib.sha256(lines.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Plain data as YAML can write them; what is none, as paths, as text."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, str | int | float) else str(value)
