"""Writes a limits file for an arm of 5 to 7 joints from its robot description."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

HELP = "write a limits file for your arm from its robot description (URDF or xacro)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("description", metavar="URDF", help="robot description: a URDF file, or a xacro file to expand")
    parser.add_argument("--tcp", metavar="LINK", help="link whose poses are meant (default: guessed by its name)")
    parser.add_argument("--base", metavar="LINK", help="link in which poses are (default: what the arm stands on)")
    parser.add_argument("--out", metavar="FILE", default="limits.yaml", help="file to write (default: limits.yaml)")
    parser.add_argument(
        "--xacro-argument", action="append", default=[], metavar="NAME:=VALUE", help="for a xacro file; may be repeated"
    )
    parser.add_argument("--force", action="store_true", help="write over a file that is there")


def main(args: argparse.Namespace) -> int:
    """Writes the file, loads it as arm_node does, and says what was guessed; returns the exit status."""
    from jepa_planner.control.description_text import DescriptionText, xacro_arguments
    from jepa_planner.control.first_limits import first_limits
    from jepa_planner.control.limits import SafetyLimits

    out, path = Path(args.out).expanduser(), Path(args.description).expanduser()
    if out.exists() and not args.force:
        raise ValueError(f"{out} is there already, perhaps with what you measured: give another --out, or --force")
    arguments = xacro_arguments(args.xacro_argument)
    named = os.path.relpath(path.resolve(), out.resolve().parent)
    found = first_limits(DescriptionText.read(path, arguments), named, args.tcp, args.base, arguments)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(found.text, encoding="utf-8")
    SafetyLimits.load(out).kinematics()
    print(f"wrote {out}, for {', '.join(found.joints)}")
    print("Guessed, so look at it:", *found.guesses, sep="\n  - ")
    print("Not known, so measure it:", *found.unknown, sep="\n  - ")
    return 0
