"""What the frozen latents know: read-outs of tcp, gripper and object, and how well the predictor foresees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from jepa_planner.core.arm_layout import STATE_CHANNELS, XYZ
from jepa_planner.learning.data.episodes import Episodes
from jepa_planner.learning.data.object_tracks import held
from jepa_planner.learning.training.predictor_training import (
    Difference,
    rollout_errors,
    rollout_windows,
    window_starts,
)
from jepa_planner.learning.training.windows import Split
from jepa_planner.model.predictor_kind import Predictor

MOVED_M = 0.004
FACTS = {"tcp": "cm", "object": "cm", "gripper_width": "cm", "object_yaw": "deg"}
"""What is read out, and the unit of its error."""
ALL_CHANNELS = range(len(STATE_CHANNELS))
Read = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Readout:
    """Errors on held-out episodes: medians of always saying the mean, of a linear and of a small-MLP read-out, and the
    latter's mean.
    """

    unit: str
    constant_median: float
    linear_median: float
    mlp_median: float
    mlp_mean: float


@dataclass(frozen=True)
class Reader:
    """A trained read-out of one of FACTS: each maps latents [M, N*D] to [M, numbers]."""

    constant: Read
    linear: Read
    mlp: Read


def facts_of(states: np.ndarray, object_pose: np.ndarray) -> dict[str, np.ndarray]:
    """The FACTS [.., numbers] of arm states [.., 8] and object poses [.., 4]: positions and width in m, yaw modulo 90
    degrees as sine and cosine of four times the angle.
    """
    quarter = 4 * object_pose[..., 3]
    return {
        "tcp": states[..., XYZ],
        "object": object_pose[..., :3],
        "gripper_width": 0.08 * (1 - states[..., 7:8]),
        "object_yaw": np.stack([np.sin(quarter), np.cos(quarter)], axis=-1),
    }


def train_readers(
    latents: np.ndarray, episodes: Episodes, episode_indices: np.ndarray, seed: int = 0, iterations: int = 1500
) -> dict[str, Reader]:
    """Read-outs of all FACTS, trained on latents [E, T+1, N, D] of the episodes with these numbers."""
    x = _flat(latents[episode_indices].reshape(len(episode_indices), latents.shape[1], -1))
    readers = {}
    for name, target in facts_of(episodes.states[episode_indices], episodes.object_pose[episode_indices]).items():
        y = _flat(target)
        readers[name] = Reader(_constant(y), _ridge(x, y), _mlp(x, y, seed, iterations))
    return readers


def probe_latents(
    latents: np.ndarray, episodes: Episodes, split: Split, seed: int = 0, iterations: int = 1500
) -> dict[str, Readout]:
    """Errors of read-outs from latents [E, T+1, N, D], trained and tried as `split` says."""
    return try_readers(train_readers(latents, episodes, split.train, seed, iterations), latents, episodes, split)


def try_readers(
    readers: dict[str, Reader], latents: np.ndarray, episodes: Episodes, split: Split
) -> dict[str, Readout]:
    """Errors of trained read-outs on the held-out episodes, of what these know."""
    held_out, unknown = split.held_out, () if knows_objects(episodes) else ("object", "object_yaw")
    x = _flat(latents[held_out].reshape(len(held_out), latents.shape[1], -1))
    facts = facts_of(episodes.states[held_out], episodes.object_pose[held_out])
    report = {}
    for name, reader in readers.items():
        if name in unknown:
            continue
        constant, linear, mlp = (
            error_of(name, read(x), _flat(facts[name])) for read in (reader.constant, reader.linear, reader.mlp)
        )
        of_mean, of_linear, of_mlp = (float(np.median(error)) for error in (constant, linear, mlp))
        report[name] = Readout(FACTS[name], of_mean, of_linear, of_mlp, float(mlp.mean()))
    return report


def prediction_error(
    predictor: Predictor,
    latents: np.ndarray,
    episodes: Episodes,
    episode_indices: np.ndarray,
    horizon: int,
    context: int = 2,
    difference: Difference = "mse",
    channels: Sequence[int] = ALL_CHANNELS,
) -> dict[str, list[float]]:
    """Error per step of imagined latents beside that of copying the last one, where the object moves and where it
    does not. channels: of the episodes' states, those that the predictor knows.

    Returns lists of `horizon` numbers named object_moves, object_moves_copy, arm_only, arm_only_copy.
    """
    states, actions = episodes.states[episode_indices][..., list(channels)], episodes.actions[episode_indices]
    errors, copies = rollout_errors(predictor, latents[episode_indices], states, actions, context, horizon, difference)
    moves = object_moves(episodes, episode_indices, context, horizon)
    report = {}
    for kind, chosen in (("object_moves", moves), ("arm_only", ~moves)):
        for name, measured in ((kind, errors), (f"{kind}_copy", copies)):
            mean = measured[chosen].sum(axis=0) / max(chosen.sum(), 1)
            report[name] = mean.round(4).tolist()
    return report


@torch.inference_mode()
def imagined_position_error(
    predictor: Predictor,
    readers: dict[str, Reader],
    latents: np.ndarray,
    episodes: Episodes,
    episode_indices: np.ndarray,
    horizon: int,
    context: int = 2,
    channels: Sequence[int] = ALL_CHANNELS,
) -> dict[str, list[float]]:
    """Median error (cm) per step of tcp and object as read out of imagined latents, where the object moves and where
    it does not, beside reading them out of the last latent seen.

    Returns lists of `horizon` numbers named as in `prediction_error`, with _tcp or _object at the end.
    """
    states, actions = episodes.states[episode_indices], episodes.actions[episode_indices]
    known = states[..., list(channels)]
    moves = object_moves(episodes, episode_indices, context, horizon)
    measured: dict[str, list[np.ndarray]] = {}
    window = context + horizon
    facts = facts_of(states, episodes.object_pose[episode_indices])
    for start, imagined, last in rollout_windows(predictor, latents[episode_indices], known, actions, context, horizon):
        for name in ("tcp", "object"):
            truth = facts[name][:, start + context : start + window]
            for kind, guess in (("", imagined), ("_copy", last.repeat_interleave(horizon, dim=1))):
                read = readers[name].mlp(guess.flatten(0, 1).flatten(1).cpu().numpy()).reshape(truth.shape)
                measured.setdefault(f"{kind}_{name}", []).append(100 * np.linalg.norm(read - truth, axis=-1))
    report = {}
    for kind, chosen in (("object_moves", moves), ("arm_only", ~moves)):
        for name, parts in measured.items():
            errors = np.stack(parts, axis=1)[chosen]
            report[kind + name] = np.median(errors, axis=0).round(3).tolist() if len(errors) else [0.0] * horizon
    return report


def object_moves(episodes: Episodes, episode_indices: np.ndarray, context: int, horizon: int) -> np.ndarray:
    """Whether the object moves after the context, bool [E, windows], in windows as `rollout_errors` takes them; where
    nobody says where it is, whether the hand moves what it holds.
    """
    window = context + horizon
    starts = np.array(window_starts(episodes.states.shape[1], window))
    frames = starts[:, None] + np.arange(context - 1, window)
    known, states = episodes.object_pose[episode_indices][..., :3], episodes.states[episode_indices]
    places = (known if knows_objects(episodes) else states[..., XYZ])[:, frames]
    moves = np.linalg.norm(places - places[:, :, :1], axis=-1).max(axis=2) > MOVED_M
    if knows_objects(episodes):
        return moves
    holds = np.stack([held(episode) for episode in states])[:, frames]
    return moves & holds.all(axis=2)


def knows_objects(episodes: Episodes) -> bool:
    """Whether episodes say where the object is, as those of a simulator do."""
    return bool(np.any(episodes.object_pose))


def error_of(fact: str, predicted: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Error [M] of read-outs [M, numbers] of one of FACTS, in its unit."""
    if fact == "object_yaw":
        angle = np.arctan2(*predicted.T) - np.arctan2(*target.T)
        return np.abs(np.rad2deg(np.arctan2(np.sin(angle), np.cos(angle)))) / 4
    return 100 * np.linalg.norm(predicted - target, axis=-1)


def _flat(x: np.ndarray) -> np.ndarray:
    return x.reshape(-1, x.shape[-1]).astype(np.float32)


def _constant(y: np.ndarray) -> Read:
    return lambda given: np.broadcast_to(y.mean(0), (len(given), y.shape[1]))


def _ridge(x: np.ndarray, y: np.ndarray, penalty: float = 1.0) -> Read:
    mean_x, mean_y = x.mean(0), y.mean(0)
    centred = x - mean_x
    weights = np.linalg.solve(centred.T @ centred + penalty * np.eye(x.shape[1]), centred.T @ (y - mean_y))
    return lambda given: (given - mean_x) @ weights + mean_y


def _mlp(x: np.ndarray, y: np.ndarray, seed: int, iterations: int) -> Read:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Linear(x.shape[1], 256), nn.GELU(), nn.Linear(256, 256), nn.GELU(), nn.Linear(256, y.shape[1])
        )
    inputs, mean, std = torch.from_numpy(x), y.mean(0), y.std(0) + 1e-6
    targets = torch.from_numpy((y - mean) / std)
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, iterations)
    rng = np.random.default_rng(seed)
    for _ in range(iterations):
        rows = torch.from_numpy(rng.integers(len(x), size=512))
        optimiser.zero_grad()
        nn.functional.smooth_l1_loss(network(inputs[rows]), targets[rows]).backward()
        optimiser.step()
        schedule.step()

    @torch.inference_mode()
    def read(given: np.ndarray) -> np.ndarray:
        return network(torch.from_numpy(given)).numpy() * std + mean

    return read
