"""Metadata lives in pyproject.toml; this adds the files for share/jepa_planner, where colcon puts them too."""

from pathlib import Path

from setuptools import setup

SHARED = ("config", "launch", "models")


def shared_files() -> list[tuple[str, list[str]]]:
    folders = sorted({file.parent for top in SHARED for file in Path(top).rglob("*") if file.is_file()})
    return [
        (f"share/jepa_planner/{folder.as_posix()}", [str(f) for f in sorted(folder.iterdir()) if f.is_file()])
        for folder in folders
        if "__pycache__" not in folder.parts
    ]


setup(data_files=shared_files())
