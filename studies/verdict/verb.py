"""`python -m studies verdict`: how well a model tells that objects lie as a goal picture shows them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from jepa_planner.cli.number_arguments import at_least

HELP = "show a model's verdict pairs of pictures: what it calls done by how far the object is off, and its calibration"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--model", default="", metavar="DIR", help="model bundle; the shipped one by default")
    parser.add_argument(
        "--scenes", choices=["standard", "varied"], default="standard", help="as `eval` (default: standard)"
    )
    parser.add_argument(
        "--pairs", type=at_least(1), default=100, metavar="N",
        help="unseen scenes, in each of which a pair is shown for every distance and stand of the arm (default: 100)",
    )  # fmt: skip
    parser.add_argument("--seed", type=at_least(0), default=0, help="first scene is 1,000,000 + SEED")
    parser.add_argument("--views", nargs="+", default=[], metavar="VIEW", help="as `eval`")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE")


def main(args: argparse.Namespace) -> int:
    """Show the pairs, print both tables, write the JSON."""
    import torch
    from tqdm import tqdm

    from jepa_planner.core.strict_fields import to_plain
    from jepa_planner.model.bundle import load_verdict_head, model_folder
    from jepa_planner.model.world_model import WorldModel
    from jepa_planner.planning.planner_settings import PlannerSettings
    from jepa_planner.planning.verdict import Judge
    from jepa_planner_sim.scene_draws import PERTURBATIONS
    from studies.verdict.verdict_pairs import show_pairs
    from studies.verdict.verdict_report import in_words, summarise_pairs

    folder = model_folder(args.model)
    head = load_verdict_head(folder, args.views)
    if head is None:
        raise ValueError(f"{folder} has no verdict to show pairs to: its model.yaml has no section `verdict`")
    torch.set_num_threads(1)  # as `eval`
    model = WorldModel.load(folder, views=args.views)
    edges_m = model.contract.verdict.head.edges_m
    rule = PlannerSettings.load(folder, model.contract).verdict
    if rule is None:
        raise ValueError(f"{folder}: verdict is null in its planner.yaml: say there how it is used")
    vary = frozenset(PERTURBATIONS if args.scenes == "varied" else ())
    judging = show_pairs(model, Judge(head, edges_m, rule), vary, args.pairs, args.seed)
    shown = [pair for found in tqdm(judging, total=args.pairs, desc="pairs", unit="scene") for pair in found]
    summary = summarise_pairs(shown, rule.within_m)
    print(in_words(summary))
    if args.json:
        about = {
            "model": str(folder),
            "scenes": args.scenes,
            "pairs": args.pairs,
            "seed": args.seed,
            "views": args.views,
        }
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps({**about, "rule": to_plain(rule), **summary}, indent=1) + "\n")
    return 0
