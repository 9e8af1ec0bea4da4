"""`jepa-planner train`: from episodes to a model bundle, from nothing or adding to what another bundle knows."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jepa_planner.cli.number_arguments import at_least, positive
from jepa_planner.cli.train_modes import GOES_WITH, KINDS, VJEPA, mode_of

HELP = "train encoder and predictor on episodes, or a part of a bundle alone, and write a model bundle"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "--data", type=Path, nargs="+", metavar="DIR", help="folders of episodes from `jepa-planner collect`"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="BUNDLE", help="where the bundle is written")
    parser.add_argument(
        "--run", type=Path, metavar="DIR",
        help="logs and checkpoints; the same run resumes in the same folder (default: the name of --out in out/train, "
        "out/fine-tune, out/sub-goals, out/verdict, out/viewing-decoder, out/adapt or out/vjepa)",
    )  # fmt: skip
    parser.add_argument("--seed", type=at_least(0), default=0)
    parser.add_argument(
        "--predictor", choices=("transformer", "mlp"),
        help="kind (default: that of --init with --predictor-only; else mlp for latents of a few slots, which is many "
        "times faster, and transformer for those of many tokens)",
    )  # fmt: skip
    parser.add_argument("--predictor-iterations", type=at_least(1), help="default: 1500")
    parser.add_argument("--episodes", type=at_least(1), default=None, help="use only the first so many")
    parser.add_argument("--device", help="where the model is trained, for example cpu (default: a GPU if there is one)")
    parser.add_argument("--name", help="of the model (default: that of --out, or the first model's with -tuned)")
    parser.add_argument(
        "--base-frame", metavar="NAME", help="what poses are given in, where episodes do not say it: the robot's name"
    )
    parser.add_argument("--tcp-frame", metavar="NAME", help="what poses are of, where episodes do not say it")
    parser.add_argument(
        "--trust-data", action="store_const", const=True, help="only warn of what is surely wrong with episodes"
    )
    whole = parser.add_argument_group("training encoder and predictor")
    whole.add_argument("--encoder-iterations", type=at_least(1), help="default: 2200, with --init 700")
    whole.add_argument(
        "--objective", metavar="TERM+TERM", help="besides predicting latents: sigreg, scene_sigreg, appearance, "
        "layouts, vicreg, barlow_twins, info_nce, ema, inverse, state, or none, which collapses; pixels: a baseline "
        "that predicts pictures and is planned in pixels (default: sigreg+inverse+state); vjepa, alone: hidden parts "
        "of clips are predicted, for an encoder of fine patches that finds what is pointed at",
    )  # fmt: skip
    whole.add_argument(
        "--layouts", type=Path, nargs="+", metavar="DIR",
        help="folders of `jepa-planner collect --behaviour layouts`, for the objective's term of that name",
    )  # fmt: skip
    whole.add_argument(
        "--any-view", action="store_const", const=True, help="the encoder learns to do with any one of its cameras"
    )
    whole.add_argument(
        "--augmented", action="store_const", const=True,
        help="the encoder sees scenes as turned, shifted and recoloured, which makes more tables of few",
    )  # fmt: skip
    parser.add_argument(
        "--init",
        type=Path,
        metavar="BUNDLE",
        help="begin with its weights (of encoder and predictor, or see below); a folder, or the "
        "name of a shipped one, as panda-varied",
    )
    only = parser.add_argument_group("going on from --init, its encoder frozen")
    only.add_argument(
        "--predictor-only", action="store_true",
        help="train the predictor of --init alone; it gets a new one if it has none, or none of that kind",
    )  # fmt: skip
    only.add_argument("--view", nargs="+", metavar="NAME", help="the data's cameras, in the order of the model's")
    only.add_argument("--learning-rate", type=positive, help="default: 1e-4")
    only.add_argument("--batch", type=at_least(1), help="windows per iteration (default: 32)")
    only.add_argument(
        "--adapt", action="store_true",
        help="make --init good again where cameras were moved or the table is another: some twenty episodes of work, "
        "minutes; how to plan with it stays",
    )  # fmt: skip
    only.add_argument(
        "--viewing-decoder-only", action="store_true",
        help="add a decoder that draws for people what --init imagines (`jepa-planner view`), or learn it anew from "
        "--data; all else stays",
    )  # fmt: skip
    only.add_argument("--viewing-decoder-iterations", type=at_least(1), metavar="N", help="default: 1500")
    sub_goals = parser.add_argument_group("sub-goals imagined on the way to a goal picture")
    sub_goals.add_argument(
        "--demonstrations", type=Path, nargs="+", metavar="DIR",
        help="learn them and when the work is done, after the predictor, from these folders of episodes, as of "
        "`jepa-planner collect --behaviour demonstration` (default: from those of --data that show work)",
    )  # fmt: skip
    sub_goals.add_argument(
        "--sub-goals-only", action="store_true", help="add them to --init, whose encoder and predictor stay"
    )
    sub_goals.add_argument(
        "--keypoints", "--seeing", action=argparse.BooleanOptionalAction,
        help="sub-goals and verdict are learned from what lies where in the pictures, too, not from latents alone "
        "(default: with --data, where episodes show work)",
    )  # fmt: skip
    sub_goals.add_argument(
        "--keypoints-of",
        "--eyes-of",
        type=Path,
        metavar="BUNDLE",
        help="with --keypoints: begin with the keypoints of another bundle's head (default: with --data, of --init)",
    )
    sub_goals.add_argument(
        "--sub-goal-iterations", type=at_least(1), metavar="N", help="default: 6000, with --keypoints 2000"
    )
    verdict = parser.add_argument_group("telling when the work is done")
    verdict.add_argument(
        "--verdict-only", action="store_true",
        help="add that to --init, or learn it anew, from --demonstrations; encoder, predictor and sub-goals stay",
    )  # fmt: skip
    verdict.add_argument(
        "--go-on", action="store_const", const=True, help="with --verdict-only: begin with the head that --init has"
    )
    verdict.add_argument(
        "--arm-from-latents", action="store_const", const=True,
        help="with --keypoints: how the arm stands in a goal is read from its latent, which is finer where cameras "
        "stand where they always did",
    )  # fmt: skip
    verdict.add_argument(
        "--out-of-reach",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="episodes of the same scenes with a thing where the arm cannot go, or without it: such goals then end at "
        "once",
    )
    verdict.add_argument(
        "--verdict-iterations", type=at_least(1), metavar="N", help="default: 4000, with --keypoints 2000"
    )


def main(args: argparse.Namespace) -> int:
    """Train, report, write the bundle."""
    from jepa_planner.core.this_process import use_all_cores
    from jepa_planner.learning.training.run_folder import check_can_write
    from jepa_planner.model.bundle import model_folder
    from jepa_planner.model.device import best_device

    use_all_cores()
    mode = mode_of(args)
    for bundle in ("init", "keypoints_of"):
        if getattr(args, bundle) is not None:
            setattr(args, bundle, model_folder(getattr(args, bundle)))
    if "device" in GOES_WITH[mode]:
        args.device = args.device or best_device()
    for folder in (args.out, _run_folder(args, KINDS[mode])):
        check_can_write(folder)
    command = shlex.join(["jepa-planner", *sys.argv[1:]])
    train = {
        "": _train, "predictor_only": _fine_tune, "sub_goals_only": _add_sub_goals, "verdict_only": _add_verdict,
        "adapt": _adapt, "viewing_decoder_only": _draw_latents, VJEPA: _train_dense,
    }[mode]  # fmt: skip
    return train(args, command)


def _train(args: argparse.Namespace, command: str) -> int:
    from jepa_planner.learning.training.assessment import in_words
    from jepa_planner.learning.training.recipe import Recipe
    from jepa_planner.learning.training.training_run import Collapsed, run

    recipe = Recipe(
        seed=args.seed,
        episodes=args.episodes,
        command=command,
        **_given(
            args,
            "objective",
            "encoder_iterations",
            "predictor",
            "predictor_iterations",
            "sub_goal_iterations",
            "verdict_iterations",
            "keypoints",
            "keypoints_of",
            "name",
            "device",
            "any_view",
            "augmented",
            "init",
            "tcp_frame",
            "trust_data",
            frame="base_frame",
        ),
    )
    try:
        report = run(
            args.data, args.out, _run_folder(args, KINDS[""]), recipe, args.demonstrations or (), args.layouts or ()
        )
    except Collapsed as error:
        print(f"no bundle was written: {error}", file=sys.stderr)
        return 1
    if report:  # of several processes, the first one has it
        print(json.dumps(report, indent=1))
        print(in_words(report))
        _warn(report["notes"])
        print(f"bundle written to {args.out}")
    return 0


def _train_dense(args: argparse.Namespace, command: str) -> int:
    from jepa_planner.learning.training.dense.dense_run import DenseRun, run_dense
    from jepa_planner.learning.training.training_run import Collapsed

    settings = DenseRun(
        name=args.name or args.out.resolve().name, seed=args.seed, episodes=args.episodes, command=command,
        **_given(args, "device", "trust_data", iterations="encoder_iterations"),
    )  # fmt: skip
    try:
        report = run_dense(args.data, args.out, _run_folder(args, KINDS[VJEPA]), settings)
    except Collapsed as error:
        print(f"no bundle was written: {error}", file=sys.stderr)
        return 1
    print(json.dumps(report, indent=1))
    print(f"bundle written to {args.out}")
    return 0


def _fine_tune(args: argparse.Namespace, command: str) -> int:
    from jepa_planner.learning.training.fine_tuning import FineTuning, fine_tune, in_words

    settings = FineTuning(
        seed=args.seed,
        episodes=args.episodes,
        views=tuple(args.view or ()),
        command=command,
        **_given(
            args,
            "predictor",
            "learning_rate",
            "batch",
            "device",
            "name",
            "tcp_frame",
            "trust_data",
            iterations="predictor_iterations",
            frame="base_frame",
        ),
    )
    report = fine_tune(args.data, args.init, args.out, _run_folder(args, KINDS["predictor_only"]), settings)
    print(in_words(report))
    _warn(report["notes"])
    print(f"bundle written to {args.out}")
    return 0


def _add_sub_goals(args: argparse.Namespace, command: str) -> int:
    from jepa_planner.learning.training.add_sub_goals import SubGoalRun, add_sub_goals, in_words

    settings = SubGoalRun(
        seed=args.seed,
        episodes=args.episodes,
        command=command,
        **_given(args, "keypoints", "keypoints_of", "trust_data", iterations="sub_goal_iterations"),
    )
    run_folder = _run_folder(args, KINDS["sub_goals_only"])
    report = add_sub_goals(args.demonstrations, args.init, args.out, run_folder, settings)
    print(in_words(report))
    print(f"bundle written to {args.out}")
    return 0


def _add_verdict(args: argparse.Namespace, command: str) -> int:
    from jepa_planner.learning.training.add_verdict import VerdictRun, add_verdict, in_words

    settings = VerdictRun(
        seed=args.seed,
        episodes=args.episodes,
        command=command,
        out_of_reach=tuple(args.out_of_reach or ()),
        **_given(
            args,
            "keypoints",
            "keypoints_of",
            "go_on",
            "arm_from_latents",
            "trust_data",
            iterations="verdict_iterations",
        ),
    )
    run_folder = _run_folder(args, KINDS["verdict_only"])
    report = add_verdict(args.demonstrations, args.init, args.out, run_folder, settings)
    print(in_words(report))
    print(f"bundle written to {args.out}")
    return 0


def _draw_latents(args: argparse.Namespace, command: str) -> int:
    from jepa_planner.learning.training.viewing_decoder import ViewingDecoderRun, draw_latents

    settings = ViewingDecoderRun(
        seed=args.seed, episodes=args.episodes, command=command,
        **_given(args, "trust_data", iterations="viewing_decoder_iterations"),
    )  # fmt: skip
    run_folder = _run_folder(args, KINDS["viewing_decoder_only"])
    print(json.dumps(draw_latents(args.data, args.init, args.out, run_folder, settings), indent=1))
    print(f"bundle written to {args.out}")
    return 0


def _adapt(args: argparse.Namespace, command: str) -> int:
    from jepa_planner.learning.training.adapt import Adaptation, adapt, in_words

    settings = Adaptation(
        seed=args.seed, episodes=args.episodes, command=command, **_given(args, "name", "trust_data")
    )  # fmt: skip
    report = adapt(args.data, args.init, args.out, _run_folder(args, KINDS["adapt"]), settings)
    print(in_words(report))
    print(f"bundle written to {args.out}")
    return 0


def _run_folder(args: argparse.Namespace, kind: str) -> Path:
    """A folder of its own for each bundle, unless one was chosen."""
    return args.run or Path("out") / kind / args.out.resolve().name


def _warn(notes: Iterable[str]) -> None:
    """Says what stands in the contract's notes about the model that was written."""
    for note in notes:
        print(f"warning: {note}", file=sys.stderr)


def _given(args: argparse.Namespace, *names: str, **renamed: str) -> dict[str, Any]:
    """What was given on the command line, by the settings' names; their own defaults stand for the rest."""
    names_of = {name: name for name in names} | renamed
    return {name: value for name, given in names_of.items() if (value := getattr(args, given)) is not None}
