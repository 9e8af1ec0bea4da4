"""HDF5 files as they are found: by whichever writer, held, forbidden, damaged or cut short, each told apart."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

MOVE_AWAY = "move it away; what `jepa-planner collect` made, it makes again"


class EpisodeError(ValueError):
    """Episode files that are missing, foreign, damaged, or do not go together."""


@contextmanager
def open_to_read(path: Path) -> Iterator[h5py.File]:
    """The file at a path; raises EpisodeError saying why it cannot be opened, or what it lacks."""
    with errors_named(path), h5py.File(path, "r") as file:
        yield file


@contextmanager
def errors_named(path: Path) -> Iterator[None]:
    """Raises EpisodeError saying why a file cannot be opened, or what it lacks, in the place of what HDF5 raises."""
    try:
        yield
    except EpisodeError:
        raise
    except PermissionError as error:
        raise EpisodeError(f"{path} may not be read by this user: ask its owner, or chmod u+r") from error
    except KeyError as error:
        raise EpisodeError(f"{path} cannot be read as an episode shard: {error.args[0]}") from error
    except OSError as error:
        raise EpisodeError(_why_not(path, error)) from error
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:  # what HDF5 makes of spoilt headers
        raise EpisodeError(f"{path} cannot be read as an episode shard: {error}; {MOVE_AWAY}") from error


@contextmanager
def open_to_write(path: Path, most_bytes: int) -> Iterator[h5py.File]:
    """A new file that takes its place at the path once it is whole; else what was there stays.

    Raises EpisodeError where there is no room for so many bytes: HDF5 ends the process when a disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(path.parent).free) < most_bytes:
        raise EpisodeError(
            f"{path} needs up to {most_bytes / 1e6:.0f} MB; {path.parent} has {free / 1e6:.0f} MB left: make room"
        )
    partial = path.with_suffix(".partial")
    try:
        with h5py.File(partial, "w") as file:
            yield file
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_checked(file: h5py.File, name: str, values: npt.ArrayLike, **how: object) -> None:
    """Writes a dataset with checksums, so that a damaged one is noticed when it is read."""
    file.create_dataset(name, data=values, fletcher32=True, **{"chunks": True, **how})


def as_texts(value: object, path: Path) -> tuple[str, ...]:
    """Text of any writer (of fixed or variable length, one or an array) as strings; raises EpisodeError."""
    texts = []
    for text in np.atleast_1d(np.asarray(value)).ravel().tolist():
        if isinstance(text, bytes):
            text = text.decode(errors="replace")
        if not isinstance(text, str):
            raise EpisodeError(f"{path} holds {text!r} where text is expected")
        texts.append(text.rstrip("\0"))
    return tuple(texts)


def first_rows(file: h5py.File, name: str, limit: int | None) -> np.ndarray:
    """The first rows of a dataset, or all; raises EpisodeError naming the episode that is damaged."""
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset) or not dataset.shape:
        raise EpisodeError(f"{file.filename}: {name} is no array")
    try:
        return dataset[:limit]
    except OSError as error:
        numbers = range(len(dataset) if limit is None else min(limit, len(dataset)))
        spoilt = next((number for number in numbers if not _can_be_read(dataset, number)), None)
        where = "" if spoilt is None else f" of episode {spoilt}, counted from 0,"
        raise EpisodeError(
            f"{file.filename} is damaged: {name}{where} cannot be read ({error}); {MOVE_AWAY}"
        ) from error


def _can_be_read(dataset: h5py.Dataset, number: int) -> bool:
    try:
        dataset[number]
    except OSError:
        return False
    return True


def _why_not(path: Path, error: OSError) -> str:
    if error.errno == errno.EAGAIN:
        return f"{path} is being written by {_holder(path)}: wait until it is closed; the file is not damaged"
    if error.errno in (errno.ENOLCK, errno.ENOSYS):
        return f"{path} lies where files cannot be locked: set HDF5_USE_FILE_LOCKING=FALSE if nobody writes to it"
    if "open for write" in str(error):
        return f"{path} is being written, or its writer ended without closing it; if so, `h5clear -s {path}` mends it"
    if error.errno is not None:
        return f"{path} cannot be read: {os.strerror(error.errno)}"
    return f"{path} cannot be read as an episode shard, it is damaged or none: {error}; {MOVE_AWAY}"


def _holder(path: Path) -> str:
    """The process that has locked a file, as far as /proc tells."""
    try:
        inode = path.stat().st_ino
        locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        pid = next(int(lock[4]) for lock in locks if lock[3] == "WRITE" and lock[5].endswith(f":{inode}"))
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        return f"process {pid} ({command[:80]})"
    except (OSError, ValueError, IndexError, StopIteration):
        return "another process"
