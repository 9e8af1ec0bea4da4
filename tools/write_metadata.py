"""Writes what an installation without pip lacks: the metadata by which Python finds the package's entry points.

`python tools/write_metadata.py FOLDER` makes FOLDER/jepa_planner_entry_points-VERSION.dist-info from pyproject.toml. It
has a name of its own: ROS writes metadata without entry points under the package's, of which Python takes either.
"""

import re
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
NAME = "jepa_planner_entry_points"
GROUP = re.compile(r'^\[project\.(?:entry-points\."([\w.]+)"|scripts)\]$')


def entry_points(pyproject: str) -> dict[str, list[str]]:
    """Lines NAME = MODULE:OBJECT of each group; Python 3.10 has no reader of TOML."""
    found: dict[str, list[str]] = {}
    group = None
    for line in pyproject.splitlines():
        if header := GROUP.match(line):
            group = found.setdefault(header[1] or "console_scripts", [])
        elif line.startswith("["):
            group = None
        elif group is not None and (entry := re.match(r'^(\S+) = "([^"]+)"$', line)):
            group.append(f"{entry[1]} = {entry[2]}")
    return found


def main() -> int:
    """Writes METADATA and entry_points.txt."""
    version = re.search(r'__version__ = "(.*)"', (SOURCE / "jepa_planner" / "__init__.py").read_text())[1]
    folder = Path(sys.argv[1]) / f"{NAME}-{version}.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {version}\n")
    groups = entry_points((SOURCE / "pyproject.toml").read_text())
    (folder / "entry_points.txt").write_text(
        "\n".join("\n".join([f"[{group}]", *entries, ""]) for group, entries in groups.items())
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
