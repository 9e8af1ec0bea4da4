"""What a check says: how bad it is, what was found, and what to do about it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import IntEnum


class Level(IntEnum):
    """GREEN: as it should be; YELLOW: goals can be reached, with care; RED: no goal will be reached."""

    GREEN = 0
    YELLOW = 1
    RED = 2


@dataclass(frozen=True)
class Finding:
    """One check's word on one thing; `do` is empty where there is nothing to do."""

    about: str
    level: Level
    found: str
    do: str = ""


def green(about: str, found: str) -> Finding:
    """All is well, with the number that says so."""
    return Finding(about, Level.GREEN, found)


def yellow(about: str, found: str, do: str) -> Finding:
    """It works, but not well, or not for all that may be asked."""
    return Finding(about, Level.YELLOW, found, do)


def red(about: str, found: str, do: str) -> Finding:
    """It does not work."""
    return Finding(about, Level.RED, found, do)


_COLOURS = {Level.GREEN: "32", Level.YELLOW: "33", Level.RED: "31"}
_ABOUT = 22
_INDENT = 33


def in_words(finding: Finding, colour: bool = False, columns: int = 120) -> str:
    """A finding for people: level, what it is about, what was found, and below that what to do."""
    level = f"{finding.level.name.lower():<8}"
    if colour:
        level = f"\033[{_COLOURS[finding.level]}m{level}\033[0m"
    head = f"  {level}{finding.about:<{_ABOUT}} "
    if len(finding.about) > _ABOUT:
        head = f"{head.rstrip()}\n{' ' * _INDENT}"
    return head + ("\n" + " " * _INDENT).join(_lines(finding, columns))


def _lines(finding: Finding, columns: int) -> list[str]:
    wrapped: list[str] = []
    for text, first in ((finding.found, ""), (finding.do, "-> ")):
        if text:
            width = max(40, columns - _INDENT)
            wrapped += textwrap.wrap(
                text, width, initial_indent=first, subsequent_indent=" " * len(first), break_long_words=False,
                break_on_hyphens=False,
            )  # fmt: skip
    return wrapped


def worst(findings: Iterable[Finding]) -> Level:
    """The level of all of them together."""
    return max((finding.level for finding in findings), default=Level.GREEN)


def summary(findings: Iterable[Finding]) -> str:
    """All in a line."""
    findings = list(findings)
    counts = {level: sum(finding.level is level for finding in findings) for level in reversed(Level)}
    told = ", ".join(f"{count} {level.name.lower()}" for level, count in counts.items() if count)
    return f"{worst(findings).name.lower()}: {told}"


def as_plain(group: str, finding: Finding) -> dict[str, str]:
    """A finding for scripts."""
    return {"group": group, **asdict(finding), "level": finding.level.name.lower()}
