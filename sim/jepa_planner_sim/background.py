"""Backgrounds that move unpredictably: everything but the arm and the objects flickers, or a pattern drifts over it."""

from __future__ import annotations

import numpy as np

from jepa_planner_sim.scene import BackgroundMotion

FLICKER_GAIN = 0.35
"""flicker: each colour of the background is multiplied by 1 - this to 1 + this, drawn anew every 0.05 s."""
TEXTURE_LEVELS = 70.0
"""moving_texture: waves of at most so many grey levels (of 255) are added to the background."""
TEXTURE_STEP = 0.04
"""moving_texture: the waves take a random step every 0.05 s, in picture widths (standard deviation along each side)."""
PERIOD_S = 0.05
"""How long a background stands still; an action of 0.25 s sees five of them."""
WAVES = 6
MAX_CYCLES = 4.0


def animate(picture: np.ndarray, background: np.ndarray, motion: BackgroundMotion, view: int, time_s: float) -> None:
    """Change the background of a picture, uint8 [H, W, 3], in place.

    background: bool [H, W]. A picture is a function of the motion's seed, the view's number and the time, so that two
    pictures of one moment agree, and nothing that was seen tells what comes next.
    """
    period = int(time_s / PERIOD_S + 1e-6)
    pixels = picture[background].astype(np.float32)
    if motion.flicker:
        draw = np.random.default_rng([motion.seed, 0, period]).uniform(-1.0, 1.0, 3)  # the same light in all views
        pixels *= 1.0 + FLICKER_GAIN * motion.flicker * draw
    if motion.texture:
        pixels += _pattern(picture.shape[:2], motion, view, period)[background]
    picture[background] = np.clip(pixels, 0, 255).astype(np.uint8)


def _pattern(size_px: tuple[int, int], motion: BackgroundMotion, view: int, period: int) -> np.ndarray:
    """Coloured waves [H, W, 3] within TEXTURE_LEVELS, displaced by a random walk of so many steps."""
    rng = np.random.default_rng([motion.seed, 1, view])
    cycles, phases = rng.uniform(-MAX_CYCLES, MAX_CYCLES, (WAVES, 2)), rng.uniform(0.0, 2.0 * np.pi, WAVES)
    colours = rng.uniform(-1.0, 1.0, (WAVES, 3)) / WAVES * 2.0
    walk = TEXTURE_STEP * rng.standard_normal((period + 1, 2)).sum(axis=0)
    rows, columns = np.meshgrid(*(np.linspace(0.0, 1.0, n, endpoint=False) for n in size_px), indexing="ij")
    places = np.stack([rows, columns], axis=-1) + walk
    waves = np.cos(2.0 * np.pi * places @ cycles.T + phases) @ colours
    return TEXTURE_LEVELS * motion.texture * np.clip(waves, -1.0, 1.0)
