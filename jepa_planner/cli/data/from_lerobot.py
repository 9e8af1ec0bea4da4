"""`jepa-planner data from-lerobot`: a LeRobotDataset v3 to episodes, or to saved goals."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jepa_planner.cli.number_arguments import at_least, positive
from jepa_planner.core.image_message import MAX_IMAGE_SIDE_PX

if TYPE_CHECKING:
    from jepa_planner.control.limits import SafetyLimits
    from jepa_planner.learning.data.lerobot.layout import Info
    from jepa_planner.learning.data.lerobot.mapping import DatasetMapping

HELP = "turn a LeRobotDataset v3 into episodes"
MAPPING_FILE = "lerobot.yaml"
"""Beside the episodes: what was taken for what."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("dataset", type=Path, metavar="DIR", help="a folder with meta/, data/ and videos/")
    to = parser.add_mutually_exclusive_group(required=True)
    to.add_argument("--out", type=Path, metavar="EPISODES", help="a new folder for the episodes")
    to.add_argument("--show", action="store_true", help="print the mapping that names and numbers tell, and end")
    to.add_argument("--goals", type=Path, metavar="FOLDER", help="save the goals that `to-lerobot --goals` wrote there")
    parser.add_argument("--time-step", type=positive, metavar="S", help="of the model: seconds from action to action")
    parser.add_argument(
        "--size",
        type=at_least(8, MAX_IMAGE_SIDE_PX),
        metavar="PX",
        help="width and height of pictures, cropped at the centre (default: as they are)",
    )
    parser.add_argument("--leave-out", type=at_least(0), nargs="+", default=[], metavar="N", help="episodes, from 0")
    told = parser.add_argument_group("what names and numbers do not tell")
    told.add_argument("--mapping", type=Path, metavar="FILE", help="YAML that names the channels; see docs/formats.md")
    told.add_argument("--limits", type=Path, metavar="FILE", help="limits file of the arm, for datasets of joints")
    told.add_argument("--views", nargs="+", metavar="VIEW[=FEATURE]", help="which cameras, in the model's order")
    told.add_argument("--actions", choices=["absolute", "delta", "states"], help="states: take the state's changes")
    told.add_argument("--angles", choices=["rad", "deg"], help="unit of joints and of roll, pitch and yaw")
    told.add_argument("--orientation", choices=["rpy", "rotation_vector"], help="what rx, ry and rz are")
    told.add_argument("--gripper", type=float, nargs=2, metavar=("OPEN", "CLOSED"), help="its values at both ends")
    told.add_argument("--base-frame", metavar="FRAME", help="in which poses are given")
    told.add_argument("--tcp-frame", metavar="FRAME", help="of which")


def main(args: argparse.Namespace) -> int:
    """Find, ask, read, write; a refusal leaves nothing behind."""
    from tqdm import tqdm

    from jepa_planner.control.limits import SafetyLimits
    from jepa_planner.core.strict_fields import to_plain
    from jepa_planner.core.yaml_text import write_yaml
    from jepa_planner.learning.data.lerobot.dataset import Dataset
    from jepa_planner.learning.data.lerobot.goals import read_goals
    from jepa_planner.learning.data.lerobot.in_words import in_words
    from jepa_planner.learning.data.lerobot.to_episodes import read_steps, write_episodes

    dataset = Dataset.open(args.dataset)
    if args.goals is not None:
        print(f"{read_goals(dataset, args.goals)} goals saved in {args.goals}")
        return 0
    limits = None if args.limits is None else SafetyLimits.load(args.limits)
    mapping = _mapping(args, dataset.info, limits)
    if args.show:
        mapping.check(dataset.info)
        print(write_yaml(to_plain(mapping)), end="")
        return 0
    time_step_s = _time_step_s(args, dataset.info)
    arm = None if limits is None else limits.kinematics()
    steps, mapping = read_steps(dataset, mapping, time_step_s, arm, args.leave_out)
    with tqdm(total=len(steps), desc=args.dataset.name, unit="episode") as bar:
        size = write_episodes(dataset, mapping, steps, time_step_s, args.out, args.size, bar.update)
    (args.out / MAPPING_FILE).write_text(write_yaml(to_plain(mapping)), encoding="utf-8")
    print(in_words(dataset, mapping, steps, time_step_s, len(set(args.leave_out))))
    print(f"{size / 1e6:.0f} MB of pictures written to {args.out}; what was taken for what: {MAPPING_FILE} there")
    return 0


def _mapping(args: argparse.Namespace, info: Info, limits: SafetyLimits | None) -> DatasetMapping:
    """That of the file, or what is found, with what was told beside it."""
    from jepa_planner.learning.data.lerobot.find_mapping import find_mapping
    from jepa_planner.learning.data.lerobot.layout import DatasetError
    from jepa_planner.learning.data.lerobot.mapping import DatasetMapping

    mapping = (
        find_mapping(info, limits, args.orientation) if args.mapping is None else DatasetMapping.load(args.mapping)
    )
    if args.views:
        pairs = [view.partition("=") for view in args.views]
        if unknown := [view for view, is_told, _ in pairs if not is_told and view not in mapping.views]:
            known = ", ".join(f"{view} ({key})" for view, key in mapping.views.items()) or "no pictures"
            raise DatasetError(f"--views {unknown[0]}: no such view; there are {known}, or give VIEW=FEATURE")
        mapping = replace(mapping, views={view: key if told else mapping.views[view] for view, told, key in pairs})
    told = {} if args.angles is None else {"angle_unit": args.angles}
    if args.gripper is not None:
        told |= dict(zip(("gripper_open", "gripper_closed"), args.gripper, strict=True))
    action = mapping.action
    if args.actions in ("absolute", "delta"):
        if action is None:
            raise DatasetError(f"--actions {args.actions}: no action is known by name: name its channels in a mapping")
        action = replace(action, values=args.actions)
    elif args.actions == "states":
        action = None
    return replace(
        mapping,
        state=replace(mapping.state, **told),
        action=None if action is None else replace(action, **told),
        frame=args.base_frame or mapping.frame,
        tcp_frame=args.tcp_frame or mapping.tcp_frame,
    )


def _time_step_s(args: argparse.Namespace, info: Info) -> float:
    from jepa_planner.core.arm_layout import STATE_CHANNELS
    from jepa_planner.learning.data.lerobot.find_mapping import STATE
    from jepa_planner.learning.data.lerobot.layout import DatasetError

    if args.time_step is not None:
        return args.time_step
    if STATE in info.features and info.features[STATE].names == STATE_CHANNELS:
        return 1.0 / info.fps
    raise DatasetError(
        f"rows come {info.fps:g} times per second, and the model's step is not known: tell --time-step S, as "
        "`jepa-planner model info` says it (0.25 for the model that is shipped)"
    )
