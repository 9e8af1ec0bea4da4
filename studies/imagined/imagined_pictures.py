"""What models imagine beside what happened, as one picture: predictions drawn by a decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from jepa_planner.core.context import Context
from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.model.pixel_decoder import PixelDecoder
from jepa_planner.model.preprocess import as_pictures
from jepa_planner.model.world_model import WorldModel

MAGNIFIED, MARGIN_PX, LABEL_PX = 2, 4, 14
COLOURS = 128
"""Of the file's palette, which keeps it small."""


@dataclass(frozen=True)
class Moment:
    """A frame of an episode, by their numbers, from which so many steps are imagined."""

    episode: int
    frame: int
    steps: int


def liveliest_moment(episodes: Episodes, steps: int, context: int = 2) -> Moment:
    """Where the pictures differ most from those so many steps later; raises ValueError where episodes are too short."""
    first, last = context - 1, episodes.images.shape[1] - steps
    if last <= first:
        raise ValueError(f"episodes of {episodes.images.shape[1]} frames are too short to imagine {steps} steps")
    changes = [
        np.abs(images[first + steps :].astype(np.int16) - images[first:last]).mean(axis=(1, 2, 3, 4))
        for images in episodes.images
    ]
    episode, frame = np.unravel_index(np.argmax(changes), (len(changes), last - first))
    return Moment(int(episode), first + int(frame), steps)


@torch.inference_mode()
def imagined(model: WorldModel, decoder: PixelDecoder, episodes: Episodes, moment: Moment, view: str) -> np.ndarray:
    """Pictures uint8 [1 + steps, H, W, 3] of one view: the present, drawn from its own latent, and what follows.

    The model sees as many frames as its contract says, up to the moment, and is told the actions that were taken.
    """
    contract = model.contract
    seen = slice(max(0, moment.frame - contract.context_frames + 1), moment.frame + 1)
    channels = contract.state.columns
    images = episodes.images[moment.episode, seen][:, contract.pick_views(episodes.views)]
    states, actions = episodes.states[moment.episode][:, channels], episodes.actions[moment.episode]
    latents = model.encode(images).cpu()
    past = torch.from_numpy(actions[seen.start : moment.frame])
    context = Context(latents, torch.from_numpy(states[seen]), past)
    future = torch.from_numpy(actions[None, moment.frame : moment.frame + moment.steps])
    drawn = decoder(torch.cat([latents[-1:], model.rollout(context, future)[0].cpu()]))
    return as_pictures(drawn[:, contract.image.views.index(view)], contract.image.mean, contract.image.std).numpy()


def happened(episodes: Episodes, moment: Moment, view: str) -> np.ndarray:
    """Pictures uint8 [1 + steps, H, W, 3] of one view as the camera saw them."""
    frames = slice(moment.frame, moment.frame + moment.steps + 1)
    return episodes.images[moment.episode, frames, episodes.views.index(view)]


def save_sheet(path: Path, rows: Mapping[str, np.ndarray]) -> None:
    """A PNG with a labelled row for each name, its pictures uint8 [T, H, W, 3] from left to right."""
    steps, height, width = (max(pictures.shape[axis] for pictures in rows.values()) for axis in (0, 1, 2))
    column, row = width * MAGNIFIED + MARGIN_PX, height * MAGNIFIED + MARGIN_PX + LABEL_PX
    sheet = Image.new("RGB", (steps * column + MARGIN_PX, len(rows) * row + MARGIN_PX), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (name, pictures) in enumerate(rows.items()):
        top = number * row + MARGIN_PX
        for step, picture in enumerate(pictures):
            left = step * column + MARGIN_PX
            pen.text((left, top), f"{name}, {'now' if step == 0 else f'+{step}'}", fill="black")
            size = (picture.shape[1] * MAGNIFIED, picture.shape[0] * MAGNIFIED)
            sheet.paste(Image.fromarray(picture).resize(size, Image.Resampling.NEAREST), (left, top + LABEL_PX))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(COLOURS).save(path, optimize=True)
