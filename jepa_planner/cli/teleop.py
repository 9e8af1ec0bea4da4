"""Moves the arm with keys, within the limits of arm_node."""

from __future__ import annotations

import argparse
import shutil
import sys
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jepa_planner.cli.terminal_keys import TerminalKeys

if TYPE_CHECKING:
    from jepa_planner.nodes.teleop_node import TeleopNode

HELP = "move the arm with keys or a joystick, in small steps within its limits"
_AXES = ("x", "y", "z", "roll", "pitch", "yaw")
_KEYS = {
    "w": "+x", "s": "-x", "up": "+x", "down": "-x", "a": "+y", "d": "-y", "left": "+y", "right": "-y",
    "r": "+z", "f": "-z", "j": "+yaw", "l": "-yaw", "i": "+pitch", "k": "-pitch", "u": "+roll", "o": "-roll",
}  # fmt: skip
"""Keys, and the direction of the base frame that each stands for."""
KEYS_IN_WORDS = (
    "w s a d or arrows: x y   r f: up down   j l: yaw   i k: pitch   u o: roll   space: gripper   + -: speed   q: quit"
)
LINE_PERIOD_S = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "--no-arm-node", action="store_true", help="an arm_node runs already; by default one is started here"
    )
    parser.add_argument("--sim-time", action="store_true", help="take the time from /clock")
    parser.add_argument("--namespace", default="", help="put all names under this one")
    parser.add_argument(
        "--remap", action="append", default=[], metavar="FROM:=TO", help="another name for a topic; may be repeated"
    )
    parser.add_argument("--params-file", action="append", default=[], metavar="FILE", help="ROS parameter file")
    parser.add_argument("--log-level", default="error", help="debug, info, warn, error (default) or fatal")


def main(args: argparse.Namespace) -> int:
    """Moves the arm until q or Ctrl-C; returns the exit status."""
    from jepa_planner.nodes.arm_node import ArmNode
    from jepa_planner.nodes.running import run
    from jepa_planner.nodes.start import Start
    from jepa_planner.nodes.teleop_node import TeleopNode

    nodes = {"teleop_node": TeleopNode} | ({} if args.no_arm_node else {"arm_node": ArmNode})
    start = Start.of(
        sim=False,
        typed={"use_sim_time": True} if args.sim_time else {},
        params_files=args.params_file,
        namespace=args.namespace,
        remaps=args.remap,
        log_level=args.log_level,
        nodes=tuple(nodes),
    )
    return run(lambda: [make() for make in nodes.values()], start.ros_arguments(), work=_at_the_terminal)


def direction(name: str) -> np.ndarray:
    """A direction [6] by its sign and axis, such as -yaw."""
    found = np.zeros(6)
    found[_AXES.index(name[1:])] = 1.0 if name[0] == "+" else -1.0
    return found


def _at_the_terminal(nodes: Sequence[Any], ended: threading.Event) -> None:
    node: TeleopNode = nodes[0]
    shown_s = 0.0
    with TerminalKeys() as keys:
        print(KEYS_IN_WORDS if keys.is_there else "no terminal: a joystick on joy moves the arm", flush=True)
        while not ended.is_set() and (key := keys.read(0.05)) != "q":
            with node.busy:
                if key in _KEYS:
                    node.jog.press(direction(_KEYS[key]), time.monotonic())
                elif key == " ":
                    node.jog.toggle_gripper()
            if key in ("+", "=", "-"):
                node.change_speed(faster=key != "-")
            if keys.is_there and sys.stdout.isatty() and time.monotonic() - shown_s > LINE_PERIOD_S:
                shown_s = time.monotonic()
                width = shutil.get_terminal_size((120, 24)).columns - 1
                print(f"\r{_line(node)[:width]:<{width}}", end="", flush=True)
    print()


def _line(node: TeleopNode) -> str:
    if (report := node.report) is None:
        return "waiting for arm_state: is arm_node there, and does it hear joint states?"
    x, y, z = report.pose[:3]
    where = f"x {x:.3f}  y {y:.3f}  z {z:.3f} m  closure {report.closure_measured:.2f}  step {node.step_m * 1e3:.0f} mm"
    return f"{where}  {report.mode.name.lower()}  {node.refusal or report.fault.text}"
