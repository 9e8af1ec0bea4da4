"""What a run folder is about, noted beside its checkpoint, so that this is never taken for another run's."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np

from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.training.distributed import rank

ELSEWHERE = "use another --run, or move that folder away to begin anew"


class RunFolderError(ValueError):
    """A run folder holds the checkpoint of a run with other settings or data."""


def content_hash(episodes: Episodes) -> str:
    """Stands for all that training may see of episodes."""
    digest = hashlib.sha256(repr((episodes.images.shape, episodes.views, episodes.time_step_s)).encode())
    for part in (episodes.images, episodes.states, episodes.actions):
        for episode in part:
            digest.update(np.ascontiguousarray(episode).data)
    return digest.hexdigest()


def check_same_run(note: Path, checkpoint: Path, settings: dict[str, object]) -> None:
    """Writes the note where there is no checkpoint yet; raises RunFolderError naming what differs from an older one."""
    settings = json.loads(json.dumps(settings))
    if checkpoint.exists():
        try:
            noted = json.loads(note.read_text())
        except (OSError, ValueError) as error:
            raise RunFolderError(
                f"{checkpoint} is of a run that nothing is known of ({note.name} is missing or damaged): {ELSEWHERE}"
            ) from error
        if other := [name for name, value in settings.items() if noted.get(name) != value]:
            raise RunFolderError(f"{checkpoint} is of a run with other {', '.join(other)}: {ELSEWHERE}")
    elif rank() == 0:
        write_whole(note, settings)


def check_can_write(folder: Path) -> None:
    """Raises RunFolderError where nothing can be written to a folder: not only after hours."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise RunFolderError(f"{folder} cannot be a folder, {there} is a file: name another one")
    if not os.access(there, os.W_OK | os.X_OK):
        raise RunFolderError(f"nothing can be written to {folder}: {there} may not be written to by this user")


def write_whole(path: Path, content: object) -> None:
    """Writes JSON so that whoever reads it finds all of it, or what was there before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=1) + "\n")
    os.replace(partial, path)
