"""`jepa-planner model info`: what a bundle is, what it takes and gives, and how it is planned with."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jepa_planner.model.contract import Contract
    from jepa_planner.planning.planner_settings import PlannerSettings

HELP = "say what a model bundle takes and gives, how it is planned with, and what is uncertain about it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("model", nargs="?", default="", metavar="DIR", help="model bundle; the shipped one by default")


def main(args: argparse.Namespace) -> int:
    """Read, check every file, print."""
    from jepa_planner.model.bundle import load_contract, model_folder
    from jepa_planner.model.bundle_files import PLANNER_FILE, check_files
    from jepa_planner.planning.planner_settings import PlannerSettings

    folder = model_folder(args.model)
    contract = load_contract(folder)
    check_files(folder, contract, ())
    print(f"{folder}: every file is as it was written")
    only_sees = contract.predictor is None and not (folder / PLANNER_FILE).exists()
    print(in_words(contract, None if only_sees else PlannerSettings.load(folder, contract)))
    return 0


def in_words(contract: Contract, settings: PlannerSettings | None) -> str:
    """A line for each thing that a user asks about; settings: None for an encoder that is not planned with."""
    rows = _seen(contract) if settings is None else _seen(contract) | _planned(contract, settings)
    rows["trained on"] = contract.training.data
    width = max(map(len, rows))
    lines = [f"  {name:<{width}}  {text}" for name, text in rows.items()]
    return "\n".join([*lines, *(textwrap.fill(f"note: {note}", 110, initial_indent="  ") for note in contract.notes)])


def _seen(contract: Contract) -> dict[str, str]:
    image = contract.image
    return {
        "name": f"{contract.name} {contract.version}, licence {contract.licence}",
        "pictures": f"{image.width} x {image.height} px or larger, views in order: {', '.join(image.views)}",
        "any one view will do": "yes" if contract.encoder.any_view else "no",
        "latents": f"{contract.latent.tokens} x {contract.latent.channels}",
        "predictor": "none: an encoder alone" if contract.predictor is None else contract.predictor.kind,
    }


def _planned(contract: Contract, settings: PlannerSettings) -> dict[str, str]:
    state, action, search = contract.state, contract.action, settings.search()
    bounds = ", ".join(f"{name} {bound:g}" for name, bound in zip(action.channels, action.max_abs, strict=True))
    tells = "a verdict on the objects" if settings.verdict is not None else "energies alone"
    knows = (
        "yes" if contract.out_of_distribution is not None else "no; `jepa-planner model out-of-distribution` adds it"
    )
    return {
        "arm states": f"{', '.join(state.channels)}; {state.tcp_frame} in {state.frame}",
        "actions": f"{bounds}; every {action.time_step_s:g} s",
        "search": f"{settings.solver}, {search.samples} x {search.iterations}, {search.horizon} steps ahead",
        "imagines sub-goals": "no" if settings.sub_goals is None else "yes",
        "tells that it is done by": tells,
        "knows what it does not know": knows,
    }
