"""`jepa-planner data from-bag`: rosbag2 recordings to episodes."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "make episodes of rosbag2 recordings: any storage, split, compressed, unindexed; needs no ROS"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "bags", nargs="+", type=Path, metavar="BAG", help="bag folders, their files, or folders of bags"
    )
    parser.add_argument(
        "--recording", type=Path, metavar="FILE", help="recording.yaml: which topic is which view, arm and gripper"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where episodes and report are written")
    parser.add_argument("--force", action="store_true", help="write over episodes, or over a recording file")
    parser.add_argument(
        "--write-recording", type=Path, metavar="FILE", help="write a first recording file for the bags instead"
    )


def main(args: argparse.Namespace) -> int:
    """Make episodes, or a first recording file; returns 1 where nothing was left."""
    if args.write_recording is not None:
        return _write_recording(args)
    from jepa_planner.learning.data.bags.made import make_episodes
    from jepa_planner.learning.data.bags.report import REPORT_HTML, worst_cuts, write_report
    from jepa_planner.learning.data.recording import Recording

    if args.recording is None or args.out is None:
        raise ValueError("--recording FILE and --out DIR are needed; --write-recording FILE makes a first such file")
    recording = Recording.load(args.recording)
    there = sorted(args.out.glob("episodes-*.h5"))
    if there and not args.force:
        raise ValueError(f"{args.out} has episodes already: give another --out, or --force to write over them")
    args.out.mkdir(parents=True, exist_ok=True)
    for file in there:
        file.unlink()
    made = make_episodes(args.bags, recording, args.out, print)
    plain = write_report(made, args.out)
    for line in worst_cuts(plain):
        print(f"cut out: {line}")
    steps, seconds = plain["steps"], plain["seconds"]
    print(f"{plain['episodes']} episodes, {steps} steps, {seconds / 60:.1f} minutes; see {args.out / REPORT_HTML}")
    if not made.episodes:
        print("nothing usable was left: the report says what was cut out and why")
        return 1
    return 0


def _write_recording(args: argparse.Namespace) -> int:
    from jepa_planner.learning.data.bags.first_recording import first_recording

    if args.write_recording.exists() and not args.force:
        raise ValueError(f"{args.write_recording} is there already: give another file, or --force")
    found = first_recording(args.bags)
    args.write_recording.parent.mkdir(parents=True, exist_ok=True)
    args.write_recording.write_text(found.text, encoding="utf-8")
    print(f"wrote {args.write_recording}")
    print("Topics of the bags:", *found.topics, sep="\n  - ")
    print("Guessed, so look at it:", *found.guesses, sep="\n  - ")
    print("Not known, so say it:", *found.unknown, sep="\n  - ")
    return 0
