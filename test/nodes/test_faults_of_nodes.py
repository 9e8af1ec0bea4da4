"""Faults of nodes in mid-motion, in processes of their own: the arm comes to rest, the reason has a name, and work goes
on where it can.
"""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from fault_rig import TABLE, WITH_DEFAULTS, FaultReport
from safetensors.torch import load_file, save_file

from jepa_planner.model.bundle_files import CONTRACT_FILE, PREDICTOR_FILE, sha256
from jepa_planner.nodes.goal_executor import Outcome

AWAY_S = 4.0
"""Longer than any timeout of the arm."""
NOTICED = ("no setpoint could be sent", "joint state is stale", "asked to hold")
"""What an arm_node says that was away: by itself, or because the planner missed it."""
pytestmark = pytest.mark.timeout(400)


@pytest.mark.parametrize(
    ("name", "expected", "words"),
    [
        ("encoder_node", Outcome.STALE_IMAGE, "image is stale"),
        ("predictor_node", Outcome.PREDICTOR_TIMEOUT, "predictor_node/rollout"),
        ("mpc_node", None, "done"),
        ("arm_node", Outcome.STALE_JOINT_STATE, "joint state is stale"),
    ],
)
def test_a_node_that_is_killed_leaves_the_arm_at_rest_and_can_be_started_again(fault_rig, name, expected, words):
    fault_rig.survives(
        f"{name} killed with SIGKILL",
        lambda: fault_rig.send_signal(name, signal.SIGKILL),
        lambda: fault_rig.begin(name),
        expected,
        words,
    )


def test_a_predictor_that_answers_late_ends_the_goal_by_name(fault_rig):
    fault_rig.survives(
        "predictor answers late (SIGSTOP)",
        lambda: fault_rig.send_signal("predictor_node", signal.SIGSTOP),
        lambda: fault_rig.send_signal("predictor_node", signal.SIGCONT),
        Outcome.PREDICTOR_TIMEOUT,
        "did not answer within 2.0 s",
    )


def test_an_arm_node_without_cpu_leaves_an_arm_that_brakes_by_itself(fault_rig):
    """Its last trajectory ends at rest; when it runs again it knows that it was away."""
    while True:
        fault_rig.pursue_until_in_motion()
        began_s = time.monotonic()
        fault_rig.send_signal("arm_node", signal.SIGSTOP)
        fault_rig.until(lambda began_s=began_s: fault_rig.still() and time.monotonic() - began_s > AWAY_S)
        if fault_rig.interrupted():
            break
        fault_rig.send_signal("arm_node", signal.SIGCONT)  # its motion had just ended: there is nothing to notice
        fault_rig.goes_on()
    still_after_s = max(0.0, fault_rig.robot.moved_at_s - began_s)
    fault_rig.robot.arm_states.clear()
    fault_rig.send_signal("arm_node", signal.SIGCONT)
    named = lambda: [s.reason for s in list(fault_rig.robot.arm_states) if any(word in s.reason for word in NOTICED)]  # noqa: E731
    fault_rig.until(named)
    reason = named()[0]
    fault_rig.goes_on()
    TABLE.append(FaultReport("arm_node without CPU (SIGSTOP)", still_after_s, reason, True))


def broken_bundle(bundle: str, folder: Path, rehash: bool = True) -> Path:
    """A copy of a bundle whose predictor computes nothing but NaN; without a new hash it counts as tampered with."""
    shutil.copytree(bundle, folder)
    path, contract = folder / PREDICTOR_FILE, folder / CONTRACT_FILE
    before = sha256(path)
    save_file({name: torch.full_like(x, float("nan")) for name, x in load_file(path).items()}, path)
    if rehash:
        contract.write_text(contract.read_text().replace(before, sha256(path)))
    return folder


def test_a_predictor_that_answers_nan_ends_the_goal_by_name(fault_rig, bundle, tmp_path):
    def swap(model: str) -> None:
        fault_rig.send_signal("predictor_node", signal.SIGINT)  # a killed one would take a request with it
        fault_rig.processes["predictor_node"].wait(60.0)
        fault_rig.begin("predictor_node", model=model, predictor_timeout_s=60.0)

    broken = str(broken_bundle(bundle, tmp_path / "nan"))
    fault_rig.send_signal("mpc_node", signal.SIGKILL)
    fault_rig.begin("mpc_node", predictor_timeout_s=60.0)
    fault_rig.goes_on()
    fault_rig.survives(
        "predictor answers NaN", lambda: swap(broken), lambda: swap(bundle), Outcome.INVALID_ENERGY, "NaN or infinite"
    )


@pytest.mark.parametrize("node", ["encoder_node", "predictor_node"])
@pytest.mark.parametrize(
    ("harm", "words"), [("missing", "no such file"), ("tampered", "sha256 is")], ids=["missing", "tampered"]
)
def test_a_bundle_that_is_missing_or_tampered_with_is_refused_at_configure(bundle, tmp_path, node, harm, words):
    folder = tmp_path / "bundle"
    if harm == "tampered":
        broken_bundle(bundle, folder, rehash=False)
    arguments = ["--ros-args", "-p", f"model:={folder}", "-r", f"__ns:=/refuse_{node}"]
    command = [sys.executable, "-m", f"jepa_planner.nodes.{node}", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert words in ended.stderr
    assert json.dumps(str(folder))[1:-1] in ended.stderr


@pytest.mark.soak
@pytest.mark.skipif(not WITH_DEFAULTS, reason="measures with default timeouts only")
def test_a_starved_machine_moves_the_arm_within_its_limits_or_not_at_all(fault_rig):
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(8)]
    try:
        goal = fault_rig.pursue(budget=6)
        fault_rig.result(goal)
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    fault_rig.goes_on()
