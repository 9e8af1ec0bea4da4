"""What was seen in recordings, in the words of somebody who has to decide whether to train on them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from jepa_planner.learning.data.finding import Finding


class Level(IntEnum):
    """How bad something is; the worst of several is the largest."""

    GOOD = 0
    WARNING = 1
    WRONG = 2


@dataclass(frozen=True)
class Judgement:
    """One thing that was looked at.

    topic: what it is about. says: the number, and what it means. advice: what to do; empty where that is nothing.
    numbers: the same for scripts.
    """

    topic: str
    level: Level
    says: str
    advice: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def in_words(self) -> str:
        """Lines for a terminal."""
        words = f"{self.level.name.lower():<8}{self.topic}: {self.says}"
        lines = textwrap.wrap(words, 110, subsequent_indent=" " * 8)
        lines += textwrap.wrap(self.advice, 110, initial_indent=" " * 8 + "-> ", subsequent_indent=" " * 11)
        return "\n".join(lines)

    def as_plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "topic": self.topic, "level": self.level.name.lower(), "says": self.says, "advice": self.advice,
            "numbers": dict(self.numbers),
        }  # fmt: skip


def worst(judgements: Iterable[Judgement]) -> Level:
    """The worst level of all; GOOD for none."""
    return max((judgement.level for judgement in judgements), default=Level.GOOD)


def of_finding(topic: str, finding: Finding) -> Judgement:
    """What `train` would say of episodes, as a judgement."""
    if finding.certain:
        return Judgement(topic, Level.WRONG, finding.says, "mend the recording or what it was made with: train refuses")
    return Judgement(topic, Level.WARNING, finding.says, "look at it before training, which goes on with a warning")
