"""Latents of all episodes in one file: encoding is what a large frozen encoder costs, so it is done once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from jepa_planner.learning.data.images_on_disk import Images
from jepa_planner.learning.training.run_folder import write_whole

BATCH = 16


def cached_latents(
    encode: Callable[[np.ndarray], np.ndarray],
    images: Images,
    views: Sequence[int],
    key: str,
    folder: Path,
    batch: int = BATCH,
) -> np.ndarray:
    """Latents float32 [E, T+1, N, D], mapped from `folder/latents.npy`, of images uint8 [E, T+1, V, H, W, 3].

    encode: frames [B, views, H, W, 3] -> latents [B, N, D], of at most `batch` frames at a time. key stands for all
    that latents depend on: with the same one, encoding goes on where it was, or is over; with another it begins again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file, progress = folder / "latents.npy", folder / "latents.json"
    done = _episodes_done(progress, key) if file.exists() else 0
    views = list(views)
    with tqdm(total=len(images), initial=done, desc="encode", unit="episode") as bar:
        for number in range(done, len(images)):
            frames = images[number]
            parts = [encode(frames[first : first + batch, views]) for first in range(0, len(frames), batch)]
            latents = np.concatenate(parts)
            if number == 0:
                shape = (len(images), *latents.shape)
                np.lib.format.open_memmap(file, "w+", np.float32, shape).flush()
            written = np.load(file, mmap_mode="r+")
            written[number] = latents
            written.flush()
            write_whole(progress, {"key": key, "episodes": number + 1})
            bar.update()
    return np.load(file, mmap_mode="r")


def _episodes_done(progress: Path, key: str) -> int:
    try:
        said = json.loads(progress.read_text())
        return int(said["episodes"]) if said["key"] == key else 0
    except (OSError, ValueError, KeyError):
        return 0
