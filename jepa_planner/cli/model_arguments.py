"""Several models by name, for the verbs that set them side by side."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_named_models(parser: argparse.ArgumentParser) -> None:
    """Declare `--models NAME=DIR ..`."""
    parser.add_argument(
        "--models", nargs="+", required=True, metavar="NAME=DIR", help="bundles, and what to call them; NAME= alone "
        "stands for the shipped one",
    )  # fmt: skip


def named_models(args: argparse.Namespace) -> dict[str, Path]:
    """Folders by name, in the order given; raises ValueError for what is no NAME=DIR, or a name given twice."""
    from jepa_planner.model.bundle import model_folder

    models: dict[str, Path] = {}
    for given in args.models:
        name, separator, folder = given.partition("=")
        if not separator or not name or "/" in name:
            raise ValueError(f"--models: {given!r} given; expected NAME=DIR, as in pixels=out/pixels")
        if name in models:
            raise ValueError(f"--models: {name!r} is named twice")
        models[name] = model_folder(folder)
    return models
