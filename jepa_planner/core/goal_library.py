"""Goals that were saved under a name, for the model that was looking: pictures of all views, and what they are of."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

import numpy as np
import yaml

from jepa_planner.core.compressed_picture import png
from jepa_planner.core.goal_folder import GoalPictures
from jepa_planner.core.picture_file import read_picture
from jepa_planner.core.strict_fields import FieldError, from_plain, to_plain
from jepa_planner.core.yaml_text import read_yaml, write_yaml

NOTES_FILE = "goal.yaml"
MAX_GOAL_IMAGES = 1000
_NAME = r"[A-Za-z0-9][\w-]{0,99}"


class GoalLibraryError(ValueError):
    """A goal that is not there, cannot be kept, or was made for another planner; the message says how to mend it."""


@dataclass(frozen=True)
class View:
    """A camera as it was when a goal was saved."""

    name: str
    """As the model calls it."""
    frame: str
    """Frame of its pictures."""
    width_px: int
    height_px: int

    def __str__(self) -> str:
        return f"{self.name} with {self.width_px} x {self.height_px} pixels in frame {self.frame!r}"


@dataclass(frozen=True)
class GoalNotes:
    """What stands beside the pictures of a goal."""

    model: str
    """For which it was made: name, version, encoder and views."""
    views: tuple[View, ...]
    stamps_s: tuple[float, ...]
    """When the cameras took the pictures of each goal image, on their clock."""

    def view_names(self) -> tuple[str, ...]:
        """In the order of the pictures."""
        return tuple(view.name for view in self.views)


class GoalLibrary:
    """The goals of one model. bundle: its name; model: what it is labelled with, a goal of another is refused."""

    def __init__(self, bundle: str, model: str, views: Sequence[str], root: Path | None = None) -> None:
        self.folder = (root or library_root()) / (re.sub(r"[^\w.-]|^\.+", "_", bundle) or "_")
        self._model, self._views = model, tuple(views)

    def names(self) -> list[str]:
        """Of all goals that were saved, in alphabetical order."""
        return sorted(notes.parent.name for notes in self.folder.glob(f"*/{NOTES_FILE}"))

    def load(self, name: str) -> GoalPictures:
        """The pictures of a goal; raises GoalLibraryError or PictureError where they are not what was saved."""
        notes = self.notes(name)
        if notes.view_names() != self._views:
            given, expected = (", ".join(views) or "none" for views in (notes.view_names(), self._views))
            raise GoalLibraryError(f"goal {name} has the views {given}; this planner's are {expected}: save it anew")
        if notes.model != self._model:
            raise GoalLibraryError(
                f"goal {name} was saved for the model {notes.model}; this planner has {self._model}: save it anew, or "
                f"send the pictures in {self.folder / name}"
            )
        numbers = range(1, len(notes.stamps_s) + 1)
        return GoalPictures(self._views, tuple(tuple(self._pictures(name, notes, number)) for number in numbers))

    def notes(self, name: str) -> GoalNotes:
        """What is known of a goal's pictures; raises GoalLibraryError where there is no such goal."""
        path = self.folder / _checked(name) / NOTES_FILE
        if not path.is_file():
            raise GoalLibraryError(
                f"no goal is called {name}; saved for this model: {', '.join(self.names()) or 'none'}"
            )
        try:
            return from_plain(GoalNotes, read_yaml(path.read_text(encoding="utf-8")))
        except (FieldError, ValueError, OSError, yaml.YAMLError) as error:
            raise GoalLibraryError(f"{path}: {error}") from error

    def save(
        self, name: str, pictures: Sequence[np.ndarray], frames: Sequence[str], stamp_s: float, append: bool = False
    ) -> Path:
        """Keeps one picture of each view, uint8 RGB [H, W, 3], as a new goal or behind those of one.

        Returns the goal's folder; raises GoalLibraryError where the name is taken, or pictures do not go together. A
        goal is whole or not there: what was interrupted is written over the next time.
        """
        views = tuple(
            View(view, frame, width_px=picture.shape[1], height_px=picture.shape[0])
            for view, picture, frame in zip(self._views, pictures, frames, strict=True)
        )
        folder, notes = self.folder / _checked(name), GoalNotes(self._model, views, ())
        if append:
            notes = self._to_be_continued(name, notes)
        elif (folder / NOTES_FILE).exists():
            raise GoalLibraryError(f"a goal is called {name} already: append to it, delete it, or choose another name")
        if len(notes.stamps_s) >= MAX_GOAL_IMAGES:
            raise GoalLibraryError(f"goal {name} has {len(notes.stamps_s)} goal images, and none can have more")
        folder.mkdir(parents=True, exist_ok=True)
        notes = replace(notes, stamps_s=(*notes.stamps_s, stamp_s))
        for view, picture in zip(self._views, pictures, strict=True):
            _write(folder / _file(len(notes.stamps_s), view), png(picture))
        _write(folder / NOTES_FILE, write_yaml(to_plain(notes)).encode())
        return folder

    def delete(self, name: str) -> None:
        """Removes a goal with its pictures; raises GoalLibraryError where there is none."""
        self.notes(name)
        shutil.rmtree(self.folder / name)

    def _to_be_continued(self, name: str, now: GoalNotes) -> GoalNotes:
        """The notes of a goal; raises GoalLibraryError where what is seen now does not go with its pictures."""
        before = self.notes(name)
        if before.model != now.model:
            raise GoalLibraryError(f"goal {name} was saved for {before.model}; this is {now.model}: save a new goal")
        for there, here in zip_longest(before.views, now.views):
            if there != here:
                raise GoalLibraryError(f"goal {name} has pictures of {there}, and here is {here}: save a new goal")
        return before

    def _pictures(self, name: str, notes: GoalNotes, number: int) -> list[np.ndarray]:
        pictures = []
        for view in notes.views:
            file = self.folder / name / _file(number, view.name)
            picture = read_picture(file)
            if picture.shape[:2] != (view.height_px, view.width_px):
                given, saved = f"{picture.shape[1]} x {picture.shape[0]}", f"{view.width_px} x {view.height_px}"
                raise GoalLibraryError(f"{file} is {given} pixels; {saved} were saved: save the goal anew")
            pictures.append(picture)
        return pictures


def library_root() -> Path:
    """The folder of all libraries, below the user's data: $XDG_DATA_HOME, or ~/.local/share."""
    given = Path(os.environ.get("XDG_DATA_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".local" / "share") / "jepa_planner" / "goals"


def is_goal_name(text: str) -> bool:
    """Whether a goal may be called so."""
    return re.fullmatch(_NAME, text) is not None


def _checked(name: str) -> str:
    if not is_goal_name(name):
        raise GoalLibraryError(f"a goal cannot be called {name!r}; expected letters, digits, _ and -, at most 100")
    return name


def _file(number: int, view: str) -> str:
    return f"{number}_{view.replace('/', '-')}.png"


def _write(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all."""
    handle, new = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    os.replace(new, path)
