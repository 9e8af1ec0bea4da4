"""A bundle that is written beside its place and takes it once all of it is there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jepa_planner.model.bundle_files import CONTRACT_FILE


@contextmanager
def whole_bundle(folder: str | Path) -> Iterator[Path]:
    """A folder to write a bundle into, which becomes `folder`; if writing fails, what was there stays as it was.

    Where there is a folder already its files are replaced one by one, the contract last: whoever loads it meanwhile
    finds hashes that do not match, never half of a model. Other files in it stay. Where that is cut short, what is not
    yet in its place stays beside it.
    """
    folder = Path(folder)
    new = folder / f".new-{os.getpid()}" if folder.exists() else folder.with_name(f".{folder.name}-{os.getpid()}")
    shutil.rmtree(new, ignore_errors=True)  # of a process that was killed, whose number this one has
    new.mkdir(parents=True)
    try:
        yield new
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    if not folder.exists():
        new.rename(folder)
        return
    for path in sorted(new.iterdir(), key=lambda path: path.name == CONTRACT_FILE):
        path.replace(folder / path.name)
    new.rmdir()
