"""Writes config/NODE.yaml from the parameter tables in the code: every parameter with its meaning and default; and
config/parameters.yaml, the same tables for those who check values without loading the nodes.

`python tools/write_config.py` writes, `--check` fails when a file differs.
"""

import argparse
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path

import yaml

from jepa_planner.nodes.parameters import Change, Parameter

CONFIG = Path(__file__).resolve().parent.parent / "config"
WIDTH = 100


def tables() -> dict[str, Iterable[Parameter]]:
    """Parameters of each node."""
    from jepa_planner.nodes.arm_node import ArmNode
    from jepa_planner.nodes.encoder_node import EncoderNode
    from jepa_planner.nodes.mpc_node import MpcNode
    from jepa_planner.nodes.planner_node import AUTOSTART, PlannerNode
    from jepa_planner.nodes.predictor_node import PredictorNode
    from jepa_planner.nodes.record_node import RecordNode
    from jepa_planner.nodes.teleop_node import TeleopNode
    from jepa_planner_sim import sim_node

    nodes: dict[str, type[PlannerNode]] = {
        "encoder_node": EncoderNode,
        "predictor_node": PredictorNode,
        "mpc_node": MpcNode,
        "arm_node": ArmNode,
        "record_node": RecordNode,
        "teleop_node": TeleopNode,
    }
    return {
        **{name: (AUTOSTART, *node.PARAMETERS) for name, node in nodes.items()},
        "sim_node": sim_node.PARAMETERS,
    }


def render(node: str, parameters: Iterable[Parameter]) -> str:
    """A parameter file for a node in any namespace."""
    lines = [
        f"# Parameters of {node} with their defaults; written by tools/write_config.py.",
        "# They are read when the node is configured; those that may change later say so.",
        f"/**/{node}:",
        "  ros__parameters:",
    ]
    for parameter in parameters:
        value = yaml.safe_dump(parameter.default, default_flow_style=True).splitlines()[0]
        lines += [f"    # {line}" for line in textwrap.wrap(_meaning(parameter), WIDTH)]
        lines.append(f"    {parameter.name}: {value}")
    return "\n".join(lines) + "\n"


def render_tables() -> str:
    """Type, bounds and choices of each parameter of each node."""
    lines = [
        "# What each parameter may be, for the check of parameter files and launch arguments; written by",
        "# tools/write_config.py. Defaults are changed in NODE.yaml, or better in a parameter file of your own.",
    ]
    for node, parameters in tables().items():
        lines.append(f"{node}:")
        for parameter in parameters:
            stands: dict[str, object] = {"default": parameter.default}
            if parameter.minimum is not None:
                stands |= {"minimum": parameter.minimum, "maximum": parameter.maximum}
            if parameter.choices:
                stands["choices"] = list(parameter.choices)
            text = yaml.safe_dump(stands, default_flow_style=True, sort_keys=False, width=1000).strip()
            lines.append(f"  {parameter.name}: {text}")
    return "\n".join(lines) + "\n"


def _meaning(parameter: Parameter) -> str:
    text = parameter.description
    if parameter.choices:
        text += f" One of {', '.join(parameter.choices)}."
    if parameter.minimum is not None:
        text += f" From {parameter.minimum:g} to {parameter.maximum:g}."
    return text if parameter.change is Change.UNCONFIGURED else f"{text} May change {parameter.change.value}."


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail when a file is out of date")
    check = parser.parse_args().check
    outdated = []
    texts = {node: render(node, parameters) for node, parameters in tables().items()} | {"parameters": render_tables()}
    for name, text in texts.items():
        file = CONFIG / f"{name}.yaml"
        if not file.is_file() or file.read_text() != text:
            outdated.append(file.name)
            if not check:
                file.write_text(text)
    if outdated:
        print(f"{'out of date' if check else 'written'}: {', '.join(outdated)}")
    return 1 if check and outdated else 0


if __name__ == "__main__":
    sys.exit(main())
