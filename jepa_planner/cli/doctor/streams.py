"""Checks of what comes: rates, delays and gaps of each stream, and clocks that differ."""

from __future__ import annotations

from itertools import pairwise

from jepa_planner.cli.doctor.findings import Finding, green, red, yellow
from jepa_planner.cli.doctor.heard import Heard, Stream, Use
from jepa_planner.cli.doctor.names import DESCRIPTION
from jepa_planner.control.watchdog import LEAD_TOLERANCE_S, SIMULATED_LEAD_TOLERANCE_S, Watchdog

READER = "this computer"
CLOCKS = "synchronise the clocks of the computers: chrony or PTP"
LATE_S = 0.1
"""Diagnostics that always come later than this are of another clock, not of a busy machine."""


def streams(heard: Heard) -> list[Finding]:
    """What there is to say on everything that the planner hears, where it is published."""
    findings = [
        stream(use, heard.stream(use.key), heard, _timeout_s(use, heard))
        for use in heard.uses
        if not use.sends and use.key != DESCRIPTION and heard.topic(use.topic).publishers
    ]
    return [*findings, *hosts(heard)]


def _timeout_s(use: Use, heard: Heard) -> float:
    """The silence that ends a goal."""
    if use.node == "arm_node":
        return heard.settings["arm_node"]["joint_state_timeout_s"]
    return heard.settings["mpc_node"]["image_timeout_s"]


def stream(use: Use, stream: Stream, heard: Heard, timeout_s: float) -> Finding:
    """One stream: whether it comes, how often, how old, and by whose clock."""
    arrivals = stream.arrivals
    if not arrivals:
        who = ", ".join(end.node for end in heard.topic(use.topic).publishers)
        how = "look whether the driver stands still, and whether it runs as the same user and in the same domain"
        return red(use.key, f"{who} publishes {use.topic}, and nothing came in {heard.seconds:.1f} s", how)
    dog = Watchdog(f"what comes on {use.topic}", timeout_s, lead_tolerance_s(heard), READER)
    news = [arrival for arrival in arrivals if dog.feed(arrival.stamp_s, arrival.arrived_s)]
    status = dog.status(arrivals[-1].arrived_s)
    if not status.ok:
        return red(use.key, status.text, _mend(status.text))
    rate = stream.per_second(len(news))
    if len(arrivals) > 2 and len(news) < 2:
        how = "its source repeats one message: start it again"
        return red(use.key, f"{len(arrivals)} messages came with one and the same stamp", how)
    longest_s = max(
        [later.arrived_s - sooner.arrived_s for sooner, later in pairwise(news)]
        + [max(0.0, heard.now_s - news[-1].arrived_s)]
    )
    oldest_s = max(arrival.arrived_s - arrival.stamp_s for arrival in news)
    text = f"{rate:.1f} a second, {_ms(dog.delay_s)} to {_ms(oldest_s)} old on arrival, longest gap {_ms(longest_s)}"
    if longest_s > timeout_s:
        how = f"a goal would end, as the limit is {timeout_s:g} s: mend the driver or the network, or free the computer"
        return red(use.key, text, how)
    if not (late := dog.delay_status()).ok:
        return yellow(use.key, f"{text}: {late.text}", CLOCKS)
    if oldest_s > timeout_s or longest_s > 0.8 * timeout_s:
        how = f"near the limit of {timeout_s:g} s: look at the network and at free cores"
        return yellow(use.key, text, how)
    return green(use.key, text)


def hosts(heard: Heard) -> list[Finding]:
    """Clocks of other computers, by the stamps of diagnostics."""
    findings = []
    ours = {node.name for node in heard.running}
    for node, stream in heard.diagnostics.items():
        if heard.simulated and node not in ours:  # perhaps by the wall clock, as its time is nobody's input
            continue
        dog = Watchdog(f"diagnostics of {node}", 1.0, lead_tolerance_s(heard), READER)
        for arrival in stream.arrivals:
            dog.feed(arrival.stamp_s, arrival.arrived_s)
        if dog.stamp_s is None or dog.stamp_s <= 0.0:
            continue
        if not (ahead := dog.clock_status()).ok:
            findings.append(red("clocks", ahead.text, CLOCKS))
        elif dog.delay_s > (LATE_S if not heard.simulated else SIMULATED_LEAD_TOLERANCE_S):
            findings.append(yellow("clocks", dog.delay_status().text, CLOCKS))
    if not findings and heard.diagnostics:
        findings = [green("clocks", "stamps of diagnostics are of this computer's time")]
    return findings


def lead_tolerance_s(heard: Heard) -> float:
    """How far a stamp may be ahead of its arrival."""
    return SIMULATED_LEAD_TOLERANCE_S if heard.simulated else LEAD_TOLERANCE_S


def _mend(text: str) -> str:
    if "no time" in text:
        return "have the driver fill in header.stamp"
    if "/clock" in text:
        return "start what publishes /clock, or set use_sim_time to false"
    return CLOCKS


def _ms(time_s: float) -> str:
    return f"{round(1e3 * time_s)} ms" if abs(time_s) < 1.0 else f"{time_s:.1f} s"
