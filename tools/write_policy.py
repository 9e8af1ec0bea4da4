"""Writes config/sros2_policy.xml: which node of the planner may publish, hear, offer and call what, by what each does.

`python tools/write_policy.py` writes, `--check` fails when the file differs. On a ROS 2 with DDS security,
`ros2 security generate_artifacts -k KEYSTORE -p sros2_policy.xml` makes an enclave with permissions for each of it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from xml.etree import ElementTree

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "OFF"

import rclpy
from rclpy.action import (
    get_action_client_names_and_types_by_node,
    get_action_server_names_and_types_by_node,
)
from rclpy.node import Node

from jepa_planner.nodes.arm_node import ArmNode
from jepa_planner.nodes.client import PlannerClient
from jepa_planner.nodes.encoder_node import EncoderNode
from jepa_planner.nodes.mpc_node import MpcNode
from jepa_planner.nodes.predictor_node import PredictorNode

FILE = Path(__file__).resolve().parent.parent / "config" / "sros2_policy.xml"
OPERATOR = "operator"
"""Whoever sends goals with `jepa-planner goal`: stops, resets and looks, but sets no parameters."""
OF_SIMULATOR = "/sim_node/"
SETTLED_S = 1.0
NOTE = """<!-- What nodes of the planner do, for
     ros2 security generate_artifacts -k KEYSTORE -p sros2_policy.xml
     Names are those of a planner without namespace and remaps. Cameras and the arm's controller need enclaves of their
     own. Written by tools/write_policy.py. -->
"""


def plain(names_and_types: Iterable[tuple[str, list[str]]]) -> list[str]:
    """Names without those that belong to actions."""
    return sorted(name for name, _ in names_and_types if "/_action/" not in name and not name.startswith(OF_SIMULATOR))


def profile(of: Node, name: str) -> ElementTree.Element:
    """The interface of a node as the graph tells it."""
    element = ElementTree.Element("profile", ns="/", node=name)
    found: list[tuple[str, str, str, list[str]]] = [
        ("topics", "topic", "publish", plain(of.get_publisher_names_and_types_by_node(of.get_name(), "/"))),
        ("topics", "topic", "subscribe", plain(of.get_subscriber_names_and_types_by_node(of.get_name(), "/"))),
        ("services", "service", "reply", plain(of.get_service_names_and_types_by_node(of.get_name(), "/"))),
        ("services", "service", "request", plain(of.get_client_names_and_types_by_node(of.get_name(), "/"))),
    ]
    asks: dict[str, Callable] = {
        "execute": get_action_server_names_and_types_by_node,
        "call": get_action_client_names_and_types_by_node,
    }
    found += [("actions", "action", what, plain(ask(of, of.get_name(), "/"))) for what, ask in asks.items()]
    for group, kind, what, names in found:
        if names:
            rule = ElementTree.SubElement(element, group, {what: "ALLOW"})
            for one in names:
                ElementTree.SubElement(rule, kind).text = one.lstrip("/")
    return element


def policy() -> str:
    """The whole file."""
    rclpy.init(args=[])
    nodes = [EncoderNode(), PredictorNode(), MpcNode(), ArmNode()]
    client = PlannerClient()
    try:
        for node in nodes:
            node.trigger_configure()
        time.sleep(SETTLED_S)
        root = ElementTree.Element("policy", version="0.2.0")
        enclaves = ElementTree.SubElement(root, "enclaves")
        named = {node.get_name(): node for node in nodes} | {OPERATOR: client.node}
        for name, node in named.items():
            enclave = ElementTree.SubElement(enclaves, "enclave", path=f"/jepa_planner/{name}")
            ElementTree.SubElement(enclave, "profiles").append(profile(node, name))
    finally:
        client.close()
        for node in nodes:
            node.destroy_node()
        rclpy.shutdown()
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode").replace(str(os.getpid()), "*")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{NOTE}{text}\n'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail when the file is out of date")
    check, text = parser.parse_args().check, policy()
    if FILE.is_file() and FILE.read_text() == text:
        return 0
    if not check:
        FILE.write_text(text)
    print(f"{'out of date' if check else 'written'}: {FILE.name}")
    return int(check)


if __name__ == "__main__":
    sys.exit(main())
