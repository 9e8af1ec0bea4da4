"""`jepa-planner data to-lerobot`: episodes, or saved goals, to a LeRobotDataset v3."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "turn episodes, or saved goals, into a LeRobotDataset v3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("episodes", type=Path, nargs="*", metavar="EPISODES", help="folders of episodes")
    parser.add_argument("--goals", type=Path, metavar="FOLDER", help="instead: a model's folder of saved goals")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder for the dataset")
    parser.add_argument(
        "--pictures",
        choices=["video", "image"],
        default="video",
        help="video: H.264; image: PNG, larger and exact (default: video; goals are images)",
    )
    parser.add_argument("--robot", default="", metavar="NAME", help="robot_type in the dataset")


def main(args: argparse.Namespace) -> int:
    """Read, write; a refusal leaves nothing behind."""
    from tqdm import tqdm

    from jepa_planner.learning.data.episodes import read_episodes
    from jepa_planner.learning.data.lerobot.from_episodes import write_dataset
    from jepa_planner.learning.data.lerobot.goals import write_goals
    from jepa_planner.learning.data.lerobot.layout import DatasetError

    if bool(args.episodes) == (args.goals is not None):
        raise DatasetError("expected folders of episodes, or --goals FOLDER")
    if args.goals is not None:
        print(f"{write_goals(args.goals.absolute(), args.out)} goals written to {args.out}")
        return 0
    episodes = read_episodes(args.episodes)
    with tqdm(total=len(episodes), desc=args.out.name, unit="episode") as bar:
        fps = write_dataset(episodes, args.out, args.pictures, args.robot, bar.update)
    rows = int(episodes.lengths.sum()) + len(episodes)
    print(f"{len(episodes)} episodes, {rows} rows, {fps} per second, written to {args.out}")
    return 0
