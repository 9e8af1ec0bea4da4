"""What the frozen latents know: read-outs of tcp, gripper and object, and how well the predictor foresees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from jepa_planner.training.episodes import Episodes
from jepa_planner.training.predictor_training import imagination_errors, window_starts
from jepa_planner.training.windows import Split
from jepa_planner.world_model.predictor import ActionConditionedPredictor

MOVED_M = 0.004


@dataclass(frozen=True)
class Readout:
    """Median and mean error on held-out episodes of a linear and of a small-MLP read-out."""

    unit: str
    linear_median: float
    mlp_median: float
    mlp_mean: float


def probe_latents(
    latents: np.ndarray, episodes: Episodes, split: Split, seed: int = 0, iterations: int = 1500
) -> dict[str, Readout]:
    """Read tcp and object position (cm), gripper width (cm) and object yaw modulo 90 degrees from latents [E, T+1, N,
    D].
    """
    flat = latents.reshape(*latents.shape[:2], -1)
    quarter = 4 * episodes.object_pose[..., 3]
    targets = {
        "tcp": ("cm", episodes.states[..., :3]),
        "object": ("cm", episodes.object_pose[..., :3]),
        "gripper_width": ("cm", 0.08 * (1 - episodes.states[..., 7:8])),
        "object_yaw": ("deg", np.stack([np.sin(quarter), np.cos(quarter)], axis=-1)),
    }
    report = {}
    for name, (unit, target) in targets.items():
        train = _flat(flat[split.train]), _flat(target[split.train])
        test = _flat(flat[split.held_out]), _flat(target[split.held_out])
        linear = _error(name, _ridge(*train)(test[0]), test[1])
        mlp = _error(name, _mlp(*train, seed=seed, iterations=iterations)(test[0]), test[1])
        report[name] = Readout(unit, float(np.median(linear)), float(np.median(mlp)), float(mlp.mean()))
    return report


def prediction_error(
    predictor: ActionConditionedPredictor,
    latents: np.ndarray,
    episodes: Episodes,
    numbers: np.ndarray,
    horizon: int,
    context: int = 2,
) -> dict[str, list[float]]:
    """Squared error per step of imagined latents beside that of copying the last one, where the object moves and
    where it does not.

    Returns lists of `horizon` numbers named object_moves, object_moves_copy, arm_only, arm_only_copy.
    """
    states, actions = episodes.states[numbers], episodes.actions[numbers]
    errors, copies = imagination_errors(predictor, latents[numbers], states, actions, context, horizon)
    window = context + horizon
    starts = np.array(window_starts(states.shape[1], window))
    places = episodes.object_pose[numbers][:, starts[:, None] + np.arange(context - 1, window), :3]
    moves = np.linalg.norm(places - places[:, :, :1], axis=-1).max(axis=2) > MOVED_M
    report = {}
    for kind, chosen in (("object_moves", moves), ("arm_only", ~moves)):
        for name, found in ((kind, errors), (f"{kind}_copy", copies)):
            mean = found[chosen].sum(axis=0) / max(chosen.sum(), 1)
            report[name] = mean.round(4).tolist()
    return report


def _flat(x: np.ndarray) -> np.ndarray:
    return x.reshape(-1, x.shape[-1]).astype(np.float32)


def _error(name: str, predicted: np.ndarray, target: np.ndarray) -> np.ndarray:
    if name == "object_yaw":
        angle = np.arctan2(*predicted.T) - np.arctan2(*target.T)
        return np.abs(np.rad2deg(np.arctan2(np.sin(angle), np.cos(angle)))) / 4
    return 100 * np.linalg.norm(predicted - target, axis=-1)


def _ridge(x: np.ndarray, y: np.ndarray, penalty: float = 1.0):
    mean_x, mean_y = x.mean(0), y.mean(0)
    centred = x - mean_x
    weights = np.linalg.solve(centred.T @ centred + penalty * np.eye(x.shape[1]), centred.T @ (y - mean_y))
    return lambda given: (given - mean_x) @ weights + mean_y


def _mlp(x: np.ndarray, y: np.ndarray, seed: int, iterations: int):
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
