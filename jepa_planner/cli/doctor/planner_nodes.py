"""Checks of the planner's own nodes: whether they run, are active, and what they say of themselves."""

from __future__ import annotations

from jepa_planner.cli.doctor.findings import Finding, green, red, yellow
from jepa_planner.cli.doctor.heard import Heard, Settings
from jepa_planner.core.status import StatusCode
from jepa_planner.nodes.start import PLANNER_NODES

NO_MATTER = (StatusCode.LATE_ON_ARRIVAL.name, StatusCode.WAITING.name)
"""Codes of nodes that can work all the same."""


def nodes(heard: Heard) -> list[Finding]:
    """Which nodes of the planner run, once each, and whether they are active."""
    here = [node.name.rpartition("/")[2] for node in heard.running]
    if not here:
        return _none(heard)
    findings = []
    if twice := sorted({node for node in here if here.count(node) > 1}):
        text = f"{', '.join(twice)} of {heard.namespace or '/'} run more than once"
        findings.append(red("nodes", text, "two planners on one arm: end one, or give it a namespace and an arm"))
    if missing := [node for node in PLANNER_NODES if node not in here]:
        text = f"{', '.join(missing)} missing, {', '.join(dict.fromkeys(here))} there"
        findings.append(red("nodes", text, "see in the log why it ended, and start all: jepa-planner run"))
    for node in heard.running:
        if node.state is None:
            how = "it is busy or hangs: look again, then start it anew"
            findings.append(yellow("nodes", f"{node.name} did not answer", how))
        elif node.state != "active":
            step = "configure" if node.state == "unconfigured" else "activate"
            how = f"ros2 lifecycle set {node.name} {step}; its log says why it was not"
            findings.append(red("nodes", f"{node.name} is {node.state}", how))
    return findings or [green("nodes", f"{', '.join(here)} are active")]


def _none(heard: Heard) -> list[Finding]:
    elsewhere = sorted(name for name in heard.others if name.rpartition("/")[2] in PLANNER_NODES)
    if elsewhere:
        place = elsewhere[0].rpartition("/")[0].lstrip("/")
        text = f"none in {heard.namespace or '/'}, but {', '.join(elsewhere)}"
        return [yellow("nodes", text, f"--namespace {place}" if place else "leave out --namespace")]
    if heard.nothing_runs:
        how = "start the drivers, or `jepa-planner run --sim`; then ask again, with what you give to `run`"
        return [yellow("nodes", "nothing runs: no driver publishes what the planner needs, and no planner", how)]
    return [green("nodes", "the planner does not run; all is judged as `jepa-planner run` would start it")]


def parameters(heard: Heard, given: Settings) -> list[Finding]:
    """Whether running nodes have what this command line and its files say. given: that, by node."""
    findings = []
    for node in heard.running:
        asked = given.get(node.name.rpartition("/")[2], {})
        for name, value in asked.items():
            if node.parameters is not None and name in node.parameters and node.parameters[name] != value:
                text = f"{name} of {node.name} is {node.parameters[name]!r}, you gave {value!r}"
                findings.append(
                    yellow("parameters", text, "start the planner with the same file, or leave it out here")
                )
    return findings


def says(heard: Heard) -> list[Finding]:
    """What nodes tell on diagnostics: the planner's by their codes, drivers' by their levels."""
    ours = {node.name for node in heard.running}
    findings = []
    for said in heard.said:
        if said.level == 0:
            continue
        text = f"{said.node}: {said.message}"
        if said.node not in ours:
            findings.append(yellow("diagnostics", text, "ask the documentation of that driver"))
        elif said.code in NO_MATTER:
            findings.append(yellow("diagnostics", text, _mend(said.code)))
        else:
            findings.append(red("diagnostics", text, _mend(said.code)))
    if not findings and heard.running:
        findings = [green("diagnostics", "no node complains")]
    return findings


def _mend(code: str) -> str:
    known = {
        StatusCode.STOPPED.name: "find out why it was stopped, then: ros2 service call ~/reset of arm_node",
        StatusCode.NOT_ACTIVE.name: "its log says why; then ros2 lifecycle set",
    }
    return known.get(code, "docs/troubleshooting.md explains these words")
