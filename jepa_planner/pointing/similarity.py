"""What in a picture looks like what was pointed at, by the patch tokens of a frozen encoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from jepa_planner.model.bundle import load_encoder, model_folder
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.preprocess import preprocess

DENSE_MODEL = "panda-dense"
"""Of those that ship, the one whose patches are fine enough for things of a few centimetres."""


class PointingError(ValueError):
    """What was pointed at cannot be used; the message says why, and what to do."""


@dataclass(frozen=True)
class DenseFeatures:
    """Of one picture: `grid` [h, w, D] at the centres of equal cells, and the picture, uint8 RGB [H, W, 3]."""

    grid: Tensor
    picture: np.ndarray

    def at(self, xy_px: tuple[float, float]) -> Tensor:
        """The features [D] at a pixel; (0, 0) is the centre of the first. Raises PointingError outside the picture."""
        height, width = self.picture.shape[:2]
        x, y = round(xy_px[0]), round(xy_px[1])
        if not (0 <= x < width and 0 <= y < height):
            raise PointingError(f"({x}, {y}) lies outside the picture, which is {width} x {height} pixels")
        rows, columns = self.grid.shape[:2]
        return self.grid[int((y + 0.5) * rows / height), int((x + 0.5) * columns / width)]


class DenseEncoder:
    """A frozen encoder whose latents are patch tokens: of `jepa-planner train --objective vjepa`, or imported."""

    def __init__(self, encoder: VideoEncoder) -> None:
        """Raises PointingError for an encoder whose latents are slots, which have no place in the picture."""
        if encoder.config.slots:
            raise PointingError(
                "this model's latents are slots, which have no place in the picture: use one of patch tokens, of "
                "`jepa-planner train --objective vjepa` or `jepa-planner model import vjepa2-encoder`"
            )
        self._encoder = encoder.eval().requires_grad_(False)

    @classmethod
    def load(cls, folder: str | Path = DENSE_MODEL) -> DenseEncoder:
        """That of a bundle, by its folder or, of one that ships, by its name; raises BundleError or PointingError."""
        return cls(load_encoder(model_folder(folder))[0])

    @torch.inference_mode()
    def features(self, picture: np.ndarray) -> DenseFeatures:
        """Of a picture, uint8 RGB [H, W, 3], the whole of it, whatever its aspect; cells are half a patch wide.

        The picture is seen four times, moved by half a patch each time, as things are smaller than a patch.
        """
        config = self._encoder.config
        (height, width), patch = config.image_size, config.patch_size
        shrinks = picture.shape[0] > height or picture.shape[1] > width
        shown = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        pixels = preprocess(torch.from_numpy(shown), config.image_size)
        quarter = patch // 4
        padded = F.pad(pixels[None], (2 * quarter,) * 4, mode="replicate")[0]
        moved = [
            padded[:, top : top + height, left : left + width]
            for top in (quarter, 3 * quarter)
            for left in (quarter, 3 * quarter)
        ]
        seen = torch.stack(moved)[:, None].expand(-1, config.views, -1, -1, -1)
        rows, columns = config.grid
        tokens = self._encoder(seen)[:, : rows * columns].view(2, 2, rows, columns, -1)
        return DenseFeatures(tokens.permute(2, 0, 3, 1, 4).reshape(2 * rows, 2 * columns, -1), picture)


def heat_map(features: DenseFeatures, like: Tensor) -> np.ndarray:
    """How alike each pixel is to features [D], float32 [H, W] in [-1, 1]: cosine of what is not the picture's mean."""
    mean = features.grid.mean(dim=(0, 1))
    alike = F.normalize(features.grid - mean, dim=-1) @ F.normalize(like - mean, dim=-1)
    height, width = features.picture.shape[:2]
    return cv2.resize(alike.numpy(), (width, height), interpolation=cv2.INTER_LINEAR)
