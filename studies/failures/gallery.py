"""Lost episodes as pictures: a row for each, with the goal, how it went and what failed first."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from studies.failures.failures import Cause

MOMENTS = 5
PICTURE_PX, GAP_PX, WORDS_PX, LINE_PX, WRAP = 112, 6, 210, 15, 32
BACKGROUND, INK = (250, 250, 248), (40, 42, 48)


@dataclass(frozen=True)
class LostEpisode:
    """Scene seed, what failed, the goal's last picture and what one camera saw after each step, uint8 [H, W, 3]."""

    seed: int
    cause: Cause
    goal: np.ndarray
    seen: Sequence[np.ndarray]


def draw_gallery(path: Path, task: str, episodes: Sequence[LostEpisode]) -> None:
    """Write a PNG. Raises ValueError where no episode was lost, or one has no picture."""
    if not episodes or not all(len(episode.seen) for episode in episodes):
        raise ValueError("a gallery needs at least one lost episode, each with at least one picture")
    step = PICTURE_PX + GAP_PX
    size = (GAP_PX + WORDS_PX + (1 + MOMENTS) * step, GAP_PX + len(episodes) * step)
    canvas = Image.new("RGB", size, BACKGROUND)
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(12)
    for row, episode in enumerate(episodes):
        top = GAP_PX + row * step
        words = [f"{task}, scene {episode.seed}", *textwrap.wrap(episode.cause.value, WRAP), "", "goal, then the way:"]
        for number, line in enumerate(words):
            draw.text((GAP_PX, top + number * LINE_PX), line, INK, font)
        for column, picture in enumerate([episode.goal, *_evenly(episode.seen)]):
            left = GAP_PX + WORDS_PX + column * step
            canvas.paste(Image.fromarray(picture).resize((PICTURE_PX, PICTURE_PX)), (left, top))
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.save(path, optimize=True)


def _evenly(seen: Sequence[np.ndarray]) -> list[np.ndarray]:
    """MOMENTS of them, the first and the last included; all of fewer."""
    picks = np.unique(np.linspace(0, len(seen) - 1, MOMENTS).round().astype(int))
    return [seen[pick] for pick in picks]
