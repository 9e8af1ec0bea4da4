"""`python -m studies failures`: which step failed in each of the episodes that `jepa-planner eval --json` lost."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from jepa_planner.cli.number_arguments import at_least

HELP = "say why the episodes that an evaluation lost were lost, with the expert at its side"

NEEDED = (
    "task", "episodes", "seed", "goal_images", "vary", "strength", "stop_at_success", "trials", "model",
    "imagine_sub_goals", "unreachable",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("evaluation", type=Path, help="what `jepa-planner eval --json` wrote")
    parser.add_argument(
        "--model", default="", metavar="DIR", help="the model bundle; that of the evaluation by default"
    )
    parser.add_argument(
        "--most", type=at_least(1), default=20, metavar="N", help="examine at most so many lost episodes"
    )
    parser.add_argument("--gallery", type=Path, metavar="FILE.png", help="draw how they went, a row for each")


def main(args: argparse.Namespace) -> int:
    """Examine the lost episodes one by one and print a tally."""
    import torch

    from jepa_planner.learning.evaluation.spread_trials import PolicySpec
    from jepa_planner.learning.evaluation.trials import TrialSettings
    from jepa_planner.model.bundle import model_folder
    from studies.failures.failures import Cause, Examiner, is_of_verdict, most_frequent, tally
    from studies.failures.gallery import LostEpisode, draw_gallery

    said = _evaluation(args.evaluation)
    settings = TrialSettings(
        said["task"],
        said["episodes"],
        said["seed"],
        said["goal_images"],
        frozenset(said["vary"]),
        said["strength"],
        said["stop_at_success"],
        setup=said.get("setup"),
    )
    if said["unreachable"]:
        raise ValueError(
            f"{args.evaluation}: goals that cannot be reached ({said['unreachable']}) are not to be reached"
        )
    lost = [trial for trial in said["trials"] if not trial["success"]][: args.most]
    folder = model_folder(args.model or said["model"])
    torch.set_num_threads(1)  # as `eval`
    policy_spec = PolicySpec(
        folder, imagine_sub_goals=said["imagine_sub_goals"] or "auto",
        monitored=said.get("monitored", said.get("wary", True)),
        verdict=said.get("verdict", True),
    )  # fmt: skip
    examiner, episodes = Examiner(policy_spec.policy([])), []
    for trial in lost:
        seed = trial["seed"]
        observations = [evidence.cause for evidence in examiner.episode(settings, seed)]
        cause = Cause.VERDICT if is_of_verdict(trial) else most_frequent(observations)
        episodes.append(LostEpisode(seed, cause, examiner.goal[0], [pictures[0] for pictures in examiner.seen]))
        print(f"scene {seed}: {cause.value}  ({', '.join(cause.name.lower() for cause in observations)})", flush=True)
    print(tally([episode.cause for episode in episodes]))
    if args.gallery and not episodes:
        print(f"no episode was lost: {args.gallery} is not drawn")
    elif args.gallery:
        draw_gallery(args.gallery, settings.task, episodes)
        print(f"drawn into {args.gallery}")
    return 0


def _evaluation(file: Path) -> dict:
    """What the file says; raises ValueError where that is not what `eval` writes for a model."""
    wanted = "expected what `jepa-planner eval --json` wrote for a model"
    try:
        said = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} cannot be read: {error}; {wanted}") from error
    if not isinstance(said, dict) or said.get("baseline", said.get("floor")) != "none":
        raise ValueError(f"{file} is of no model: {wanted}")
    if missing := [name for name in NEEDED if name not in said]:
        raise ValueError(f"{file} does not say {', '.join(missing)}: {wanted}")
    return said
