"""The arguments that verbs share which work on two pictures: model, pictures, arm state, and the truth if known."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jepa_planner.evaluation.picture_pair import PicturePair
    from jepa_planner.world_model.world_model import WorldModel

STATE = "x y z (m) roll pitch yaw (rad) and closedness; models with a commanded one take commanded, then measured"


def add_picture_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `read_pair` and `load_model` read."""
    # "-2.1e-03" is a number: before Python 3.13 argparse takes it for an option
    parser._negative_number_matcher = re.compile(r"^-\d*\.?\d+\.?([eE][-+]?\d+)?$")
    parser.add_argument("--model", type=Path, default=None, metavar="DIR", help="bundle; the shipped one by default")
    parser.add_argument("--device", default="cpu", help="where the model runs, for example cuda")
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], default="float32")
    pictures = parser.add_argument_group("pictures", "two pictures with --state, or --frames")
    pictures.add_argument("--image", type=Path, metavar="A", help="camera picture now")
    pictures.add_argument("--goal", type=Path, metavar="B", help="what it should look like, from the same camera")
    pictures.add_argument(
        "--second-view", nargs=2, type=Path, metavar=("A2", "B2"), help="both moments from the second camera"
    )
    pictures.add_argument("--state", nargs="+", type=float, metavar="N", help=f"arm state at A: {STATE}")
    pictures.add_argument(
        "--frames", type=Path, metavar="FILE.npz", help="instead: observations [1, T, H, W, 3] and states [1, T, 7]"
    )
    pictures.add_argument("--from", dest="first", type=int, default=0, metavar="T", help="frame of --frames taken as A")
    pictures.add_argument("--to", dest="last", type=int, default=-1, metavar="T", help="frame of --frames taken as B")


def read_pair(
    args: argparse.Namespace, goal_state: list[float] | None = None, true_action: list[float] | None = None
) -> PicturePair:
    """The pictures and the state that the command line names; raises ValueError naming what is missing or too much."""
    from jepa_planner.evaluation.picture_pair import pair_from_files, pair_from_frames

    single = {"--image": args.image, "--goal": args.goal, "--state": args.state}
    if args.frames:
        others = {**single, "--second-view": args.second_view, "--goal-state": goal_state, "--true-action": true_action}
        if given := [name for name, value in others.items() if value is not None]:
            raise ValueError(f"--frames holds pictures and states: leave out {', '.join(given)}")
        return pair_from_frames(args.frames, args.first, args.last)
    if missing := [name for name, value in single.items() if value is None]:
        raise ValueError(f"{', '.join(missing)} missing: give --image, --goal and --state, or --frames")
    second = args.second_view or []
    return pair_from_files([args.image, *second[:1]], [args.goal, *second[1:]], args.state, goal_state, true_action)


def load_model(args: argparse.Namespace) -> WorldModel:
    """The model that the command line names."""
    from jepa_planner.world_model.bundle import model_folder
    from jepa_planner.world_model.world_model import WorldModel

    return WorldModel.load(model_folder(args.model or ""), args.device, args.dtype)
