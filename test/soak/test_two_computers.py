"""An hour of goals by a planner on two computers with a lossy line between them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from soaking import MAX_GROWTH, Soak

PROGRAM = Path(__file__).parents[1] / "network" / "bad_network.py"
HOUR_S = os.environ.get("SOAK_SECONDS", "3600")
PERIOD_S = 0.01


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
def test_an_hour_of_goals_over_a_lossy_line_keeps_memory_limits_and_rate_and_each_ends_by_itself():
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ROS_", "FASTDDS_"))}
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--json", "--soak", HOUR_S], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert done.returncode == 0
    did = Soak(**json.loads(done.stdout))
    print(f"\n{did.table()}")
    assert did.commands > 0 and did.outside_limits == 0
    assert did.growth <= MAX_GROWTH
    assert did.interval_ms[0] == pytest.approx(PERIOD_S * 1e3, abs=1.0)
    assert set(did.outcomes) <= {"REACHED", "STALLED", "BUDGET_SPENT"}
