"""A path, and the candidates that it was chosen from, as SVG over a picture."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

FIRST_STEP, LATER_STEPS = "#20c040", "#ff9010"
"""The colours of the planner's markers: the step that is executed, and those that are only planned."""
CANDIDATES = "#3388ff"


def candidates_svg(lines: np.ndarray, weights: np.ndarray, scale: float, width_px: int) -> str:
    """Thin lines [L, 2, 2] in pixels of the camera's own picture, each as strong as its weight; otherwise as
    `path_svg`.
    """
    width = max(0.2, width_px / scale / 320)
    parts = []
    for ((ax, ay), (bx, by)), weight in zip(lines / scale, weights, strict=True):
        if np.isfinite([ax, ay, bx, by]).all():
            ends = f'x1="{ax:.1f}" y1="{ay:.1f}" x2="{bx:.1f}" y2="{by:.1f}"'
            parts.append(f'<line {ends} stroke-opacity="{weight:.2f}" />')
    return f'<g stroke="{CANDIDATES}" stroke-width="{width:.2f}">{"".join(parts)}</g>' if parts else ""


def path_svg(pixels: np.ndarray, scale: float, width_px: int) -> str:
    """A line through pixels [N, 2] of the camera's own picture, of that width, with a ball at each step's end.

    scale: pixels of that picture for one that is shown. Points that are not seen (NaN) are left out with their lines.
    """
    places = [(float(x) / scale, float(y) / scale) for x, y in pixels]
    width = max(0.4, width_px / scale / 110)
    parts = []
    for number, (a, b) in enumerate(pairwise(places)):
        colour = LATER_STEPS if number else FIRST_STEP
        if np.isfinite([*a, *b]).all():
            ends = f'x1="{a[0]:.2f}" y1="{a[1]:.2f}" x2="{b[0]:.2f}" y2="{b[1]:.2f}"'
            parts.append(f'<line {ends} stroke="{colour}" stroke-width="{width:.2f}" />')
        if np.isfinite(b).all():
            parts.append(f'<circle cx="{b[0]:.2f}" cy="{b[1]:.2f}" r="{1.5 * width:.2f}" fill="{colour}" />')
    return "".join(parts)
