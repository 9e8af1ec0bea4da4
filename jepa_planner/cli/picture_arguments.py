"""The arguments that verbs share which work on two pictures: model, pictures, arm state, and the truth if known."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from jepa_planner.cli.compute_arguments import add_compute_arguments

if TYPE_CHECKING:
    from jepa_planner.learning.evaluation.picture_pair import PicturePair
    from jepa_planner.model.contract import Contract
    from jepa_planner.model.world_model import WorldModel

STATE = "x y z (m) roll pitch yaw (rad) and closure; models with a commanded one take commanded, then measured"


def add_picture_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `read_pair` and `load_model` read."""
    parser.add_argument("--model", type=Path, default=None, metavar="DIR", help="bundle; the shipped one by default")
    parser.add_argument("--device", default="cpu", help="where the model runs, for example cuda")
    add_compute_arguments(parser)
    pictures = parser.add_argument_group("pictures", "two pictures with --state, or --frames, --episodes or --bag")
    pictures.add_argument("--image", type=Path, metavar="A", help="camera picture now")
    pictures.add_argument("--goal", type=Path, metavar="B", help="what it should look like, from the same camera")
    pictures.add_argument(
        "--second-view", nargs=2, type=Path, metavar=("A2", "B2"), help="both moments from the second camera"
    )
    pictures.add_argument("--state", nargs="+", type=float, metavar="N", help=f"arm state at A: {STATE}")
    pictures.add_argument(
        "--frames", type=Path, metavar="FILE.npz", help="instead: observations [1, T, H, W, 3] and states [1, T, 7]"
    )
    pictures.add_argument(
        "--episodes", type=Path, metavar="DIR", help="instead: a folder of episodes, whose states tell what was done"
    )
    pictures.add_argument("--episode", type=int, metavar="N", help="which of --episodes (or 0)")
    pictures.add_argument("--from", dest="first", type=int, metavar="T", help="its frame taken as A (or 0)")
    pictures.add_argument(
        "--to", dest="last", type=int, metavar="T", help="its frame taken as B (or the last; of --episodes the next)"
    )
    bag = parser.add_argument_group("pictures from a ROS 2 bag")
    bag.add_argument("--bag", type=Path, metavar="DIR", help="instead: a recorded bag (needs the package rosbags)")
    bag.add_argument("--image-topic", nargs="+", metavar="TOPIC", help="one per view, in the model's order")
    bag.add_argument("--at", type=float, metavar="S", help="time of A, in seconds from the bag's beginning")
    bag.add_argument("--goal-at", type=float, metavar="S", help="time of B")
    bag.add_argument("--state-topic", metavar="TOPIC", help="of jepa_planner/ArmState; or give --state")


def read_pair(
    args: argparse.Namespace, goal_state: list[float] | None = None, true_action: list[float] | None = None
) -> PicturePair:
    """The pictures and the state that the command line names; raises ValueError naming what is missing or too much."""
    from jepa_planner.learning.evaluation.picture_pair import pair_from_episodes, pair_from_files, pair_from_frames

    files = {"--image": args.image, "--goal": args.goal, "--second-view": args.second_view}
    states = {"--state": args.state, "--goal-state": goal_state, "--true-action": true_action}
    bag = {"--image-topic": args.image_topic, "--at": args.at, "--goal-at": args.goal_at}
    bag_only = {**bag, "--state-topic": args.state_topic}
    if args.episodes:
        others = {"--frames": args.frames, "--bag": args.bag}
        _refuse("--episodes hold pictures and states", {**files, **states, **others, **bag_only})
        first = args.first or 0
        last = first + 1 if args.last is None else args.last
        return pair_from_episodes(args.episodes, _contract(args), args.episode or 0, first, last)
    _refuse("without --episodes", {"--episode": args.episode})
    if args.frames:
        _refuse("--frames holds pictures and states", {**files, **states, "--bag": args.bag, **bag_only})
        return pair_from_frames(args.frames, args.first or 0, -1 if args.last is None else args.last)
    _refuse("without --frames or --episodes", {"--from": args.first, "--to": args.last})
    if args.bag:
        _refuse("--bag holds the pictures", {**files, "--true-action": true_action})
        _require(bag, "--bag needs them")
        return _from_bag(args, goal_state)
    _refuse("without --bag", bag_only)
    _require(
        {"--image": args.image, "--goal": args.goal, "--state": args.state}, "or give --frames, --episodes or --bag"
    )
    second = args.second_view or []
    return pair_from_files([args.image, *second[:1]], [args.goal, *second[1:]], args.state, goal_state, true_action)


def _from_bag(args: argparse.Namespace, goal_state: list[float] | None) -> PicturePair:
    from jepa_planner.learning.evaluation.bag_frames import BagMoments, pair_from_bag

    moments = BagMoments(tuple(args.image_topic), args.at, args.goal_at, args.state_topic)
    return pair_from_bag(args.bag, moments, _contract(args), args.state, goal_state)


def _contract(args: argparse.Namespace) -> Contract:
    from jepa_planner.model.bundle import load_contract, model_folder

    return load_contract(model_folder(args.model or ""))


def _refuse(why: str, options: dict[str, object]) -> None:
    if given := [name for name, value in options.items() if value is not None]:
        raise ValueError(f"{why}: leave out {', '.join(given)}")


def _require(options: dict[str, object], why: str) -> None:
    if missing := [name for name, value in options.items() if value is None]:
        raise ValueError(f"{', '.join(missing)} missing; {why}")


def load_model(args: argparse.Namespace) -> WorldModel:
    """The model that the command line names."""
    from jepa_planner.model.bundle import model_folder
    from jepa_planner.model.world_model import WorldModel

    return WorldModel.load(model_folder(args.model or ""), args.device, args.dtype, threads=args.threads or None)
