"""What was found in episodes before anything is learned from them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One line with what was seen and what was expected; certain: it is surely wrong, else it may be meant."""

    says: str
    certain: bool


def refused(says: str) -> Finding:
    """What nobody can have meant."""
    return Finding(says, True)


def warned(says: str) -> Finding:
    """What may be meant, and is wrong more often."""
    return Finding(says, False)
