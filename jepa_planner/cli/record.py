"""Records episodes while somebody moves the arm: keys begin, end and judge them, and lines tell what comes in."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from jepa_planner.cli.number_arguments import positive
from jepa_planner.cli.recording_lines import episodes_in_words, recording_lines
from jepa_planner.cli.terminal_keys import TerminalKeys

if TYPE_CHECKING:
    from jepa_planner.nodes.record_node import RecordNode

HELP = "record cameras and arm into ROS 2 bags, an episode each, while somebody moves the arm"
COMMANDS = {"s": "start", "e": "stop", "k": "keep", "f": "keep_failed", "x": "throw_away"}
"""Keys, and the commands of record_node that they stand for."""
KEYS_IN_WORDS = "s start  e stop  k keep, success  f keep, failed  x throw away  n name  t task  q quit"
LINES_PERIOD_S = 0.5
LINES_APART_S = 10.0
"""Where no terminal rewrites them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--out", metavar="DIR", help="folder for the bags, one each episode (default: recordings)")
    parser.add_argument("--recording", metavar="FILE", help="recording.yaml, whose topics are recorded")
    parser.add_argument(
        "--topics", nargs="+", metavar="TOPIC", help="topics (default: what the planner's nodes hear and say)"
    )
    parser.add_argument("--name", help="what the names of episodes begin with (default: episode)")
    parser.add_argument("--task", help="what is to be done, as a sentence")
    parser.add_argument(
        "--image-transport",
        choices=["compressed", "raw"],
        help="of cameras that publish both: compressed (default) or raw pictures",
    )
    parser.add_argument(
        "--keep-free", type=positive, metavar="GB", help="stop before less than this is left on the disk (default: 2)"
    )
    parser.add_argument("--sim-time", action="store_true", help="take the time from /clock")
    parser.add_argument("--namespace", default="", help="put relative names under this one")
    parser.add_argument(
        "--remap", action="append", default=[], metavar="FROM:=TO", help="another name for a topic; may be repeated"
    )
    parser.add_argument("--params-file", action="append", default=[], metavar="FILE", help="ROS parameter file")
    parser.add_argument("--log-level", default="warn", help="debug, info, warn (default), error or fatal")


def main(args: argparse.Namespace) -> int:
    """Records until q or Ctrl-C; returns the exit status."""
    from jepa_planner.nodes.record_node import RecordNode
    from jepa_planner.nodes.running import run
    from jepa_planner.nodes.start import Start

    typed = {
        "out": args.out, "recording": args.recording, "topics": args.topics, "name": args.name, "task": args.task,
        "image_transport": args.image_transport, "keep_free_gb": args.keep_free,
        "use_sim_time": args.sim_time or None,
    }  # fmt: skip
    start = Start.of(
        sim=False,
        typed={name: value for name, value in typed.items() if value is not None},
        params_files=args.params_file,
        namespace=args.namespace,
        remaps=args.remap,
        log_level=args.log_level,
        nodes=("record_node",),
    )
    return run(lambda: [RecordNode()], start.ros_arguments(), work=_at_the_terminal)


def _at_the_terminal(nodes: Sequence[Any], ended: threading.Event) -> None:
    node: RecordNode = nodes[0]
    signal.signal(signal.SIGHUP, lambda *_: ended.set())  # a terminal that is closed ends an episode in order
    with TerminalKeys() as keys:
        screen = _Screen(node, rewrites=keys.is_there and sys.stdout.isatty())
        screen.say(KEYS_IN_WORDS if keys.is_there else "no terminal: services of record_node start and stop")
        while not ended.is_set() and (key := keys.read(0.1)) != "q":
            if key in COMMANDS:
                screen.carry_out(partial(node.carry_out, COMMANDS[key]))
            elif key == "n":
                screen.carry_out(partial(node.name_next, name=keys.line("name of the next episodes: ")))
            elif key == "t":
                screen.carry_out(partial(node.name_next, task=keys.line("what is to be done in them: ")))
            screen.show()
        screen.carry_out(node.finish)
        if (thrown_away := node.episodes.thrown_away) and not ended.is_set() and keys.is_there:
            answer = keys.line(f"delete {', '.join(thrown_away)} for good? y or n: ")
            if answer.lower() in ("y", "yes"):
                screen.carry_out(partial(node.carry_out, "delete_thrown_away"))
        screen.say(f"{episodes_in_words(node.now())}, in {node.episodes.folder}")
        if thrown_away:
            screen.say(f"{len(thrown_away)} thrown away lie in {node.episodes.thrown_away_folder}")


class _Screen:
    """Tells what happened, line by line, and below that, always anew, how it goes."""

    def __init__(self, node: RecordNode, rewrites: bool) -> None:
        self._node, self._rewrites = node, rewrites
        self._period_s = LINES_PERIOD_S if rewrites else LINES_APART_S
        self._shown_s, self._bytes, self._rate = -LINES_APART_S, 0, 0.0
        self._lines = self._told = 0

    def carry_out(self, command: Callable[[], object]) -> None:
        """Does something, and says why where it cannot be done."""
        try:
            command()
        except ValueError as error:
            self.say(str(error))
        self._tell()

    def say(self, text: str) -> None:
        """Adds a line that stays."""
        self._clear()
        print(text, flush=True)

    def show(self) -> None:
        """Says how it goes, where it is time to."""
        self._tell()
        passed_s = time.monotonic() - self._shown_s
        if passed_s < self._period_s:
            return
        now = self._node.now()
        self._rate = max(0.0, (now.bag_bytes - self._bytes) / passed_s / 1e6)
        self._bytes, self._shown_s = now.bag_bytes, time.monotonic()
        self._clear()
        width = shutil.get_terminal_size((120, 24)).columns - 1
        lines = recording_lines(now, self._rate)
        print(*(line[:width] for line in lines), sep="\n", flush=True)
        self._lines = len(lines)

    def _tell(self) -> None:
        said = self._node.said[self._told :]
        self._told += len(said)
        for text in said:
            self.say(text)

    def _clear(self) -> None:
        if self._rewrites and self._lines:
            print(f"\x1b[{self._lines}F\x1b[J", end="")
        self._lines = 0
