"""The nodes that make a planner, together in one process or each in its own."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rclpy.node import Node

PLANNER_MODULES = {
    "mpc_node": "jepa_planner.nodes.mpc_node",
    "arm_node": "jepa_planner.nodes.arm_node",
    "predictor_node": "jepa_planner.nodes.predictor_node",
    "encoder_node": "jepa_planner.nodes.encoder_node",
}
"""In the order in which they are brought down: first who decides, then who moves."""
SIM_MODULE = {"sim_node": "jepa_planner_sim.sim_node"}
STOP_TIMEOUT_S = 10.0
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def composed(with_sim: bool) -> list[Node]:
    """All nodes for one process; latents and candidates are handed over as tensors, not as messages."""
    from jepa_planner.nodes.arm_node import ArmNode
    from jepa_planner.nodes.encoder_node import EncoderNode
    from jepa_planner.nodes.mpc_node import MpcNode
    from jepa_planner.nodes.predictor_node import PredictorNode

    encoder, predictor = EncoderNode(), PredictorNode()
    nodes: list[Node] = [MpcNode(encoder=encoder, predictor=predictor), ArmNode(), predictor, encoder]
    if with_sim:
        from jepa_planner_sim.sim_node import SimNode

        nodes.append(SimNode())
    return nodes


def config_files() -> list[Path]:
    """The parameter files that ship, one per node."""
    from jepa_planner.control.limits import shipped_config

    folder = shipped_config("arm_node.yaml").parent
    return [folder / f"{node}.yaml" for node in (*PLANNER_MODULES, *SIM_MODULE)]


def ros_arguments(
    parameters: dict[str, object] | None = None,
    params_files: Sequence[str | Path] = (),
    namespace: str = "",
    log_level: str = "",
    remaps: Sequence[str] = (),
) -> list[str]:
    """The command line for nodes: shipped parameter files first, then the caller's, then single parameters.

    remaps: FROM:=TO for names of topics, services and actions.
    """
    arguments = ["--ros-args"]
    for file in (*config_files(), *params_files):
        arguments += ["--params-file", str(file)]
    for name, value in (parameters or {}).items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        arguments += ["-p", f"{name}:={text}"]
    for remap in remaps:
        arguments += ["-r", remap]
    if namespace:
        arguments += ["-r", f"__ns:=/{namespace.strip('/')}"]
    if log_level:
        arguments += ["--log-level", log_level]
    return arguments


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
