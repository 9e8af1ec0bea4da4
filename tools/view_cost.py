"""How much an open page of `jepa-planner view` slows the planner down: goals in turn with the page closed and open.

Prints ratios open / closed of seconds per step and per search with 95 % intervals, of pairs of goals in the same scene:
python tools/view_cost.py 12. Needs chromium and playwright. Planner, simulator, page and browser share this machine;
with a second number that is the browser's nice value: at 19 it stands for a browser on another computer.
"""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rclpy
from jepa_planner.msg import PlanStats
from playwright.sync_api import sync_playwright
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from jepa_planner.cli.ros.trials import own_domain
from jepa_planner.nodes import qos
from jepa_planner.nodes.client import PlannerClient
from jepa_planner.nodes.running import NodeThread

ROOT = Path(__file__).resolve().parent.parent
NO_RIGHTS = "setpriv --bounding-set=-sys_nice --inh-caps=-sys_nice"
"""To raise its own priority, as chromium does where root starts it."""
TASK, SEED = "pick_place", 1_000_000
SETTLE_S, DRAWS = 4.0, 10_000
"""A page that loads takes a core for a moment; what counts is one that stays open."""


def main(pairs: int, niceness: int = 0) -> None:
    own_domain()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    calls = (["run", "--sim", "--log-level", "error"], ["view", "--port", str(port)])
    programs = [subprocess.Popen([sys.executable, "-m", "jepa_planner.cli.main", *call]) for call in calls]
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright, PlannerClient() as client:
            client.wait_for_planner(120.0)
            starter = Path(folder, "chromium")
            starter.write_text(f'#!/bin/sh\nexec nice -n {niceness} {NO_RIGHTS} /usr/bin/chromium "$@"\n')
            starter.chmod(0o755)
            tab = playwright.chromium.launch(executable_path=starter, args=["--no-sandbox"]).new_page()
            steps, searches = measure(client, pairs, lambda url: tab.goto(url), f"http://localhost:{port}/")
    finally:
        rclpy.shutdown()
        for program in programs:
            program.terminate()
            program.wait(20)
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f}, {pairs} pairs of goals, {TASK}, browser nice {niceness}")
    for name, each in (("step", steps), ("search", searches)):
        print(f"seconds per {name}: {in_words(np.array(each))}")


def measure(client: PlannerClient, pairs: int, go: Callable[[str], object], page: str) -> tuple[list, list]:
    """Means of seconds per step and per search, [closed, open] of each pair; the order turns with every pair."""
    node = Node("view_cost", use_global_arguments=False)
    told: list[PlanStats] = []
    node.create_subscription(PlanStats, "mpc_node/stats", told.append, qos.STATE)
    thread = NodeThread(node, lambda: None)
    steps, searches = [], []
    for pair in range(-1, pairs):  # the first warms up
        found = {}
        for is_open in (False, True) if pair % 2 else (True, False):
            go(page if is_open else "about:blank")
            task = client.set_up_task(TASK, SEED + max(0, pair))
            time.sleep(SETTLE_S)
            told.clear()
            client.reach(task.goals, task.max_steps)
            seconds = [each.step_seconds for each in told if math.isfinite(each.step_seconds)]
            found[is_open] = np.mean(seconds), np.mean([each.seconds for each in told])
        if pair >= 0:
            steps.append([found[False][0], found[True][0]])
            searches.append([found[False][1], found[True][1]])
            step, search = (each[-1][1] / each[-1][0] for each in (steps, searches))
            print(f"pair {pair + 1}: step {step:.3f}, search {search:.3f}")
    thread.stop()
    return steps, searches


def in_words(pairs: np.ndarray) -> str:
    """Ratio of the geometric means, with the interval that draws of pairs with replacement give."""
    logs = np.log(pairs[:, 1] / pairs[:, 0])
    drawn = np.random.default_rng(0).choice(logs, (DRAWS, len(logs))).mean(axis=1)
    low, high = np.exp(np.percentile(drawn, [2.5, 97.5]))
    closed, opened = pairs.mean(axis=0)
    return f"{closed:.4f} closed, {opened:.4f} open, ratio {np.exp(logs.mean()):.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:] or ["12"]))
