"""Faults in mid-motion, through nodes in processes of their own: the arm comes to rest, the reason has a name, and
work goes on where it can.
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
from fault_rig import TABLE, WITH_DEFAULTS, FaultReport, FaultRig
from safetensors.torch import load_file, save_file

from jepa_planner.model.bundle_files import CONTRACT_FILE, PREDICTOR_FILE, sha256
from jepa_planner.nodes.goal_executor import Outcome

AWAY_S = 4.0
"""Longer than any timeout of the arm."""
NOTICED = ("no setpoint could be sent", "joint state is stale", "asked to hold")
"""What an arm_node says that was away: by itself, or because the planner missed it."""
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def rig(ros, bundle, tmp_path_factory):
    rig = FaultRig(bundle, tmp_path_factory.mktemp("faults"))
    yield rig
    rig.close()


def nothing() -> None:
    """Nothing to mend."""


@pytest.mark.parametrize(
    ("name", "expected", "words"),
    [
        ("encoder_node", Outcome.STALE_IMAGE, "image is stale"),
        ("predictor_node", Outcome.PREDICTOR_TIMEOUT, "predictor_node/rollout"),
        ("mpc_node", None, "done"),
        ("arm_node", Outcome.STALE_JOINT_STATE, "joint state is stale"),
    ],
)
def test_a_node_that_is_killed_leaves_the_arm_at_rest_and_can_be_started_again(rig, name, expected, words):
    rig.survives(
        f"{name} killed with SIGKILL",
        lambda: rig.send_signal(name, signal.SIGKILL),
        lambda: rig.begin(name),
        expected,
        words,
    )


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("silent", "image is stale"),
        ("late", "image is stale"),
        ("frozen", "image is stale"),
        ("corrupted", "image is stale"),
        ("wrong size", "image is stale"),
    ],
)
def test_a_camera_fault_ends_the_goal_by_name(rig, fault, words):
    def inject() -> None:
        if fault == "silent":
            rig.robot.images_on = False
        elif fault == "frozen":
            rig.robot.image_stamp = rig.robot.get_clock().now()
        else:
            rig.robot.camera_fault = fault

    def mend() -> None:
        rig.robot.images_on, rig.robot.image_stamp, rig.robot.camera_fault = True, None, ""

    rig.survives(f"camera: {fault}", inject, mend, Outcome.STALE_IMAGE, words)


@pytest.mark.parametrize("ahead_s", [0.3, 0.99, 5.0, -5.0])
@pytest.mark.parametrize(
    ("whose", "expected", "what"),
    [("robot", Outcome.STALE_JOINT_STATE, "joint state"), ("cameras", Outcome.STALE_IMAGE, "image")],
)
def test_a_clock_that_is_set_wrong_in_mid_motion_ends_the_goal_and_is_named(rig, whose, expected, what, ahead_s):
    def set_clock(apart_s: float) -> None:
        if whose == "robot":
            rig.robot.arm_ahead_s = apart_s
        else:
            rig.robot.cameras_ahead_s = [apart_s, apart_s]

    words = f"is stamped {ahead_s:.2f} s ahead of" if ahead_s > 0 else f"{what} is stale: 5.0"
    fault = f"clock of the {whose} {abs(ahead_s):g} s {'ahead' if ahead_s > 0 else 'behind'}"
    rig.survives(fault, lambda: set_clock(ahead_s), lambda: set_clock(0.0), expected, words)


def test_half_the_images_dropped_only_slows_the_work(rig):
    rig.robot.camera_fault = "half dropped"
    rig.goes_on()
    rig.robot.camera_fault = ""
    TABLE.append(FaultReport("camera: half of the images dropped", 0.0, "none: the work goes on", True))


def test_silent_joint_states_brake_the_arm_and_end_the_goal_by_name(rig):
    rig.survives(
        "joint states silent",
        lambda: setattr(rig.robot, "joint_states_on", False),
        lambda: setattr(rig.robot, "joint_states_on", True),
        Outcome.STALE_JOINT_STATE,
        "joint state is stale",
    )


def test_a_predictor_that_answers_late_ends_the_goal_by_name(rig):
    rig.survives(
        "predictor answers late (SIGSTOP)",
        lambda: rig.send_signal("predictor_node", signal.SIGSTOP),
        lambda: rig.send_signal("predictor_node", signal.SIGCONT),
        Outcome.PREDICTOR_TIMEOUT,
        "did not answer within 2.0 s",
    )


def test_an_arm_node_without_cpu_leaves_an_arm_that_brakes_by_itself(rig):
    """Its last trajectory ends at rest; when it runs again it knows that it was away."""
    while True:
        rig.pursue_until_in_motion()
        began_s = time.monotonic()
        rig.send_signal("arm_node", signal.SIGSTOP)
        rig.until(lambda began_s=began_s: rig.still() and time.monotonic() - began_s > AWAY_S)
        if rig.interrupted():
            break
        rig.send_signal("arm_node", signal.SIGCONT)  # its motion had just ended: there is nothing to notice
        rig.goes_on()
    still_after_s = max(0.0, rig.robot.moved_at_s - began_s)
    rig.robot.arm_states.clear()
    rig.send_signal("arm_node", signal.SIGCONT)
    named = lambda: [s.reason for s in list(rig.robot.arm_states) if any(word in s.reason for word in NOTICED)]  # noqa: E731
    rig.until(named)
    reason = named()[0]
    rig.goes_on()
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


def test_a_predictor_that_answers_nan_ends_the_goal_by_name(rig, bundle, tmp_path):
    def swap(model: str) -> None:
        rig.send_signal("predictor_node", signal.SIGINT)  # a killed one would take a request with it
        rig.processes["predictor_node"].wait(60.0)
        rig.begin("predictor_node", model=model, predictor_timeout_s=60.0)

    broken = str(broken_bundle(bundle, tmp_path / "nan"))
    rig.send_signal("mpc_node", signal.SIGKILL)
    rig.begin("mpc_node", predictor_timeout_s=60.0)
    rig.goes_on()
    rig.survives(
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
def test_a_starved_machine_moves_the_arm_within_its_limits_or_not_at_all(rig):
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(8)]
    try:
        goal = rig.pursue(budget=6)
        rig.result(goal)
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    rig.goes_on()
