"""Checks of who publishes and who listens on each name that the planner uses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jepa_planner.cli.doctor.findings import Finding, green, red, yellow
from jepa_planner.cli.doctor.heard import Controller, Endpoint, Heard, Topic, Use
from jepa_planner.cli.doctor.names import ARM, GRIPPER
from jepa_planner.nodes.image_input import TRANSPORTS

SHOWN = 4
"""Of names that might be meant."""


def names(heard: Heard) -> list[Finding]:
    """What there is to say on each name."""
    findings: list[Finding] = []
    for use in heard.uses:
        findings += _elsewhere(use, heard)
        findings += _output(use, heard) if use.sends else _input(use, heard)
    return findings


def _elsewhere(use: Use, heard: Heard) -> list[Finding]:
    """Whether the planner that runs uses another name, one that could not be guessed."""
    own = f"{heard.namespace}/{use.node}"
    side = "publishers" if use.sends else "listeners"
    if use.is_action or own not in [node.name for node in heard.running if node.state == "active"]:
        return []
    if own in [end.node for end in getattr(heard.topic(use.topic), side)]:
        return []
    names = [
        name
        for name, topic in heard.topics.items()
        if any((end.node, end.type) == (own, use.type) for end in getattr(topic, side))
    ]
    text = f"{own} {'sends' if use.sends else 'listens'} not on {use.topic} but on {', '.join(names) or 'nothing'}"
    return [yellow(use.key, text, "give doctor the same --remap, --params-file and --namespace as `run`")]


def _input(use: Use, heard: Heard) -> list[Finding]:
    publishers = heard.topic(use.topic).publishers
    if not publishers:
        return [_unpublished(use, heard)]
    if wrong := [end for end in publishers if end.type != use.type]:
        text = f"{use.topic} is {wrong[0].type}, published by {_nodes(wrong)}; the planner takes {use.type}"
        return [
            red(use.key, text, _remap(use, _others(use, heard, "publishers")) or "have the driver publish that type")
        ]
    if len(publishers) > 1:
        text = f"{use.topic} has {len(publishers)} publishers: {_nodes(publishers)}"
        if use.key == "joint_states":
            how = "one message must hold each arm and finger joint: joint_state_publisher with source_list merges two"
            return [yellow(use.key, text, how), *_quality(use, heard)]
        return [red(use.key, text, "their pictures mix: let one camera publish, or remap the other")]
    return [green(use.key, f"{use.topic}, published by {_nodes(publishers)}"), *_quality(use, heard)]


def _unpublished(use: Use, heard: Heard) -> Finding:
    text = f"nobody publishes {use.topic}"
    for transport, (_, ending) in TRANSPORTS.items():
        other = f"{use.topic.removesuffix(use.ending)}{ending}"
        if use in heard.pictures and heard.topic(other).publishers:
            return red(use.key, f"{text}, but {other}", f"set image_transport of encoder_node to {transport}")
    if near := _others(use, heard, "publishers"):
        text = f"{', '.join(near[:SHOWN])} {'is' if len(near) == 1 else 'are'} published, {use.topic} is not"
    return red(use.key, text, _remap(use, near) or f"start the driver that publishes {use.type}, in the same domain")


def _output(use: Use, heard: Heard) -> list[Finding]:
    if use.is_action:
        return [] if heard.nothing_runs else [_action(use, heard)]
    topic = heard.topic(use.topic)
    own = f"{heard.namespace}/{use.node}"
    findings: list[Finding] = []
    if others := [end for end in topic.publishers if end.node != own]:
        findings.append(
            red(
                use.key,
                f"{_nodes(others)} publishes on {use.topic}, where {own} does",
                "two masters of one arm: end one",
            )
        )
    elif len(topic.publishers) > 1:
        findings.append(
            red(use.key, f"{len(topic.publishers)} nodes called {own} publish {use.topic}", "end all but one")
        )
    if not use.commands or heard.nothing_runs:
        return findings
    if not topic.listeners:
        return [*findings, _unheard(use, heard)]
    if wrong := [end for end in topic.listeners if end.type != use.type]:
        text = f"{_nodes(wrong)} listens on {use.topic} for {wrong[0].type}; the planner sends {use.type}"
        return [*findings, red(use.key, text, "start the controller that takes that type, or choose another `output`")]
    return [*findings, green(use.key, f"{use.topic}, heard by {_nodes(topic.listeners)}"), *_quality(use, heard)]


def _unheard(use: Use, heard: Heard) -> Finding:
    near = _others(use, heard, "listeners")
    text = f"nobody listens on {use.topic}"
    if near:
        text += f"; there are listeners on {', '.join(near[:SHOWN])}"
    for parameter, table in (("output", ARM), ("gripper_output", GRIPPER)):
        for output, (key, kind) in table.items():
            servers = [name for name, types in heard.actions.items() if kind in types]
            if use.key in [topic for topic, _ in table.values()] and servers and not near:
                how = f"set {parameter} of arm_node to {output}, and {key} to {servers[0]}"
                return red(use.key, f"{text}; the action {servers[0]} is there", how)
    return red(use.key, text, _remap(use, near) or f"start the controller that takes {use.type}")


def _action(use: Use, heard: Heard) -> Finding:
    """Whether the action that takes the commands has a server of its type."""
    types = heard.actions.get(use.topic, ())
    if use.type in types:
        return green(use.key, f"{use.topic} has a server")
    if types:
        text = f"{use.topic} is {', '.join(types)}; the planner sends {use.type}"
        return red(use.key, text, "choose the output of arm_node that the controller takes")
    near = [name for name, kinds in heard.actions.items() if use.type in kinds]
    text = f"{use.topic} has no server" + (f", {', '.join(near[:SHOWN])} has" if near else "")
    return red(use.key, text, f"set {use.key} to {near[0]}" if near else f"start the controller that takes {use.type}")


def _others(use: Use, heard: Heard, side: str) -> list[str]:
    """Other names of the same type with somebody on a side, those that end most alike first."""
    taken = {other.topic for other in heard.uses}
    found = [
        name
        for name, topic in heard.topics.items()
        if name not in taken and any(end.type == use.type for end in getattr(topic, side))
    ]
    return sorted(found, key=lambda name: (-_same_ending(name, use.topic), name))


def _same_ending(one: str, other: str) -> int:
    """How many of the last parts of two names are the same."""
    count = 0
    for a, b in zip(reversed(one.split("/")), reversed(other.split("/")), strict=False):
        if a != b:
            break
        count += 1
    return count


def _remap(use: Use, near: list[str]) -> str:
    return f"--remap {use.key}:={near[0].removesuffix(use.ending)}" if near else ""


def _quality(use: Use, heard: Heard) -> list[Finding]:
    """Pairs of publisher and listener on a name that DDS does not connect."""
    topic = heard.topic(use.topic)
    own = Endpoint(f"{heard.namespace}/{use.node}", use.type, use.qos)
    if use.sends:
        topic = Topic((own,), topic.listeners)
    elif own.node not in [end.node for end in topic.listeners]:
        topic = Topic(topic.publishers, (*topic.listeners, own))
    findings = []
    for publisher in topic.publishers:
        for listener in topic.listeners:
            if why := incompatible(publisher.qos, listener.qos):
                text = f"{listener.node} hears nothing of {publisher.node} on {use.topic}: {why}"
                level = red if own.node in (publisher.node, listener.node) else yellow
                findings.append(level(use.key, text, "give both the same reliability and durability"))
    return findings


def incompatible(publisher: Any, listener: Any) -> str:
    """Why reliability and durability do not connect, as the middleware tells; empty where they do, or are not known.

    Deadlines and the like are left out: what is not set looks otherwise from afar.
    """
    if publisher is None or listener is None:
        return ""
    from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible

    plain = [
        QoSProfile(depth=1, reliability=end.reliability, durability=end.durability) for end in (publisher, listener)
    ]
    compatibility, reason = qos_check_compatible(*plain)
    return reason.removeprefix("ERROR: ").rstrip(";") if compatibility == QoSCompatibility.ERROR else ""


def _nodes(ends: Iterable[Endpoint]) -> str:
    return ", ".join(dict.fromkeys(end.node for end in ends))


def clock(heard: Heard) -> list[Finding]:
    """Simulated time: whether somebody tells it where it is asked for, and whether all go by the same."""
    publishers, ticks = heard.topic("/clock").publishers, heard.streams.get("/clock")
    asked = {
        node.name: bool(node.parameters["use_sim_time"])
        for node in heard.running
        if node.parameters and "use_sim_time" in node.parameters
    }
    if len(set(asked.values())) > 1:
        by_clock = ", ".join(name for name, simulated in asked.items() if simulated)
        return [red("time", f"use_sim_time is true for {by_clock} alone", "set it for all nodes, or for none")]
    if heard.simulated:
        if not publishers:
            how = "start what publishes /clock, or set use_sim_time to false"
            return [red("time", "use_sim_time is true, and nobody publishes /clock", how)]
        if len(publishers) > 1:
            return [red("time", f"/clock has {len(publishers)} publishers: {_nodes(publishers)}", "end all but one")]
        if ticks is None or not ticks.arrivals:
            how = "the simulator stands: let it run"
            return [red("time", f"nothing came on /clock, which {_nodes(publishers)} publishes", how)]
        return [green("time", f"simulated, told by {_nodes(publishers)}")]
    if publishers:
        how = "for a simulated robot set use_sim_time to true, for all nodes"
        return [yellow("time", f"{_nodes(publishers)} publishes /clock, and use_sim_time is false", how)]
    return [green("time", "of this computer")]


def controllers(heard: Heard, apt: str) -> list[Finding]:
    """Whether the controller that takes the setpoints is active. apt: the package that brings the messages."""
    if not heard.managers:
        return []
    if heard.controllers is None:
        text = f"whether a controller of {', '.join(heard.managers)} is active cannot be asked"
        return [yellow("controllers", text, f"sudo apt install {apt}, or look: ros2 control list_controllers")]
    findings = []
    for use in heard.uses:
        if not use.commands:
            continue
        for controller in heard.controllers:
            if controller.name in use.topic.split("/"):
                findings.append(_controller(use, controller))
    if not findings:
        active = ", ".join(one.name for one in heard.controllers if one.state == "active") or "none"
        findings = [green("controllers", f"active: {active}; none by the name of a topic that the planner sends on")]
    return findings


def _controller(use: Use, controller: Controller) -> Finding:
    if controller.state == "active":
        return green("controllers", f"{controller.name} is active and takes {use.key}")
    how = f"once the arm may move: ros2 control switch_controllers --activate {controller.name}"
    return red("controllers", f"{controller.name}, which takes {use.key}, is {controller.state}", how)
