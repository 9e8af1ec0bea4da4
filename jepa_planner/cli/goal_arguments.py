"""Where the goals of a command line come from: pictures, folders of pictures, a bag, or names in the library."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jepa_planner.core.goal_folder import read_goal_folder
from jepa_planner.core.goal_library import is_goal_name
from jepa_planner.core.picture_file import read_picture


@dataclass(frozen=True)
class AskedGoal:
    """One goal image, uint8 RGB [H, W, 3] of each view, or the name of a goal that the planner has.

    views: whose pictures these are; none where they stand in the model's order.
    """

    pictures: tuple[np.ndarray, ...] = ()
    views: tuple[str, ...] = ()
    name: str = ""


def add_goal_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `read_goals` reads."""
    parser.add_argument(
        "goals",
        nargs="*",
        metavar="GOAL",
        help="in order: pictures of the first view, folders of pictures (VIEW.png, or 1_VIEW.png ...), names of goals",
    )
    parser.add_argument(
        "--second-view",
        nargs="+",
        type=Path,
        default=[],
        metavar="IMAGE",
        help="the same moments from the second camera",
    )
    bag = parser.add_argument_group("pictures from a ROS 2 bag, instead")
    bag.add_argument("--bag", type=Path, metavar="DIR", help="a recorded bag (needs the package rosbags)")
    bag.add_argument("--at", nargs="+", type=float, metavar="S", help="when, in seconds from the bag's beginning")
    bag.add_argument("--image-topic", nargs="+", metavar="TOPIC", help="one per view, in the model's order")


def read_goals(args: argparse.Namespace) -> list[AskedGoal]:
    """The goals that the command line names; raises ValueError saying what is missing or too much."""
    of_bag = {"--at": args.at, "--image-topic": args.image_topic}
    if args.bag is not None:
        if args.goals or args.second_view:
            raise ValueError("--bag holds the pictures: leave out other goals")
        if missing := [option for option, value in of_bag.items() if not value]:
            raise ValueError(f"{', '.join(missing)} missing; --bag needs them")
        from jepa_planner.learning.evaluation.bag_frames import pictures_from_bag

        return [AskedGoal(tuple(views)) for views in pictures_from_bag(args.bag, args.image_topic, args.at)]
    if given := [option for option, value in of_bag.items() if value]:
        raise ValueError(f"without --bag: leave out {', '.join(given)}")
    if not args.goals:
        raise ValueError("no goal is given; expected pictures, a folder of pictures, or the name of a saved goal")
    if args.second_view:
        return _of_two_views([Path(goal) for goal in args.goals], args.second_view)
    return [goal for given in args.goals for goal in _goals_of(given)]


def _goals_of(given: str) -> list[AskedGoal]:
    """What stands on the disk goes before a name: `./NAME` or a suffix makes clear what is meant."""
    path = Path(given)
    if path.is_dir():
        found = read_goal_folder(path)
        return [AskedGoal(moment, found.views) for moment in found.moments]
    if is_goal_name(given) and not path.exists():
        return [AskedGoal(name=given)]
    return [AskedGoal((read_picture(path),))]


def _of_two_views(first: Sequence[Path], second: Sequence[Path]) -> list[AskedGoal]:
    if len(first) != len(second):
        raise ValueError(f"{len(first)} pictures but {len(second)} of the second view")
    return [AskedGoal((read_picture(one), read_picture(other))) for one, other in zip(first, second, strict=True)]
