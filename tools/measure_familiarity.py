"""Prints how often a model with `jepa-planner familiarity` doubts clean, distorted and foreign scenes.

`python tools/measure_familiarity.py MODEL [--clean 200] [--varied 40]`
"""

import argparse
import sys
from pathlib import Path


def main() -> int:
    """Measures; about half an hour on one core."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--clean", type=int, default=200, help="clean episodes of the scripted expert")
    parser.add_argument("--varied", type=int, default=40, help="episodes per variation")
    args = parser.parse_args()

    import torch

    from jepa_planner.evaluation.familiarity_report import Doubts, report
    from jepa_planner.model.bundle import load_familiarity
    from jepa_planner.model.world_model import WorldModel
    from jepa_planner.planning.energy import energy_of
    from jepa_planner.planning.planner_settings import PlannerSettings

    torch.set_num_threads(1)
    model, familiarity = WorldModel.load(args.model), load_familiarity(args.model)
    if familiarity is None:
        print(
            f"{args.model} has no statistics of its training data: jepa-planner familiarity adds them", file=sys.stderr
        )
        return 2
    energy = energy_of(PlannerSettings.load(args.model, model.contract).energy.kind, model.decoder)
    print("| scenes | doubted |\n|---|---|")
    for line in report(Doubts(model, energy, familiarity), args.clean, args.varied):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
