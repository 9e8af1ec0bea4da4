"""`python -m studies probe`: what the latents of a model know, and how far its predictor can be trusted."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from jepa_planner.cli.number_arguments import at_least

if TYPE_CHECKING:
    from jepa_planner.learning.data.episodes import Episodes

HELP = "read tcp, gripper and object out of a model's latents; compare imagined latents with copying"
FRESH_EPISODES = 160
FRESH_STEPS = 40
FRESH_SEED = 990_000
FRESH_HELD_OUT = 0.25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--model", default="", metavar="DIR", help="model bundle; the shipped one by default")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="episodes; the last of them are held out, as training does "
        f"(default: {FRESH_EPISODES} fresh ones, collected into --fresh)",
    )  # fmt: skip
    parser.add_argument(
        "--fresh", type=Path, metavar="DIR", default=Path("out/probe/episodes"), help="default: out/probe/episodes"
    )
    parser.add_argument("--held-out", type=float, metavar="SHARE", help="default: 0.05 of --data, 0.25 of fresh ones")
    parser.add_argument("--seed", type=at_least(0), default=0, help="of the read-outs' training")
    parser.add_argument("--json", type=Path, metavar="FILE")


def main(args: argparse.Namespace) -> int:
    """Read or collect episodes, probe, print the tables, write the JSON."""
    from jepa_planner.learning.training.windows import split
    from jepa_planner.model.bundle import model_folder
    from jepa_planner.model.world_model import WorldModel
    from jepa_planner.planning.planner_settings import PlannerSettings
    from studies.probe import probe_report

    if args.held_out is not None and not 0.0 < args.held_out < 1.0:
        raise ValueError(f"--held-out is {args.held_out}; it must lie between 0 and 1")
    folder = model_folder(args.model)
    model = WorldModel.load(folder)
    episodes = _episodes(args)
    parts = split(episodes, args.held_out or (0.05 if args.data else FRESH_HELD_OUT))
    settings = PlannerSettings.load(folder, model.contract)
    report = probe_report.probe(model, episodes, parts, settings.energy.difference, args.seed)
    print(f"{folder} on {args.data or args.fresh}")
    print(probe_report.in_words(report))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        found = {"model": str(folder), "data": str(args.data or args.fresh), **probe_report.as_plain_data(report)}
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


def _episodes(args: argparse.Namespace) -> Episodes:
    """Those of --data, or fresh ones, of seeds that training and evaluation leave alone; what is there is kept."""
    from jepa_planner.learning.data.episodes import read_episodes

    if args.data:
        return read_episodes(args.data)
    from jepa_planner_sim.collect import collect
    from jepa_planner_sim.collect_settings import CollectSettings

    collect(args.fresh, CollectSettings(FRESH_EPISODES, FRESH_STEPS, FRESH_SEED), processes=1)
    return read_episodes(args.fresh)
