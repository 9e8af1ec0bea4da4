"""`python -m studies collapse`: what keeps patch tokens from collapsing."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jepa_planner.cli.number_arguments import at_least

if TYPE_CHECKING:
    from jepa_planner.learning.data.episodes import Episodes

HELP = "train an encoder of patches in several ways with one budget; what a linear read-out finds in each"
HEADS = ("way", "effective rank", "spread", "dead", "neighbours", "tcp, cm", "object, cm", "width, cm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, metavar="DIR", help="episodes, as for `train --objective vjepa`"
    )
    parser.add_argument("--out", type=Path, default=Path("out/collapse"), metavar="DIR", help="default: out/collapse")
    parser.add_argument("--ways", nargs="+", metavar="WAY", help="rows by number or name (default: all)")
    parser.add_argument("--iterations", type=at_least(1), default=500, metavar="N")
    parser.add_argument("--moments", type=at_least(2), default=12, metavar="N", help="per batch (default: 12)")
    parser.add_argument("--seed", type=at_least(0), default=0)


def main(args: argparse.Namespace) -> int:
    """Train and measure each way, or read what is there already; print the table as it grows."""
    from jepa_planner.learning.data.episodes import read_episodes
    from studies.collapse.ways import WAYS
    from studies.result_cache import cached, episodes_asked

    names = _chosen(args.ways, list(WAYS))
    episodes = read_episodes(args.data)
    data = episodes_asked(args.data)
    rows: dict[str, dict[str, Any]] = {}
    for name in names:
        folder = args.out / name.replace(",", "").replace(" ", "-").lower()
        asked = {"data": data, "way": name, "iterations": args.iterations, "moments": args.moments, "seed": args.seed}
        rows[name] = cached(
            folder / "report.json",
            asked,
            lambda name=name, folder=folder, asked=asked: _trained(name, episodes, args, folder, asked),
        )
        print(table_of(rows))
    return 0


def _chosen(asked: list[str] | None, names: list[str]) -> list[str]:
    """The ways that are meant, in words or by their numbers from 1; raises ValueError naming all."""
    by_key = {name.lower(): name for name in names} | {str(number): name for number, name in enumerate(names, 1)}
    asked = names if asked is None else asked
    if unknown := [one for one in asked if one.lower() not in by_key]:
        known = ", ".join(f"{number} {name!r}" for number, name in enumerate(names, 1))
        raise ValueError(f"--ways: {unknown[0]!r} is unknown; known are {known}")
    return [by_key[one.lower()] for one in asked]


def _trained(
    name: str, episodes: Episodes, args: argparse.Namespace, folder: Path, asked: dict[str, Any]
) -> dict[str, Any]:
    import torch

    from jepa_planner.learning.training.dense.clips import ClipSettings
    from jepa_planner.learning.training.dense.dense_run import DenseRun, encoder_config, measured
    from jepa_planner.learning.training.fit import FitSettings, fit
    from jepa_planner.learning.training.run_folder import check_same_run
    from jepa_planner.learning.training.windows import split
    from jepa_planner.model.encoder import VideoEncoder
    from studies.collapse.ways import NEVER_TRAINED, WAYS, training_of

    run = DenseRun(name=name)
    torch.manual_seed(args.seed)
    encoder = VideoEncoder(encoder_config(episodes, run))
    if name != NEVER_TRAINED:
        clips = ClipSettings(moments=args.moments)
        objective, losses_at, kept = training_of(WAYS[name], encoder, episodes, split(episodes).train, clips, args.seed)
        folder.mkdir(parents=True, exist_ok=True)
        check_same_run(folder / "encoder.json", folder / "encoder.ckpt", asked)
        fit("encoder", objective, losses_at, FitSettings(args.iterations, run.learning_rate), folder)
        encoder = kept()
    return measured(encoder.eval().requires_grad_(False), episodes, args.seed)


def table_of(rows: dict[str, dict[str, Any]]) -> str:
    """A row for each way."""
    lines = [f"| {' | '.join(HEADS)} |", "|---" * len(HEADS) + "|"]
    for name, report in rows.items():
        collapse, readouts = report["collapse"], report["readouts"]
        measures = [
            f"{collapse['effective_rank']:.1f} of {collapse['numbers']}", f"{collapse['std_mean']:.2f}",
            f"{collapse['dead_share']:.0%}", f"{collapse['neighbour_ratio']:.2f}",
            *(f"{readouts[fact]['linear_cm']:.2f}" for fact in readouts),
        ]  # fmt: skip
        lines.append(f"| {name} | {' | '.join(measures)} |")
    return "\n".join(lines)
