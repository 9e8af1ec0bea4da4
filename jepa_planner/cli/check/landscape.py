"""`jepa-planner check landscape`: what the model thinks of actions between two pictures, and whether that is sound."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jepa_planner.cli.number_arguments import at_least
from jepa_planner.cli.picture_arguments import add_picture_arguments, load_model, read_pair

if TYPE_CHECKING:
    import numpy as np

    from jepa_planner.model.contract import Contract
    from jepa_planner.planning.landscape import GridAxis

HELP = "draw the energy of actions between two pictures, and report on the camera"
HELD_AXIS_RANGE = 0.2
TRUTH_MARGIN = 1.25
MOST_POINTS = 1001
"""A picture shows no more, and two axes of them are a million actions."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_picture_arguments(parser)
    truth = parser.add_argument_group("truth", "what really led from A to B, where it is known")
    truth.add_argument("--true-action", nargs=7, type=float, metavar="N", help="dx dy dz droll dpitch dyaw dclosure")
    truth.add_argument("--goal-state", nargs="+", type=float, metavar="N", help="arm state at B, as --state")
    grid = parser.add_argument_group("grid")
    grid.add_argument(
        "--axes", nargs="+", metavar="AXIS", help="one or two of x y z roll pitch yaw gripper (default: of x, y and z "
        "the two along which the arm truly moved most, where that is known, else x y)",
    )  # fmt: skip
    grid.add_argument(
        "--range", nargs="+", type=float, metavar="R", help="largest action in m or rad, for all axes or one for each"
    )
    grid.add_argument(
        "--points", type=at_least(1, MOST_POINTS), default=13, help="points along each axis; odd ones include no action"
    )
    parser.add_argument("--out", type=Path, default=Path("out/landscape"), help="folder for landscape.png and .json")
    parser.add_argument("--strict", action="store_true", help="exit status 1 when the landscape is not sound")


def main(args: argparse.Namespace) -> int:
    """Imagine, draw, report."""
    from tqdm import tqdm

    from jepa_planner.core.state_ranges import check_change
    from jepa_planner.learning.evaluation.camera_report import Truth, assess
    from jepa_planner.learning.evaluation.landscape_report import (
        LandscapeResult,
        as_plain_data,
        draw,
        in_words,
        model_facts,
    )
    from jepa_planner.learning.evaluation.picture_pair import context_and_goal
    from jepa_planner.model.bundle import model_folder
    from jepa_planner.planning.confirmation import cuts_of
    from jepa_planner.planning.energy import distance_to_goal, energy_of
    from jepa_planner.planning.landscape import sweep
    from jepa_planner.planning.planner_settings import PlannerSettings
    from jepa_planner.planning.rollout_cost import WorldModelCost

    pair = read_pair(args, args.goal_state, args.true_action)
    model = load_model(args)
    for note in model.contract.shortcomings:
        print(f"warning: {note}", file=sys.stderr)
    if args.goal_state is not None:
        model.contract.check_state_values(args.goal_state, "goal state")
    if args.true_action is not None:
        check_change(model.contract.action.channels, args.true_action, "true action")
    axes = _grid(args, model.contract, pair.state, pair.true_action)
    context, goal = context_and_goal(model, pair)
    settings = PlannerSettings.load(model_folder(args.model or ""), model.contract)
    energy = energy_of(settings.energy.kind, model.decoder)
    cost = WorldModelCost(model, energy, cuts_of(settings.search()))
    energy_now = distance_to_goal(energy, context.latents[-1], goal, len(model.contract.action.channels))
    with tqdm(total=args.points ** len(axes) + 1, desc="imagine", unit="action", leave=False, delay=1.0) as bar:
        landscape = sweep(cost, context, goal, energy_now, axes, bar.update)
    truth = None
    if pair.true_action is not None:
        truth = Truth(pair.true_action, _energy_of(cost, context, goal, pair.true_action))
    result = LandscapeResult(
        model.contract,
        settings,
        pair,
        landscape,
        truth,
        assess(landscape, truth, model_facts(model.contract, settings)),
    )
    args.out.mkdir(parents=True, exist_ok=True)
    draw(result, args.out / "landscape.png")
    (args.out / "landscape.json").write_text(json.dumps(as_plain_data(result), indent=1) + "\n")
    print(in_words(result))
    print(f"picture: {args.out / 'landscape.png'}   numbers: {args.out / 'landscape.json'}")
    return 1 if args.strict and not result.report.sound else 0


def _grid(
    args: argparse.Namespace, contract: Contract, state: np.ndarray, true_action: np.ndarray | None
) -> list[GridAxis]:
    """By default the grid covers what the search may do, and the truth."""
    from jepa_planner.core.arm_layout import AXIS_NAMES, GRIPPER
    from jepa_planner.planning.landscape import grid_axis

    names = args.axes or _most_moved(true_action)
    if args.range is not None and len(args.range) not in (1, len(names)):
        raise ValueError(f"{len(args.range)} ranges given for {len(names)} axes; expected one, or one for each")
    contract.check_state_values(state)
    axes = []
    for number, name in enumerate(names):
        channel = AXIS_NAMES.index(name) if name in AXIS_NAMES else 0  # grid_axis refuses the name
        limit = contract.action.max_abs[channel]
        reach = limit or HELD_AXIS_RANGE
        if true_action is not None:
            reach = max(reach, TRUTH_MARGIN * abs(float(true_action[channel])))
        if args.range is not None:
            reach = args.range[number % len(args.range)]
        axes.append(grid_axis(name, reach, args.points, float(state[GRIPPER])))
    return axes


def _most_moved(true_action: np.ndarray | None) -> list[str]:
    """Two of x, y and z: what moves and is not in the grid is sought along its axes in vain."""
    from jepa_planner.core.arm_layout import AXIS_NAMES, XYZ

    if true_action is None:
        return list(AXIS_NAMES[:2])
    least = int(abs(true_action[XYZ])[::-1].argmin())  # of equal ones z
    return [name for number, name in enumerate(AXIS_NAMES[:3]) if number != 2 - least]


def _energy_of(cost, context, goal, action: np.ndarray) -> float:
    import torch

    return cost.energies(context, goal, torch.from_numpy(action)[None, None]).item()
