"""`jepa-planner check plan`: a plan for two pictures, without an arm."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jepa_planner.cli.picture_arguments import add_picture_arguments, load_model, read_pair
from jepa_planner.cli.search_arguments import add_planning_arguments, add_search_arguments, chosen_search

if TYPE_CHECKING:
    from jepa_planner.planning.offline_plan import OfflinePlan

HELP = "print the plan from one picture to another, offline"
HEADINGS = ("dx m", "dy m", "dz m", "droll rad", "dpitch rad", "dyaw rad", "dclosure")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_picture_arguments(parser)
    parser.add_argument("--seed", type=int, default=0, help="of the search; the same seed gives the same plan")
    add_planning_arguments(parser)
    add_search_arguments(parser)
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write the plan there too")


def main(args: argparse.Namespace) -> int:
    """Encode, search, print."""
    from jepa_planner.learning.evaluation.picture_pair import observed_pair
    from jepa_planner.model.bundle import (
        load_latent_statistics,
        load_sub_goal_head,
        load_verdict_head,
        model_folder,
    )
    from jepa_planner.planning.decision import OUT_OF_DISTRIBUTION
    from jepa_planner.planning.factory import NO_STATISTICS
    from jepa_planner.planning.offline_plan import NoPlanError, plan_offline
    from jepa_planner.planning.planner import Planner
    from jepa_planner.planning.planner_settings import PlannerSettings
    from jepa_planner.planning.solvers.table import name_of

    pair = read_pair(args)
    model, folder = load_model(args), model_folder(args.model or "")
    settings = PlannerSettings.load(folder, model.contract)
    search = chosen_search(args, settings)
    latent_statistics = None if args.no_monitor else load_latent_statistics(folder)
    planner = Planner(
        model,
        settings,
        search.solver(),
        sub_goal_head=load_sub_goal_head(folder),
        imagine_sub_goals=args.imagine_sub_goals or "auto",
        latent_statistics=latent_statistics,
        verdict_head=load_verdict_head(folder),
    )
    factory = planner.factory(args.seed)
    size = f"{search.samples} candidates x {search.iterations} iterations"
    print(f"{model.contract.name}, {name_of(search)}: {size}, seed {args.seed}")
    for note in model.contract.shortcomings:
        print(f"warning: {note}", file=sys.stderr)
    if latent_statistics is None and not args.no_monitor:
        print(NO_STATISTICS)
    try:
        plan = plan_offline(model, *observed_pair(model, pair), factory)
    except NoPlanError as error:
        mend = " (--no-monitor plans all the same)" if error.reason in OUT_OF_DISTRIBUTION else ""
        print(f"no plan, an arm would hold: {error}{mend}", file=sys.stderr)
        return 1
    reached = settings.tolerances(1)[0]
    print(in_words(plan, reached))
    if args.json:
        data = {
            "model": model.contract.name, "seed": args.seed, "channels": list(model.contract.action.channels),
            "actions": plan.actions.tolist(), "energy_now": plan.energy_now, "energies_after": plan.energies_after,
            "reached_energy": reached, "seconds": plan.seconds, "sub_goal": _sub_goal(plan),
            "verdict": _verdict(plan),
        }  # fmt: skip
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(data, indent=1) + "\n")
    return 0


def _sub_goal(plan: OfflinePlan) -> dict[str, object] | None:
    if plan.imagined is None:
        return None
    return {
        "is_goal": plan.imagined.is_goal, "state": plan.imagined.state.tolist(), "energy_now": plan.energy_ahead,
    }  # fmt: skip


def _verdict(plan: OfflinePlan) -> dict[str, object] | None:
    if plan.verdict is None:
        return None
    off_m = plan.verdict.off_m
    return {
        "certainty": plan.verdict.certainty, "off_m": off_m if math.isfinite(off_m) else None,
        "missing": plan.verdict.missing, "done": plan.verdict.done,
    }  # fmt: skip


def in_words(plan: OfflinePlan, reached_energy: float) -> str:
    """The plan as a table, with what the model imagines of it."""
    lines = [f"energy now {plan.energy_now:.4g} (a goal counts as reached at {reached_energy:.4g})"]
    verdict = plan.verdict
    if verdict is not None:
        lines.append(f"verdict: {verdict}; {'done' if verdict.done else 'not done'}")
    if not len(plan.actions):
        return "\n".join([*lines, "the two pictures are the same to the model: there is nothing to plan"])
    near = plan.energy_now <= reached_energy
    if near if verdict is None else verdict.ends(near):
        lines.append("this goal counts as reached already: an arm would stay where it is")
    if plan.imagined is not None:
        place = ", ".join(f"{value:.3f}" for value in plan.imagined.state[:3].tolist())
        lines.append(f"planned for {plan.imagined}, at ({place}) m; energy to it now {plan.energy_ahead:.4g}")
    lines.append("  ".join(["step", *HEADINGS, "energy after"]))
    for step, (action, energy) in enumerate(zip(plan.actions.tolist(), plan.energies_after, strict=True), 1):
        cells = [f"{value:+.4f}".rjust(len(title)) for value, title in zip(action, HEADINGS, strict=True)]
        lines.append("  ".join([f"{step:4d}", *cells, f"{energy:.4g}".rjust(len("energy after"))]))
    return "\n".join([*lines, f"planned in {plan.seconds:.2f} s"])
