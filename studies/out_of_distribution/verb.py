"""How often a model with statistics of its training data takes clean, distorted and foreign scenes for unknown."""

from __future__ import annotations

import argparse
from pathlib import Path

from jepa_planner.cli.number_arguments import at_least

HELP = "how often a model finds out of distribution clean, distorted and foreign scenes: about half an hour on one core"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("model", type=Path)
    parser.add_argument("--clean", type=at_least(1), default=200, help="clean episodes of the scripted expert")
    parser.add_argument("--varied", type=at_least(1), default=40, help="episodes per variation")


def main(args: argparse.Namespace) -> int:
    """Measure, and print the table row by row."""
    import torch

    from jepa_planner.model.bundle import load_latent_statistics
    from jepa_planner.model.world_model import WorldModel
    from jepa_planner.planning.energy import energy_of
    from jepa_planner.planning.planner_settings import PlannerSettings
    from studies.detector.detection_report import Detector, report

    torch.set_num_threads(1)
    model, latent_statistics = WorldModel.load(args.model), load_latent_statistics(args.model)
    if latent_statistics is None:
        lacks = f"{args.model} has no statistics of its training data"
        raise ValueError(f"{lacks}: `jepa-planner model out-of-distribution` adds them")
    energy = energy_of(PlannerSettings.load(args.model, model.contract).energy.kind, model.decoder)
    print("| scenes | flagged |\n|---|---|")
    for line in report(Detector(model, energy, latent_statistics), args.clean, args.varied):
        print(line, flush=True)
    return 0
