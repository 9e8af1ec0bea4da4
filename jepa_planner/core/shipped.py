"""The files that ship with the package: `config/`, `launch/` and `models/`."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


def shipped(name: str) -> Path:
    """Path of a file or folder that ships, such as `config/panda_limits.yaml`.

    Looked for in this package's own source tree, or else in the share folder of its own installation, and nowhere else:
    what lies about above is not the package's. Raises FileNotFoundError naming the places.
    """
    places = [root / name for root in _roots(PACKAGE)]
    for place in places:
        if place.exists():
            return place
    raise FileNotFoundError(f"{name} of jepa_planner was found at none of {', '.join(map(str, places))}: install again")


def _roots(package: Path) -> list[Path]:
    """The source tree, where the package lies in one; else where pip and colcon put data files of such a package.

    That is PREFIX for PREFIX/lib/python3.X/site-packages, with Debian's PREFIX/local/lib for some, and the folder
    itself for `pip install --target`.
    """
    beside = package.parent
    if (beside / "pyproject.toml").is_file():
        return [beside]
    prefixes = [beside, *beside.parents[2:3]]
    if prefixes[-1].name == "local":
        prefixes.append(prefixes[-1].parent)
    return [prefix / "share" / "jepa_planner" for prefix in prefixes]
