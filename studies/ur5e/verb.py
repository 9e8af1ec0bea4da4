"""`python -m studies ur5e`: episodes of the teleoperated UR5e, many at once."""

from __future__ import annotations

import argparse
from pathlib import Path

from jepa_planner.cli.number_arguments import at_least

HELP = "episodes of a UR5e of others that a script teleoperates, without ROS"
PER_SHARD = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("folder", type=Path)
    parser.add_argument("--episodes", type=at_least(1), default=50)
    parser.add_argument("--steps", type=at_least(1), default=44)
    parser.add_argument("--size-px", type=at_least(16), default=64)
    parser.add_argument("--seed", type=at_least(0), default=0, help="of the first episode")


def main(args: argparse.Namespace) -> int:
    """Record, a file for every fifty episodes."""
    import numpy as np

    from jepa_planner.learning.data.episodes import Episodes, write_shard
    from studies.ur5e.episodes import STEP_S, VIEWS, CartesianArm, Cell, episode

    arm = CartesianArm(Cell())
    for first in range(args.seed, args.seed + args.episodes, PER_SHARD):
        seeds = np.arange(first, min(first + PER_SHARD, args.seed + args.episodes))
        made = [episode(arm, np.random.default_rng([seed, 1]), args.steps, args.size_px) for seed in seeds]
        parts = {name: np.stack([one[name] for one in made]) for name in made[0]}
        whole = Episodes(
            behaviour=("teleoperated",) * len(seeds), seeds=seeds, views=tuple(view.name for view in VIEWS),
            time_step_s=STEP_S, frame="base_link", tcp_frame="grasp_point", **parts,
        )  # fmt: skip
        write_shard(args.folder / f"episodes-{first:06d}.h5", whole)
        print(f"{seeds[-1] + 1 - args.seed} of {args.episodes} episodes", flush=True)
    return 0
