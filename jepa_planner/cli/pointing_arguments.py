"""A goal that is pointed at in the running planner's pictures: composed, shown, and sent when it is right."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jepa_planner.cli.goal_arguments import AskedGoal

if TYPE_CHECKING:
    from jepa_planner.nodes.client import PlannerClient
    from jepa_planner.pointing.pointed_goal import Clicks

PREVIEW = Path("out/pointed_goal.png")


def add_pointing_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `point` reads."""
    group = parser.add_argument_group("without a goal picture: point at a thing, and at where it should be")
    group.add_argument(
        "--pick", nargs="+", metavar="[VIEW:]X,Y",
        help="a pixel of the thing in the camera's picture, as front:212,148; without a name in the first view",
    )  # fmt: skip
    group.add_argument(
        "--place", nargs="+", metavar="[VIEW:]X,Y",
        help="where that point of the thing should be; in each view, or in one where cameras.yaml says where all stand",
    )  # fmt: skip
    group.add_argument(
        "--earlier", nargs="+", metavar="GOAL",
        help="goals kept on this computer that show the table where the thing now is: what is behind it is filled in "
        "from them",
    )  # fmt: skip
    group.add_argument("--dense", metavar="DIR", help="encoder of patch tokens that finds the thing (default: shipped)")
    group.add_argument(
        "--cameras", type=Path, metavar="FILE", help="calibrations (default: cameras.yaml beside the bundle of --model)"
    )
    group.add_argument(
        "--preview", type=Path, metavar="FILE", help=f"the composed goal picture, to look at (default: {PREVIEW})"
    )
    group.add_argument("--yes", action="store_true", help="send it without asking")


def check_pointing(args: argparse.Namespace) -> bool:
    """Whether somebody points; raises ValueError where half of it is missing."""
    if bool(args.pick) != bool(args.place):
        raise ValueError("--pick and --place go together: a point of the thing, and where it should be")
    others = ("earlier", "dense", "cameras", "preview", "yes")
    if not args.pick and (given := [name for name in others if getattr(args, name)]):
        raise ValueError(f"--{given[0]} goes with --pick and --place")
    return bool(args.pick)


def point(args: argparse.Namespace, client: PlannerClient) -> AskedGoal | None:
    """The goal picture of what the cameras show now; None where it was not wanted. Raises ValueError saying why none
    can be made.
    """
    from jepa_planner.core.camera_calibration import load, load_cameras
    from jepa_planner.core.compressed_picture import png
    from jepa_planner.model.bundle import model_folder
    from jepa_planner.nodes.conversions import compressed_to_array
    from jepa_planner.pointing.pointed_goal import pointed_goal
    from jepa_planner.pointing.similarity import DENSE_MODEL, DenseEncoder

    seen = client.look(wait_s=args.wait)
    if not seen.success:
        raise ValueError(f"the planner shows no pictures: {seen.message}")
    views = list(seen.goal.view_names)
    pictures = dict(zip(views, map(compressed_to_array, seen.goal.compressed_views), strict=True))
    clicks = clicks_of(args.pick, args.place, views)
    cameras = load(args.cameras) if args.cameras else load_cameras(model_folder(args.model))
    encoder = DenseEncoder.load(args.dense or DENSE_MODEL)
    goal = pointed_goal(encoder, pictures, clicks, cameras, _earlier(args.earlier or (), args.model))
    preview = args.preview or PREVIEW
    preview.parent.mkdir(parents=True, exist_ok=True)
    seen_thing = [outlined(pictures[view], goal.masks[view]) for view in views]
    preview.write_bytes(png(side_by_side(seen_thing, [goal.pictures[view] for view in views])))
    print(f"{preview}: above what was taken for the thing, below the goal picture")
    if not args.yes:
        if not sys.stdin.isatty():
            raise ValueError(f"look at {preview} first, then send it with --yes")
        if input("send it? [y/N] ").strip().lower() not in ("y", "yes"):
            return None
    return AskedGoal(tuple(goal.pictures[view] for view in views), tuple(views))


def _earlier(names: Sequence[str], model: str) -> dict[str, list[np.ndarray]]:
    """The pictures of kept goals by view; raises GoalLibraryError for one that is not there."""
    from jepa_planner.nodes.models import contract_of, goal_library

    found: dict[str, list[np.ndarray]] = {}
    for name in names:
        goal = goal_library(contract_of(model)).load(name)
        for moment in goal.moments:
            for view, picture in zip(goal.views, moment, strict=True):
                found.setdefault(view, []).append(picture)
    return found


def clicks_of(picks: Sequence[str], places: Sequence[str], views: Sequence[str]) -> Mapping[str, Clicks]:
    """Both by view; raises ValueError for what is no pixel, a view twice, and a place without a thing."""
    from jepa_planner.pointing.pointed_goal import Clicks

    picked, placed = (_pixels(option, given, views) for option, given in (("--pick", picks), ("--place", places)))
    if lonely := [view for view in placed if view not in picked]:
        raise ValueError(f"--place in view {lonely[0]}, but --pick only in {', '.join(picked)}: point at the thing too")
    return {view: Clicks(pixel, placed.get(view)) for view, pixel in picked.items()}


def _pixels(option: str, given: Sequence[str], views: Sequence[str]) -> dict[str, tuple[float, float]]:
    found: dict[str, tuple[float, float]] = {}
    for text in given:
        name, _, numbers = text.rpartition(":")
        view = name or views[0]
        if view not in views:
            raise ValueError(f"{option} {text}: no view {view!r}; views are {', '.join(views)}")
        if view in found:
            raise ValueError(f"{option} {text}: view {view} was pointed at already; once in each")
        try:
            x, y = map(float, numbers.split(","))
        except ValueError:
            raise ValueError(f"{option} {text}: expected a pixel as 212,148 or {views[0]}:212,148") from None
        found[view] = (x, y)
    return found


def outlined(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A picture, uint8 RGB [H, W, 3], with the rim of a mask drawn."""
    import cv2

    drawn = np.ascontiguousarray(picture)
    rims = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    return np.asarray(cv2.drawContours(drawn.copy(), rims, -1, (255, 255, 0), 1))


def side_by_side(*rows: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures in rows, each on black where they are of different heights."""
    height = max(picture.shape[0] for row in rows for picture in row)
    padded = [
        np.hstack([np.pad(picture, ((0, height - picture.shape[0]), (0, 0), (0, 0))) for picture in row])
        for row in rows
    ]
    return np.vstack(padded)
