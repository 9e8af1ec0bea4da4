"""`jepa-planner data check`: what somebody should know of episodes before training, and of bags before episodes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jepa_planner.cli.number_arguments import at_least

if TYPE_CHECKING:
    from jepa_planner.learning.data.inspection.inspection import Reference
    from jepa_planner.learning.data.inspection.judgement import Judgement

HELP = "look at episodes before training, or at bags; exit status 2 where something is wrong"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("data", type=Path, nargs="*", metavar="EPISODES", help="folders of episodes")
    parser.add_argument("--bag", type=Path, nargs="+", metavar="BAG", help="look at bags instead, or folders of bags")
    parser.add_argument(
        "--recording", type=Path, metavar="FILE", help="recording.yaml of the bags: finds how late the cameras are"
    )
    parser.add_argument(
        "--init", type=Path, metavar="BUNDLE", help="what training will begin with: its bounds, frames and views count"
    )
    parser.add_argument("--episodes", type=at_least(1), help="look only at the first so many")
    parser.add_argument("--strict", action="store_true", help="exit status 1 where there are warnings")
    parser.add_argument("--json", action="store_true", help="say it for scripts")
    parser.add_argument("--page", type=Path, metavar="DIR", help="write a page with plots there")


def main(args: argparse.Namespace) -> int:
    """Look, say; 0 where nothing is wrong, 1 for warnings with --strict, 2 where something is wrong."""
    if bool(args.data) == bool(args.bag):
        raise ValueError("give folders of episodes, or --bag BAG: one of the two")
    if args.bag:
        return _check_bags(args)
    if args.recording is not None:
        raise ValueError("--recording goes with --bag")
    from jepa_planner.learning.data.episodes import read_episodes
    from jepa_planner.learning.data.inspection.inspection import inspect
    from jepa_planner.learning.training.action_bounds import action_max

    episodes = read_episodes(args.data, args.episodes)
    reference = None if args.init is None else _reference(args.init)
    bounds = action_max(episodes.actions) if reference is None else reference.model.contract.action.max_abs
    inspection = inspect(episodes, bounds, reference)

    def write(folder: Path, title: str) -> Path:
        from jepa_planner.learning.data.inspection.page import write_page
        from jepa_planner.learning.data.inspection.plots import figures

        return write_page(folder, title, inspection.judgements, figures(episodes, inspection))

    return _say(args, inspection.judgements, len(episodes), "episodes", write)


def _check_bags(args: argparse.Namespace) -> int:
    from jepa_planner.learning.data.inspection.bag_inspection import inspect_bags
    from jepa_planner.learning.data.recording import Recording

    if args.init is not None or args.episodes is not None:
        raise ValueError("--init and --episodes go with episodes, not with --bag")
    inspection = inspect_bags(args.bag, None if args.recording is None else Recording.load(args.recording))

    def write(folder: Path, title: str) -> Path:
        from jepa_planner.learning.data.inspection.page import write_page
        from jepa_planner.learning.data.inspection.plots import bag_figures

        return write_page(folder, title, inspection.judgements, bag_figures(inspection))

    return _say(args, inspection.judgements, inspection.bags, "bags", write)


def _say(
    args: argparse.Namespace, judgements: Sequence[Judgement], count: int, of: str, write: Callable[[Path, str], Path]
) -> int:
    """Prints judgements of so many episodes or bags, has their page written, and returns the exit status."""
    from jepa_planner.learning.data.inspection.judgement import Level, worst

    level = worst(judgements)
    if args.json:
        plain = {"level": level.name.lower(), of: count, "findings": [one.as_plain() for one in judgements]}
        print(json.dumps(plain, indent=1))
    else:
        print("\n".join(judgement.in_words() for judgement in judgements))
        counts = [sum(judgement.level is each for judgement in judgements) for each in Level]
        print(f"{count} {of}: {counts[2]} wrong, {counts[1]} warnings, {counts[0]} good")
    if args.page is not None:
        page = write(args.page, f"{count} {of}: {level.name.lower()}")
        if not args.json:
            print(f"see {page}")
    return 2 if level is Level.WRONG else int(level is Level.WARNING and args.strict)


def _reference(bundle: Path) -> Reference:
    from jepa_planner.learning.data.inspection.inspection import Reference
    from jepa_planner.model.bundle import load_latent_statistics, model_folder
    from jepa_planner.model.world_model import WorldModel

    folder = model_folder(str(bundle))
    return Reference(WorldModel.load(folder), load_latent_statistics(folder))
