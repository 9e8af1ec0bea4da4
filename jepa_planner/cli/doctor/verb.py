"""`jepa-planner doctor`: from the machine to the motion, green, yellow or red, with what to do."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from jepa_planner.cli.doctor.findings import Finding, Level, as_plain, in_words, summary, worst
from jepa_planner.cli.number_arguments import positive

if TYPE_CHECKING:
    from jepa_planner.nodes.start import Start

HELP = "say what stands between this machine and a moving arm, and what to do; changes and moves nothing"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--model", metavar="DIR", help="model bundle that `run` is given (default: the one that ships)")
    parser.add_argument("--namespace", default="", help="that of the planner's nodes")
    parser.add_argument(
        "--remap", action="append", default=[], metavar="FROM:=TO", help="as `run` is given; may be repeated"
    )
    parser.add_argument(
        "--params-file", action="append", default=[], metavar="FILE", help="ROS parameter file, as `run` is given"
    )
    parser.add_argument(
        "--goal", nargs="+", type=Path, metavar="IMAGE", help="a goal to plan for, one picture per view"
    )
    parser.add_argument("--seconds", type=positive, default=4.0, help="how long to listen (default 4)")
    parser.add_argument("--json", action="store_true", help="print findings for scripts instead")


class Report:
    """All findings, told group by group as they come."""

    def __init__(self, quiet: bool) -> None:
        self.groups: list[tuple[str, Finding]] = []
        self._quiet = quiet
        self._began_s = time.monotonic()

    @property
    def findings(self) -> list[Finding]:
        """Those of all groups."""
        return [finding for _, finding in self.groups]

    def tell(self, group: str, findings: Iterable[Finding]) -> None:
        """Takes a group's findings and prints them, with colours on a terminal."""
        findings = list(findings)
        self.groups += [(group, finding) for finding in findings]
        if findings and not self._quiet:
            columns = min(120, shutil.get_terminal_size((120, 24)).columns)
            print(
                group, *(in_words(finding, sys.stdout.isatty(), columns) for finding in findings), sep="\n", flush=True
            )

    def end(self) -> int:
        """Prints the sum, or all of it for scripts, and returns the exit status: 1 for red."""
        level = worst(self.findings)
        if self._quiet:
            plain = {
                "level": level.name.lower(),
                "seconds": round(time.monotonic() - self._began_s, 1),
                "findings": [as_plain(group, finding) for group, finding in self.groups],
            }
            print(json.dumps(plain, indent=1))
        else:
            print(summary(self.findings))
        return int(level is Level.RED)


def main(args: argparse.Namespace) -> int:
    """Looks at everything in turn; returns 1 where something is red."""
    from jepa_planner.cli.doctor import steps

    report = Report(args.json)
    fits = steps.ros_is_there() and steps.interfaces_fit()
    start = _start(args) if fits else None
    report.tell("machine", steps.machine())
    report.tell("ros", steps.middleware())
    if start is None:
        report.tell("model", steps.without_ros(args.model or ""))
        return report.end()

    from jepa_planner.cli.doctor.system import look

    look(start, args.seconds, args.goal, args, report.tell)
    return report.end()


def _start(args: argparse.Namespace) -> Start:
    """What `run` would start with the same arguments; raises ValueError as it would."""
    from jepa_planner.nodes.start import Start

    typed = {"model": args.model} if args.model else {}
    return Start.of(False, typed=typed, params_files=args.params_file, namespace=args.namespace, remaps=args.remap)
