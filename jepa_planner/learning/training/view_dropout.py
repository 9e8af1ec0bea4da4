"""Windows that only one of the cameras saw, so that an encoder learns to do with any of them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Generator, Tensor

from jepa_planner.model.encoder import VideoEncoder

LONE_VIEW_SHARE = 0.3
"""Share of windows, and of the predictor's episodes, that are seen by a single view."""


def encode_windows(encoder: VideoEncoder, images: Tensor, generator: Generator) -> Tensor:
    """Latents [B, T, N, D] of windows [B, T, V, 3, H, W]; an encoder for any view sees some through one alone.

    A missing view is left out of the attention: nothing stands in its place.
    """
    if not encoder.config.any_view:
        return encoder(images.flatten(0, 1)).unflatten(0, images.shape[:2])
    count, time, views = images.shape[:3]
    lone = torch.rand(count, generator=generator) < LONE_VIEW_SHARE
    which = torch.where(lone, torch.randint(views, (count,), generator=generator), views)
    embedded = encoder.embed(images.flatten(0, 1)).unflatten(0, (count, time))
    rows, tokens = [], []
    for view in range(views + 1):
        chosen = torch.nonzero(which == view).flatten()
        if len(chosen):
            seen = embedded[chosen] if view == views else embedded[chosen, :, view : view + 1]
            tokens.append(encoder.read(seen.flatten(0, 1)).unflatten(0, (len(chosen), time)))
            rows.append(chosen)
    order = torch.cat(rows).argsort()
    return encoder.normalise(torch.cat(tokens)[order].flatten(0, 1)).unflatten(0, (count, time))


def draw_lone_views(count: int, views: int, rng: np.random.Generator) -> np.ndarray:
    """For each of `count` episodes the number of the one view that sees it, or -1: all of them do. int [count]."""
    return np.where(rng.random(count) < LONE_VIEW_SHARE, rng.integers(views, size=count), -1)
