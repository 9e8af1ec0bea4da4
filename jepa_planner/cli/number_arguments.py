"""Numbers as verbs take them: argparse refuses the others with the name of the argument, before anything runs."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from typing import Any

LARGEST = 2**63 - 1


class VerbParser(argparse.ArgumentParser):
    """For a verb and its own verbs: every `type=float` is finite, every `type=int` fits what seeds and arrays take."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # "-2.1e-03" is a number: before Python 3.13 argparse takes it for an option
        self._negative_number_matcher = re.compile(r"^-\d*\.?\d+\.?([eE][-+]?\d+)?$")
        self.register("type", float, _number)
        self.register("type", int, _whole_number)


def at_least(least: int, most: int = LARGEST) -> Callable[[str], int]:
    """The type of a whole number from `least` to `most`."""

    def whole(text: str) -> int:
        if not least <= (value := _whole_number(text)) <= most:
            bounds = f"{least} or more" if value < least else f"at most {most}"
            raise argparse.ArgumentTypeError(f"{text} given; expected {bounds}")
        return value

    whole.__name__ = "int"  # how argparse calls it where the text is no number
    return whole


def positive(text: str) -> float:
    """The type of a number above 0."""
    if (value := _number(text)) <= 0.0:
        raise argparse.ArgumentTypeError(f"{text} given; expected more than 0")
    return value


def not_negative(text: str) -> float:
    """The type of a number from 0 up."""
    if (value := _number(text)) < 0.0:
        raise argparse.ArgumentTypeError(f"{text} given; expected 0 or more")
    return value


def _number(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise argparse.ArgumentTypeError(f"{text!r} given; expected a finite number")
    return value


def _whole_number(text: str) -> int:
    if abs(value := int(text)) > LARGEST:
        raise argparse.ArgumentTypeError(f"{text} given; expected at most {LARGEST}")
    return value
