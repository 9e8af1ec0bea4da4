"""Draws what the planner saw, wanted, did and thought of it as a video: camera, goal image, path, verdict, energy."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from PIL import Image, ImageDraw, ImageFont

CAMERA_PX = 384
SIDE_PX = 256
LINE_LETTERS = 38
MARGIN_PX = 12
HEIGHT_PX = CAMERA_PX + 2 * MARGIN_PX
WIDTH_PX = CAMERA_PX + SIDE_PX + 3 * MARGIN_PX
BACKGROUND, INK, PALE, PATH, ENERGY = (250, 250, 248), (40, 42, 48), (205, 205, 205), (255, 140, 0), (30, 110, 220)

Project = Callable[[np.ndarray], np.ndarray]
"""Maps points [N, 3] (m, base frame) to pixels [N, 2] of a unit-sized picture of the front camera."""


@dataclass(frozen=True)
class Moment:
    """One frame of a film: camera picture uint8 [H, W, 3], planned tcp path [H, 3] (m), energy to the goal image.

    verdict: on the work, in words; empty where nothing was judged.
    """

    time_s: float
    picture: np.ndarray
    path_m: np.ndarray
    sub_goal: int
    energy: float
    tolerance: float
    verdict: str = ""


def make_film(
    path: Path,
    moments: Sequence[Moment],
    goals: Sequence[np.ndarray],
    project: Project,
    title: str,
    frames_per_s: int = 10,
) -> None:
    """Write an MP4, or a GIF by the suffix of `path`; goals are uint8 [H, W, 3] of the front view.

    Raises ValueError when there is nothing to show.
    """
    if not moments:
        raise ValueError("no camera picture was recorded: is the camera's topic published?")
    frames = [_frame(moments[: i + 1], goals, project, title) for i in range(len(moments))]
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gif":
        small = [
            f.resize((WIDTH_PX * 3 // 4, HEIGHT_PX * 3 // 4)).quantize(96, dither=Image.Dither.NONE) for f in frames
        ]
        small[0].save(
            path, save_all=True, append_images=small[1:], duration=1000 // frames_per_s, loop=0, optimize=True
        )
        return
    film = imageio_ffmpeg.write_frames(
        str(path), frames[0].size, fps=frames_per_s, codec="libx264", quality=8, macro_block_size=4
    )
    with closing(film) as writer:
        writer.send(None)
        for frame in frames:
            writer.send(frame.tobytes())


def _frame(history: Sequence[Moment], goals: Sequence[np.ndarray], project: Project, title: str) -> Image.Image:
    now = history[-1]
    canvas = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    camera = Image.fromarray(now.picture).resize((CAMERA_PX, CAMERA_PX))
    _draw_path(ImageDraw.Draw(camera), now.path_m, project)
    canvas.paste(camera, (MARGIN_PX, MARGIN_PX))
    left = CAMERA_PX + 2 * MARGIN_PX
    goal_px = 196
    goal = Image.fromarray(goals[min(now.sub_goal, len(goals) - 1)])
    canvas.paste(goal.resize((goal_px, goal_px), Image.Resampling.BICUBIC), (left, MARGIN_PX + 20))
    draw.text((left, MARGIN_PX), f"goal image {now.sub_goal + 1} of {len(goals)}", INK, _font(14))
    verdict = "\n".join(textwrap.wrap(now.verdict, LINE_LETTERS))
    draw.text((left, MARGIN_PX + 20 + goal_px + 6), verdict, INK, _font(13))
    _draw_energy(draw, history, (left, MARGIN_PX + 20 + goal_px + 62, left + SIDE_PX, HEIGHT_PX - MARGIN_PX - 24))
    draw.text((left, HEIGHT_PX - MARGIN_PX - 16), f"{title}   {now.time_s:5.1f} s", INK, _font(13))
    return canvas


def _draw_path(draw: ImageDraw.ImageDraw, path_m: np.ndarray, project: Project) -> None:
    if len(path_m) < 2:
        return
    points = [tuple(p) for p in (project(path_m) * CAMERA_PX).tolist()]
    draw.line(points, PATH, 3)
    for x, y in points:
        draw.ellipse((x - 4, y - 4, x + 4, y + 4), PATH)


def _draw_energy(draw: ImageDraw.ImageDraw, history: Sequence[Moment], box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    draw.text((left, top - 18), "energy to the goal image", INK, _font(13))
    draw.rectangle(box, outline=PALE)
    known = [m for m in history if np.isfinite(m.energy)]
    if not known:
        return
    span_s = max(known[-1].time_s - known[0].time_s, 1.0)
    highest = max(max(m.energy for m in known) * 1.1, 1e-6)

    def place(time_s: float, energy: float) -> tuple[float, float]:
        return left + (right - left) * (time_s - known[0].time_s) / span_s, bottom - (bottom - top) * energy / highest

    y = place(known[0].time_s, known[-1].tolerance)[1]
    draw.line((left, y, right, y), PALE)
    for a, b in pairwise(known):
        if a.sub_goal != b.sub_goal:  # another picture, another energy: no line across
            x = place(b.time_s, 0.0)[0]
            draw.line((x, top, x, bottom), PALE)
        else:
            draw.line((*place(a.time_s, a.energy), *place(b.time_s, b.energy)), ENERGY, 2)


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
