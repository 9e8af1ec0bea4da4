"""Episodes of an arm that carries out what it is asked nearly all the way, in a box, with a gripper and two cameras."""

import numpy as np
from tiny_training import episodes

from jepa_planner.learning.data.episodes import Episodes

LOW, HIGH = np.array([0.35, -0.2, 0.02]), np.array([0.65, 0.2, 0.25])
GRASPED = 0.45
"""Where an object stops the fingers."""


def moved(
    count: int = 12, steps: int = 16, largest_m: float = 0.05, reach: float = 0.88, noise_m: float = 0.0,
    time_step_s: float = 0.25, seed: int = 0,
) -> Episodes:  # fmt: skip
    """reach: the share of the way to where it was told to go that the arm covers in a step."""
    rng = np.random.default_rng(seed)
    actions = np.zeros((count, steps, 7), np.float32)
    actions[..., :3] = rng.uniform(-largest_m, largest_m, (count, steps, 3))
    actions[..., 5] = rng.uniform(-0.1, 0.1, (count, steps))
    states = np.zeros((count, steps + 1, 8), np.float32)
    target = rng.uniform(LOW, HIGH, (count, 3))
    states[:, 0, :3], states[:, 0, 5] = target, rng.uniform(-1.0, 1.0, count)
    for step in range(steps):
        target = np.clip(target + actions[:, step, :3], LOW, HIGH)
        states[:, step + 1, :3] = states[:, step, :3] + reach * (target - states[:, step, :3])
        states[:, step + 1, 5] = states[:, step, 5] + actions[:, step, 5]
        closed = states[:, step, 6]
        actions[:, step, 6] = np.where(rng.random(count) < 0.25, 1.0 - 2.0 * closed, 0.0)
        states[:, step + 1, 6] = np.clip(closed + actions[:, step, 6], 0.0, 1.0)
        states[:, step + 1, 7] = np.minimum(states[:, step + 1, 6], GRASPED)
    states[..., :3] += rng.normal(0.0, noise_m, (count, steps + 1, 3))
    images = episodes(count, steps, seed=seed).images
    return Episodes(
        images, states, actions, np.zeros((count, steps + 1, 4), np.float32), ("reach",) * count, np.arange(count),
        ("front", "side"), time_step_s, frame="panda_link0", tcp_frame="tcp",
    )  # fmt: skip
