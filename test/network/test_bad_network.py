"""A planner on two computers and a bad line between them: the arm keeps its limits, goals go on or end by name."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("bad_network.py")
GOES_ON = ("loss 5 %",)
ENDS = {
    "nothing for 2 s": {"STALE_IMAGE", "PREDICTOR_TIMEOUT"},
    "the board is gone": {"STALE_IMAGE", "PREDICTOR_TIMEOUT"},
}
STEP_S = 1.0
"""The step that is under way when the line is cut is ended, and no more."""


@pytest.fixture(scope="module")
def reports() -> dict[str, dict]:
    """Of one goal under each fault, by its name."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root, and `ip`")
    command = [sys.executable, str(PROGRAM), "--json", "--goals", "1", "--task", "reach", *GOES_ON, *ENDS]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ROS_", "FASTDDS_"))}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, timeout=280)
    assert done.returncode == 0
    return {report["fault"]: report for report in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("fault", [*GOES_ON, *ENDS])
def test_no_command_is_outside_the_limits_and_a_later_goal_is_solved(reports, fault):
    assert reports[fault]["outside"] == 0 and reports[fault]["goes_on"], reports[fault]


@pytest.mark.parametrize("fault", GOES_ON)
def test_what_a_line_can_carry_later_is_solved_later(reports, fault):
    assert reports[fault]["solved"] == 1, reports[fault]


@pytest.mark.parametrize("fault", ENDS)
def test_a_line_that_is_cut_ends_the_goal_by_name_with_the_arm_at_rest(reports, fault):
    assert set(reports[fault]["ends"]) <= ENDS[fault], reports[fault]
    assert reports[fault]["still_after_s"] < STEP_S, reports[fault]
