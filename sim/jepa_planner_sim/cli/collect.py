"""`jepa-planner collect`: simulated episodes for training."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from jepa_planner.cli.number_arguments import at_least, not_negative
from jepa_planner.cli.parallel_arguments import add_parallel_arguments
from jepa_planner.core.image_message import MAX_IMAGE_SIDE_PX

HELP = "collect simulated episodes for training"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("folder", type=Path, help="where the shards go; shards that are there already are kept")
    parser.add_argument("--episodes", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=40, help="actions per episode, 0.25 s each")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first episode; the others count up")
    parser.add_argument(
        "--views", nargs="+", default=["front", "side"], metavar="NAME", help="front, side, wrist (default: front side)"
    )
    parser.add_argument("--image-size", type=at_least(8, MAX_IMAGE_SIDE_PX), default=64, metavar="PX")
    parser.add_argument(
        "--scenes", choices=["standard", "varied"], default="standard",
        help="varied: from standard to a little wider than `eval --scenes varied`, the gripper turning as needed",
    )  # fmt: skip
    parser.add_argument(
        "--per-scene", type=int, default=1, metavar="N",
        help="so many episodes in a row have the same table, light, cameras and things, standing elsewhere in each",
    )  # fmt: skip
    parser.add_argument(
        "--variants", "--takes", type=int, default=1, metavar="N",
        help="film each episode so many times at once, on tables that look different (varied scenes only)",
    )  # fmt: skip
    parser.add_argument(
        "--variant-steps", "--take-steps", type=int, default=0, metavar="N",
        help="cut variants into episodes of so many steps, each looking different again (default: not cut)",
    )  # fmt: skip
    parser.add_argument("--vary", nargs="*", default=[], metavar="WHAT", help="as `eval --perturb`")
    parser.add_argument("--strength", type=not_negative, default=1.0, help="as `eval --strength`, of what --vary names")
    parser.add_argument("--setup", type=at_least(0), metavar="N", help="as `eval --setup`, of what --vary names")
    parser.add_argument(
        "--behaviour", default="exploration",
        choices=["exploration", "feints", "demonstration", "adjustments", "placement", "out_of_reach", "layouts"],
        help="exploration: with mistakes, for encoder and predictor; feints: the same, but often grasping where "
        "nothing lies; demonstration: nearly clean, for sub-goals; adjustments: the same, but objects often go only a "
        "little way, for the verdict; placement: these without pushes, for goals of one picture; out_of_reach: "
        "with a thing where the arm may not go, or gone, for the verdict; layouts: the arm rests and things stand "
        "elsewhere in each picture, in several variants",
    )  # fmt: skip
    parser.add_argument(
        "--adapter", default="", metavar="MODULE:CLASS", help="a scene of your own instead of the simulator that ships"
    )
    add_parallel_arguments(parser, processes=os.cpu_count() or 1)


def main(args: argparse.Namespace) -> int:
    """Collect what is missing; interrupt and run again to resume."""
    from jepa_planner_sim.collect import collect
    from jepa_planner_sim.collect_settings import CollectSettings
    from jepa_planner_sim.scene_draws import VARIED

    if args.vary and args.scenes == "varied":
        raise ValueError("--scenes varied varies everything: leave out --vary")
    vary = frozenset({VARIED} if args.scenes == "varied" else args.vary)
    settings = CollectSettings(
        args.episodes,
        args.steps,
        args.seed,
        args.image_size,
        vary,
        args.per_scene,
        args.behaviour,
        adapter=args.adapter,
        views=tuple(args.views),
        variants=args.variants,
        variant_steps=args.variant_steps,
        strength=args.strength,
        setup=args.setup,
    )
    written = collect(args.folder, settings, args.processes, args.cluster)
    print(f"{settings.episodes} episodes of {settings.steps} steps in {args.folder} ({written} shards newly written)")
    return 0
