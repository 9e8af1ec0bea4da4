"""A shape that goes smoothly before a textured wall, filmed with noise: what cameras see of an arm, without an arm."""

import cv2
import numpy as np

REACH_M = 0.15


def way(seed: int, end_s: float = 14.0, rate_hz: float = 100.0) -> tuple[np.ndarray, np.ndarray]:
    """Stamps [N] (s) and places [N, 3] (m) of something that goes from place to place, and rests now and then."""
    rng = np.random.default_rng(seed)
    stamps = np.arange(0.0, end_s, 1.0 / rate_hz)
    places, begin, at = np.zeros((len(stamps), 3)), 0.0, rng.uniform(-REACH_M, REACH_M, 3)
    while begin < end_s:
        takes, rests, to = rng.uniform(0.5, 1.5), rng.choice([0.0, 0.3]), rng.uniform(-REACH_M, REACH_M, 3)
        part = np.clip((stamps - begin) / takes, 0.0, 1.0)[:, None]
        smooth = part**3 * (10.0 - 15.0 * part + 6.0 * part**2)
        places = np.where((stamps >= begin)[:, None], at + (to - at) * smooth, places)
        begin, at = begin + takes + rests, to
    return stamps, places


def wall(seed: int = 0, size_px: int = 64) -> np.ndarray:
    """A picture float32 [H, W, 3] with soft patterns."""
    noise = np.random.default_rng(seed).uniform(0.0, 255.0, (size_px, size_px, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return np.clip(128.0 + 4.0 * (soft - soft.mean()), 20.0, 235.0)


def film(places: np.ndarray, background: np.ndarray, rng: np.random.Generator, noise: float = 4.0) -> np.ndarray:
    """Pictures uint8 [N, H, W, 3] of the shape at places [N, 3], seen from above."""
    size = background.shape[0]
    rows, columns = np.mgrid[:size, :size]
    centres = size / 2.0 + places[:, :2] / REACH_M * size * 0.35
    pictures = []
    for column, row in centres:
        away = np.maximum(np.abs(columns - column), np.abs(rows - row))
        cover = np.clip(size / 9.0 - away, 0.0, 1.0)[..., None]
        clean = background * (1.0 - cover) + np.array([30.0, 60.0, 200.0]) * cover
        pictures.append(np.clip(clean + rng.normal(0.0, noise, clean.shape), 0.0, 255.0))
    return np.stack(pictures).astype(np.uint8)
