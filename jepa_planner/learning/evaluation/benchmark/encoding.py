"""How long an observation takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jepa_planner.learning.evaluation.benchmark.tables import Table, milliseconds
from jepa_planner.learning.evaluation.benchmark.timing import Timing, timed
from jepa_planner.model.contract_sections import ImageSpec
from jepa_planner.model.world_model import WorldModel


@dataclass(frozen=True)
class Encoding:
    """Seconds from pictures to latents, preprocessing included."""

    backend: str
    encode: Timing


def time_encoding(model: WorldModel, repeats: int) -> Encoding:
    """One picture per view, of the size that the model takes."""
    pictures = noise_pictures(model.contract.image)
    return Encoding(model.backend, timed(lambda: model.encode(pictures), model.device, repeats))


def noise_pictures(image: ImageSpec) -> np.ndarray:
    """uint8 [1, V, H, W, 3]."""
    shape = (1, len(image.views), image.height, image.width, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def encoding_table(results: Mapping[str, Encoding], image: ImageSpec) -> Table:
    """A row per backend."""
    rows = tuple(
        (name, milliseconds(result.encode.p50_s), milliseconds(result.encode.p95_s)) for name, result in results.items()
    )
    title = (
        f"Encoder: {len(image.views)} picture{'s' if len(image.views) > 1 else ''} of {image.width} x {image.height}"
    )
    return Table(title, ("", "median, ms", "95 %, ms"), rows)
