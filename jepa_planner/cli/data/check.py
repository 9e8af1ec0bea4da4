"""`jepa-planner data check`: what somebody should know of episodes before a model is trained on them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from jepa_planner.cli.number_arguments import at_least

if TYPE_CHECKING:
    from jepa_planner.learning.data.inspection.inspection import Reference

HELP = "look at episodes before training; exit status 2 where something is wrong"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("data", type=Path, nargs="+", metavar="EPISODES", help="folders of episodes")
    parser.add_argument(
        "--init", type=Path, metavar="BUNDLE", help="what training will begin with: its bounds, frames and views count"
    )
    parser.add_argument("--episodes", type=at_least(1), help="look only at the first so many")
    parser.add_argument("--strict", action="store_true", help="exit status 1 where there are warnings")
    parser.add_argument("--json", action="store_true", help="say it for scripts")
    parser.add_argument("--page", type=Path, metavar="DIR", help="write a page with plots there")


def main(args: argparse.Namespace) -> int:
    """Look, say; 0 where nothing is wrong, 1 for warnings with --strict, 2 where something is wrong."""
    from jepa_planner.learning.data.episodes import read_episodes
    from jepa_planner.learning.data.inspection.inspection import inspect
    from jepa_planner.learning.data.inspection.judgement import Level
    from jepa_planner.learning.training.action_bounds import action_max

    episodes = read_episodes(args.data, args.episodes)
    reference = None if args.init is None else _reference(args.init)
    bounds = action_max(episodes.actions) if reference is None else reference.model.contract.action.max_abs
    inspection = inspect(episodes, bounds, reference)
    if args.json:
        plain = {
            "level": inspection.level.name.lower(), "episodes": len(episodes),
            "findings": [judgement.as_plain() for judgement in inspection.judgements],
        }  # fmt: skip
        print(json.dumps(plain, indent=1))
    else:
        print("\n".join(judgement.in_words() for judgement in inspection.judgements))
        counts = [sum(judgement.level is level for judgement in inspection.judgements) for level in Level]
        print(f"{len(episodes)} episodes: {counts[2]} wrong, {counts[1]} warnings, {counts[0]} good")
    if args.page is not None:
        from jepa_planner.learning.data.inspection.page import write_page

        page = write_page(args.page, episodes, inspection)
        if not args.json:
            print(f"see {page}")
    strict = int(inspection.level is Level.WARNING and args.strict)
    return 2 if inspection.level is Level.WRONG else strict


def _reference(bundle: Path) -> Reference:
    from jepa_planner.learning.data.inspection.inspection import Reference
    from jepa_planner.model.bundle import load_latent_statistics, model_folder
    from jepa_planner.model.world_model import WorldModel

    folder = model_folder(str(bundle))
    return Reference(WorldModel.load(folder), load_latent_statistics(folder))
