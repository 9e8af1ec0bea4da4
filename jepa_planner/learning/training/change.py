"""What a part of a bundle was worth on held-out episodes, and is worth after it went on learning."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """A measure, of which less is better, before and after."""

    measure: str
    before: float
    after: float

    @property
    def better(self) -> bool:
        """Whether what was learned is to be kept; not where a number is NaN."""
        return self.after < self.before
