"""What MkDocs does not do by itself: the README is the first page, links that leave docs/ lead to the same files inside
the site, and `test/guards.yaml` becomes a table. Links to files that are not there are left to MkDocs, which refuses
them.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
FIRST, GUARDS, REPOSITORY = "index.md", "safety_guards.md", "repository"
LINK = re.compile(r"(?P<before>\]\()(?P<path>[^)\s#:]+)(?P<anchor>#[^)\s]*)?(?=\))")
FENCE = re.compile(r"^```.*?^```$", re.M | re.S)


def place_of(file: str) -> str:
    """Where a file of the repository stands in the site; both paths with forward slashes, from their roots."""
    if file == "README.md":
        return FIRST
    return file.removeprefix("docs/") if file.startswith("docs/") else f"{REPOSITORY}/{file}"


def file_of(place: str) -> str:
    """The file of the repository that stands at a place of the site."""
    if place == FIRST:
        return "README.md"
    inside = place.removeprefix(f"{REPOSITORY}/")
    return inside if inside != place else f"docs/{place}"


def linked(file: str, text: str) -> Iterator[str]:
    """The files of the repository to which a page links."""
    for link in LINK.finditer(FENCE.sub("", text)):
        if target := _target(file, link["path"]):
            yield target


def for_the_site(file: str, text: str) -> str:
    """A page's text with its links as they lead inside the site."""

    def moved(link: re.Match) -> str:
        target = _target(file, link["path"])
        if target is None:
            return link[0]
        here = os.path.dirname(place_of(file))
        return f"{link['before']}{os.path.relpath(place_of(target), here or '.')}{link['anchor'] or ''}"

    parts, end = [], 0
    for fence in FENCE.finditer(text):
        parts += [LINK.sub(moved, text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, LINK.sub(moved, text[end:])])


def guards_page() -> str:
    """Every invariant of `test/guards.yaml` with the file that keeps it and the test that fails without it."""
    guards = yaml.safe_load((ROOT / "test/guards.yaml").read_text(encoding="utf-8"))
    rows = [f"| {guard['invariant']} | `{guard['file']}` | `{guard['test']}` |" for guard in guards]
    head = [
        "# Guards",
        "`make guards` removes each of these from a copy of the sources, and shows that its test then fails.",
        "| what must never happen otherwise | kept by | test that fails without it |\n|---|---|---|",
    ]
    return "\n\n".join(head) + "\n" + "\n".join(rows) + "\n"


def _target(file: str, path: str) -> str | None:
    """The file of the repository that a link means; None for one that is not there."""
    target = os.path.normpath(os.path.join(os.path.dirname(file), path))
    return target if (ROOT / target).is_file() else None


def on_files(files, config):
    """Adds the README, all that pages link to, and the table of guards."""
    from mkdocs.structure.files import File

    waiting = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *(file_of(page.src_uri) for page in files)]
    seen: set[str] = set()
    while waiting:
        if (file := waiting.pop()) in seen:
            continue
        seen.add(file)
        if files.get_file_from_path(place_of(file)) is None:
            files.append(File.generated(config, place_of(file), abs_src_path=str(ROOT / file)))
        if file.endswith(".md"):
            waiting += linked(file, (ROOT / file).read_text(encoding="utf-8"))
    files.append(File.generated(config, GUARDS, content=guards_page()))
    return files


def on_page_markdown(markdown, page, config, files):
    """Turns links to files of the repository into links inside the site."""
    place = page.file.src_uri
    return markdown if place == GUARDS else for_the_site(file_of(place), markdown)
