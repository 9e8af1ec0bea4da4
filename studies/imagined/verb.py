"""`python -m studies imagined`: what models predict, made visible beside what happened."""

from __future__ import annotations

import argparse
from pathlib import Path

from jepa_planner.cli.model_arguments import add_named_models, named_models
from jepa_planner.cli.number_arguments import at_least

HELP = "draw the pictures that models imagine beside those that came"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_named_models(parser)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="episodes; the last 5 %% are held out")
    parser.add_argument("--picture", type=Path, default=Path("out/imagined.png"), metavar="FILE")
    parser.add_argument("--view", default="front", metavar="NAME")
    parser.add_argument("--steps", type=int, default=4, help="how far to imagine (default: 4)")
    parser.add_argument(
        "--episodes",
        type=at_least(1),
        default=200,
        help="of the data, from which decoders learn to draw (default: 200)",
    )
    parser.add_argument(
        "--iterations", type=at_least(1), default=1500, help="of a decoder for looking at latents (default: 1500)"
    )
    parser.add_argument(
        "--run", type=Path, default=Path("out/imagine"), metavar="DIR", help="decoders, a folder for each; resumes"
    )


def main(args: argparse.Namespace) -> int:
    """Train a decoder for each model that has none, imagine the liveliest held-out moment, save the picture."""
    from jepa_planner.learning.data.episodes import read_episodes
    from jepa_planner.learning.training.fit import FitSettings
    from jepa_planner.learning.training.viewing_decoder import train_viewing_decoder
    from jepa_planner.learning.training.windows import split
    from jepa_planner.model.bundle import load_viewing_decoder
    from jepa_planner.model.world_model import WorldModel
    from studies.imagined.imagined_pictures import happened, imagined, liveliest_moment, save_sheet

    if args.steps < 1:
        raise ValueError(f"--steps is {args.steps}; it must be at least 1")
    folders = named_models(args)
    models = {name: WorldModel.load(folder) for name, folder in folders.items()}
    episodes = read_episodes(args.data)
    if args.view not in episodes.views:
        raise ValueError(f"--view is {args.view!r}; the episodes have {', '.join(episodes.views)}")
    parts = split(episodes)
    held_out, seen = episodes.part(parts.held_out), episodes.part(parts.train[: args.episodes])
    moment = liveliest_moment(held_out, args.steps)
    rows = {"camera": happened(held_out, moment, args.view)}
    for name, model in models.items():
        decoder = model.decoder or load_viewing_decoder(folders[name])
        if decoder is None:
            settings = FitSettings(args.iterations, learning_rate=2e-3, weight_decay=0.0)
            decoder = train_viewing_decoder(model, seen, args.run / name, settings)
        rows[name] = imagined(model, decoder, held_out, moment, args.view)
    save_sheet(args.picture, rows)
    print(f"{args.picture}: episode of seed {held_out.seeds[moment.episode]}, from frame {moment.frame} on")
    return 0
