"""The nodes that make a planner, together in one process or each in its own."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rclpy.node import Node

from jepa_planner.nodes.start import PLANNER_NODES, RECORD_NODE, SIM_NODE, Start

PLANNER_MODULES = {node: f"jepa_planner.nodes.{node}" for node in PLANNER_NODES}
SIM_MODULE = {SIM_NODE: f"jepa_planner_sim.{SIM_NODE}"}
RECORD_MODULE = {RECORD_NODE: f"jepa_planner.nodes.{RECORD_NODE}"}
STOP_TIMEOUT_S = 10.0
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def composed(*others: Callable[[], Node]) -> list[Node]:
    """The planner's nodes for one process, and others made after them; latents and candidates are handed over as
    tensors, not as messages.
    """
    from jepa_planner.nodes.arm_node import ArmNode
    from jepa_planner.nodes.encoder_node import EncoderNode
    from jepa_planner.nodes.mpc_node import MpcNode
    from jepa_planner.nodes.predictor_node import PredictorNode

    encoder, predictor = EncoderNode(), PredictorNode()
    planner = [MpcNode(encoder=encoder, predictor=predictor), ArmNode(), predictor, encoder]
    return [*planner, *(make() for make in others)]


def ros_arguments(parameters: Mapping[str, object] | None = None, namespace: str = "", **more: Any) -> list[str]:
    """The command line for nodes of the planner, with parameters for those that have them; more: see `Start.of`."""
    return Start.of(sim=False, typed=parameters, namespace=namespace, **more).ros_arguments()


def spawn(command: Sequence[str]) -> subprocess.Popen:
    """Starts a process that Ctrl-C does not reach, so that its starter ends it in order; it ends with its starter."""
    libc = ctypes.CDLL(None)

    def end_with_parent() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    return subprocess.Popen(command, start_new_session=True, preexec_fn=end_with_parent)


class Processes:
    """One process per node; stopped in order, each with time to bring the arm to rest."""

    def __init__(self, modules: dict[str, str], arguments: Sequence[str]) -> None:
        self.running = {name: spawn([sys.executable, "-m", module, *arguments]) for name, module in modules.items()}

    def dead(self) -> list[str]:
        """Names of nodes that have ended by themselves."""
        return [name for name, process in self.running.items() if process.poll() is not None]

    def stop(self) -> bool:
        """Ends every node; returns whether all ended cleanly."""
        clean = True
        for process in self.running.values():
            if process.poll() is None:
                process.terminate()
            try:
                clean &= process.wait(STOP_TIMEOUT_S) == 0
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                clean = False
        return clean
