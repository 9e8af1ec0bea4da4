"""What a linear read-out finds in frozen patch tokens, and whether these collapsed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import torch
import torch.nn.functional as F

from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.images_on_disk import frames_at
from jepa_planner.learning.training.collapse import CollapseReport, measure_collapse
from jepa_planner.learning.training.probes import error_of, facts_of, knows_objects
from jepa_planner.learning.training.windows import Split
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.preprocess import preprocess

TRAIN_FRAMES, HELD_OUT_FRAMES, TOKENS = 3000, 600, 64
CELLS = 8
"""Tokens are averaged over a grid of so many cells a side before they are read: a read-out of all would be ten times
as large, and learn no better from so few frames.
"""
PENALTIES = tuple(10.0**power for power in range(-3, 3))
"""Of squared weights, as shares of the mean squared length of the features."""
FACTS = ("tcp", "object", "gripper_width")


@dataclass(frozen=True)
class ProbedMoments:
    """Features [M, numbers] of frames for learning and, of other episodes, for trying, and what is true of each."""

    train: np.ndarray
    held_out: np.ndarray
    train_facts: dict[str, np.ndarray]
    held_out_facts: dict[str, np.ndarray]

    @staticmethod
    def of(encoder: VideoEncoder, episodes: Episodes, parts: Split, seed: int) -> ProbedMoments:
        """Of random moments of the episodes, all cameras side by side."""
        rng = np.random.default_rng(seed)
        drawn = []
        for numbers, count in ((parts.train, TRAIN_FRAMES), (parts.held_out, HELD_OUT_FRAMES)):
            chosen = rng.choice(numbers, count)
            frames = rng.integers(0, episodes.lengths[chosen] + 1)
            facts = facts_of(episodes.states[chosen, frames], episodes.object_pose[chosen, frames])
            names = FACTS if knows_objects(episodes) else [name for name in FACTS if name != "object"]
            flat = chosen * episodes.images.shape[1] + frames
            drawn.append(
                (features_of(encoder, frames_at(episodes.images, flat)), {name: facts[name] for name in names})
            )
        (train, train_facts), (held_out, held_out_facts) = drawn
        return ProbedMoments(train, held_out, train_facts, held_out_facts)


@torch.inference_mode()
def features_of(encoder: VideoEncoder, images: np.ndarray, batch: int = 32) -> np.ndarray:
    """Tokens of pictures uint8 [M, V, H, W, 3], averaged over cells: float32 [M, V*CELLS*CELLS*D]."""
    rows, columns = encoder.config.grid
    found = []
    for start in range(0, len(images), batch):
        shown = torch.from_numpy(images[start : start + batch])
        latents = encoder(preprocess(shown.flatten(0, 1), encoder.config.image_size)[:, None])
        cells = F.adaptive_avg_pool2d(latents.mT.unflatten(2, (rows, columns)), (min(CELLS, rows), min(CELLS, columns)))
        found.append(cells.unflatten(0, shown.shape[:2]).flatten(1).numpy())
    return np.concatenate(found)


def linear_readouts(moments: ProbedMoments) -> dict[str, dict[str, float]]:
    """Median errors (cm) of ridge regression on held-out frames beside those of always saying the mean.

    The penalty is chosen on a fifth of the frames for learning.
    """
    mean = moments.train.mean(axis=0)
    x, tried = moments.train - mean, moments.held_out - mean
    products = (x @ x.T).astype(np.float64)
    scale = float(np.trace(products)) / len(x)
    cut = 4 * len(x) // 5
    report = {}
    for name, facts in moments.train_facts.items():
        y = facts - facts.mean(axis=0)

        def solved(count: int, penalty: float, y: np.ndarray = y) -> np.ndarray:
            ridge = products[:count, :count] + penalty * scale * np.eye(count)
            return scipy.linalg.solve(ridge, y[:count], assume_a="pos")

        tuning = [
            np.median(error_of(name, products[cut:, :cut] @ solved(cut, penalty), y[cut:])) for penalty in PENALTIES
        ]
        weights = solved(len(x), PENALTIES[int(np.argmin(tuning))])
        truth = moments.held_out_facts[name]
        guess = tried @ (x.T @ weights) + facts.mean(axis=0)
        report[name] = {
            "linear_cm": round(float(np.median(error_of(name, guess, truth))), 3),
            "constant_cm": round(
                float(np.median(error_of(name, np.broadcast_to(facts.mean(axis=0), truth.shape), truth))), 3
            ),
        }
    return report


@torch.inference_mode()
def token_collapse(
    encoder: VideoEncoder, episodes: Episodes, numbers: np.ndarray, rng: np.random.Generator
) -> CollapseReport:
    """Measures of single tokens without their place's mean: what is the same at a place in all pictures is no sign of
    life.
    """
    chosen = numbers[: min(len(numbers), 24)]
    images = np.stack([episodes.images[int(number)] for number in chosen])  # [E, T+1, V, H, W, 3]
    places = rng.choice(encoder.config.latent_tokens, min(TOKENS, encoder.config.latent_tokens), replace=False)
    found = []
    for episode in images:
        pixels = preprocess(torch.from_numpy(episode).flatten(0, 1), encoder.config.image_size)
        latents = torch.cat([encoder(part[:, None])[:, places] for part in pixels.split(32)])
        found.append(latents.unflatten(0, episode.shape[:2]).numpy())  # [T+1, V, places, D]
    tokens = np.stack(found)
    tokens = tokens - tokens.mean(axis=(0, 1), keepdims=True)
    apart = tokens.transpose(0, 2, 3, 1, 4).reshape(-1, tokens.shape[1], 1, tokens.shape[-1])
    return measure_collapse(apart, rng)
