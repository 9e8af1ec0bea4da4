"""The files of a bag: a folder with or without metadata.yaml, or one file, compressed as a whole or not."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from jepa_planner.learning.data.bags.mcap_file import McapFile
from jepa_planner.learning.data.bags.message import BagError, BagFile, zstd_module
from jepa_planner.learning.data.bags.sqlite_file import UNFINISHED, SqliteFile

STORAGES = (".mcap", ".db3")
PACKED = (".zstd", ".zst")
METADATA = "metadata.yaml"
READ_BYTES = 1 << 20
"""Of a packed file, what is unpacked at a time."""


@dataclass(frozen=True)
class OpenedBag:
    """A bag and its files, ready to be read; notes: what is wrong with it in words."""

    path: Path
    files: tuple[BagFile, ...]
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of the folder, or of the file without what tells its storage."""
        return self.path.name if self.path.is_dir() else self.path.name.split(".", 1)[0]


def find_bags(paths: Sequence[Path]) -> list[Path]:
    """What is meant by paths: bags themselves, or the bags in a folder of them, in the order of names.

    Raises BagError where there is none.
    """
    found = []
    for path in paths:
        if path.suffix == ".bag":
            raise BagError(f"{path} is of ROS 1: convert it first, with `rosbags-convert --src {path} --dst FOLDER`")
        if not path.exists():
            raise BagError(f"{path}: no such bag")
        if path.is_file() or _storage_files(path):
            found.append(path)
        elif inner := [folder for folder in sorted(path.iterdir()) if folder.is_dir() and _storage_files(folder)]:
            found += inner
        else:
            raise BagError(f"{path} holds no bag: expected files that end with {' or '.join(STORAGES)}, packed or not")
    if twice := [path for path in found if found.count(path) > 1]:
        raise BagError(f"{twice[0]} is given twice")
    return found


@contextmanager
def opened(path: Path) -> Iterator[OpenedBag]:
    """A bag to read from. Files that are packed, or that their writer left unfinished, are copied to where temporary
    files lie. Raises BagError naming the file that cannot be read, unless others of the bag can.
    """
    paths = [path] if path.is_file() else _storage_files(path)
    files: list[BagFile] = []
    notes = [] if path.is_file() else list(_missing(path, paths))
    with ExitStack() as stack:
        for file_path in paths:
            try:
                file, note = _open(file_path, stack)
            except (BagError, OSError) as error:
                if len(paths) == 1:
                    raise BagError(str(error)) from error
                notes.append(str(error))
                continue
            stack.callback(file.close)
            files.append(file)
            notes += [f"{file_path.name}: {note}"] if note else []
        if not files:
            raise BagError(f"{path} holds no file that can be read: {'; '.join(notes)}")
        yield OpenedBag(path, tuple(files), tuple(notes))


def _storage_files(folder: Path) -> list[Path]:
    """Those of a bag's folder, those of a split bag by their number; a packed one only where it is not there as it was
    before.
    """
    if not folder.is_dir():
        return []
    files = [file for file in folder.iterdir() if file.is_file() and _storage(file)]
    names = {file.name for file in files}
    kept = [file for file in files if file.suffix not in PACKED or file.stem not in names]
    return sorted(kept, key=lambda file: (len(file.name), file.name))


def _storage(file: Path) -> str:
    """How the file is stored, as its name ends before it was packed; empty for other files."""
    ending = Path(file.stem).suffix if file.suffix in PACKED else file.suffix
    return ending if ending in STORAGES else ""


def _missing(folder: Path, files: list[Path]) -> Iterator[str]:
    """What metadata.yaml names and is not there."""
    try:
        plain = yaml.safe_load((folder / METADATA).read_text(encoding="utf-8"))
        named = [Path(name).name for name in plain["rosbag2_bagfile_information"]["relative_file_paths"]]
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        yield f"{METADATA} cannot be read; the bag's files can do without"
        return
    have = {file.name for file in files} | {file.stem for file in files if file.suffix in PACKED}
    for name in named:
        if name not in have and Path(name).stem not in have:
            yield f"{name} is missing, which {METADATA} names"


def _open(path: Path, stack: ExitStack) -> tuple[BagFile, str]:
    """The file, and what is to be said of it."""
    note, leftovers = "", [path.with_name(path.name + ending) for ending in UNFINISHED]
    leftovers = [file for file in leftovers if file.is_file() and file.stat().st_size]
    copied = path.suffix in PACKED or (path.suffix == ".db3" and bool(leftovers))
    if copied:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jepa_planner_bag_")))
        if path.suffix in PACKED:
            path, note = _unpack(path, folder)
        else:
            for file in (path, *leftovers):
                shutil.copyfile(file, folder / file.name)
            path, note = folder / path.name, "its writer did not close it; what it had written is read"
    storage = _storage(path)
    if storage == ".mcap":
        return McapFile(path), note
    if storage == ".db3":
        return SqliteFile(path, may_write=copied), note
    raise BagError(f"{path} is no file of a bag: expected one that ends with {' or '.join(STORAGES)}")


def _unpack(path: Path, folder: Path) -> tuple[Path, str]:
    """The file as it was before it was packed, as far as that can be told, and what could not."""
    zstd, out = zstd_module(), folder / path.stem
    unpacker = zstd.ZstdDecompressor()
    with path.open("rb") as packed, out.open("wb") as file:
        while part := packed.read(READ_BYTES):
            try:
                while part:
                    if unpacker.eof:  # files may be packed in several frames
                        unpacker = zstd.ZstdDecompressor()
                    file.write(unpacker.decompress(part))
                    part = unpacker.unused_data if unpacker.eof else b""
            except zstd.ZstdError as error:
                return out, f"cannot be unpacked to its end: {error}"
    return out, "" if unpacker.eof else "cannot be unpacked to its end: it was cut off"
