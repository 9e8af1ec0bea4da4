"""A folder that is there once all of it is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jepa_planner.learning.data.lerobot.layout import DatasetError


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into, which becomes `folder`; if writing fails, nothing is left of it.

    Raises DatasetError where there is something already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DatasetError(f"{folder} is there already: choose another --out, or move it away")
    new = folder.absolute().with_name(f".{folder.absolute().name}-{os.getpid()}")
    shutil.rmtree(new, ignore_errors=True)  # of a process that was killed, whose number this one has
    new.mkdir(parents=True)
    try:
        yield new
        os.replace(new, folder)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
