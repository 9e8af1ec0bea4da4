"""An hour of goals through the nodes: memory, limits and rate. `make soak` runs it and prints the table."""

import os

import pytest
from soaking import MAX_GROWTH, soak
from witness import Witness

from jepa_planner.cli.ros.trials import simulated_planner
from jepa_planner.nodes.client import PlannerClient
from jepa_planner.nodes.running import NodeThread

HOUR_S = float(os.environ.get("SOAK_SECONDS", "3600"))
SPEED = float(os.environ.get("SOAK_SPEED", "4"))
PERIOD_S = 0.01


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
def test_an_hour_of_goals_keeps_memory_limits_and_rate():
    with simulated_planner(speed=SPEED), PlannerClient() as client:
        client.wait_for_planner()
        witness = Witness()
        thread = NodeThread(witness, lambda: None)
        did = soak(client, witness, HOUR_S)
        thread.stop()
    print(f"\n| speed | {SPEED:g} |\n{did.table()}")
    assert did.commands > 0 and did.outside_limits == 0
    assert did.growth <= MAX_GROWTH
    assert did.interval_ms[0] == pytest.approx(PERIOD_S * 1e3, abs=1.0)
