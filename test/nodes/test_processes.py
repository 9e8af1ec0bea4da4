"""Whole processes, started and stopped as a person would."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from harness import STALE_S, picture
from jepa_planner.msg import GoalEvent
from PIL import Image
from rosbags.highlevel import AnyReader

from jepa_planner.nodes.goal_executor import Outcome
from jepa_planner.nodes.graph import ros_arguments

COMMAND = [sys.executable, "-c", "import sys; from jepa_planner.cli.main import main; sys.exit(main())"]
START_TIMEOUT_S = 100.0


def begin(*arguments: str, log: Path) -> subprocess.Popen:
    with log.open("w") as output:
        return subprocess.Popen(arguments, stdout=output, stderr=subprocess.STDOUT)


def end(process: subprocess.Popen, with_signal: int) -> int:
    process.send_signal(with_signal)
    try:
        return process.wait(60.0)
    finally:
        process.kill()


def endings(folder: Path) -> list[list[Outcome]]:
    """How the goals of each bag ended."""
    found = []
    for bag in sorted(folder.glob("episode_*")):
        with AnyReader([bag]) as reader:
            kind = "jepa_planner/msg/GoalEvent"
            told = [reader.deserialize(data, kind) for one, _, data in reader.messages() if one.msgtype == kind]
        found.append([Outcome(event.code) for event in told if event.kind == GoalEvent.ENDED])
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "separate", [[], ["--separate"], ["--separate", "sim"]], ids=["composed", "separate", "simulator apart"]
)
def test_run_and_goal_work_from_the_command_line(bundle, tmp_path, separate):
    log = tmp_path / "run.log"
    namespace = ["--namespace", f"cli{os.getpid()}{len(separate)}"]
    recorded = ["--record", str(tmp_path / "bags")]
    run = begin(
        *COMMAND, "run", "--sim", "--task", "reach", "--model", bundle, *namespace, *separate, *recorded, log=log
    )
    try:
        for name, seed in (("front.png", 1), ("side.png", 2)):
            Image.fromarray(picture(seed, 64)).save(tmp_path / name)
        wait_for(lambda: "goals are recorded into" in log.read_text())
        pictures = [str(tmp_path / "front.png"), "--second-view", str(tmp_path / "side.png")]
        goal = subprocess.run(
            [
                *COMMAND,
                "goal",
                *pictures,
                "--budget",
                "2",
                "--tolerance",
                "1e-9",
                "--wait",
                str(START_TIMEOUT_S),
                *namespace,
            ],
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert "budget spent after 2 steps" in goal.stdout, goal.stderr + log.read_text()
        assert "picture 1/1" in goal.stdout
        assert goal.returncode == 1
        sent = begin(
            *COMMAND,
            "goal",
            *pictures,
            "--budget",
            "1000",
            "--tolerance",
            "1e-9",
            *namespace,
            log=tmp_path / "goal.log",
        )
        wait_for(lambda: "step 2" in (tmp_path / "goal.log").read_text())
        assert end(sent, signal.SIGINT) == 130
        assert "cancelled after" in (tmp_path / "goal.log").read_text()
    finally:
        code = end(run, signal.SIGINT)
    assert code == 0, log.read_text()
    assert "terminate called" not in log.read_text()
    assert endings(tmp_path / "bags") == [[Outcome.BUDGET_SPENT], [Outcome.CANCELLED]], log.read_text()


def test_a_goal_that_waits_for_a_planner_ends_at_once_when_interrupted(rig, tmp_path):
    Image.fromarray(picture(1, 64)).save(tmp_path / "front.png")
    log, namespace = tmp_path / "goal.log", rig.namespace
    goal = begin(*COMMAND, "goal", str(tmp_path / "front.png"), "--wait", "60", "--namespace", namespace, log=log)
    name = (f"planner_client_{goal.pid}", namespace)
    rig.until(lambda: name in rig.robot.get_node_names_and_namespaces())
    began_s = time.monotonic()
    assert end(goal, signal.SIGINT) == 130, log.read_text()
    assert time.monotonic() - began_s < 20.0
    assert log.read_text() == "\ninterrupted while waiting for the planner; no goal was sent\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_mid_motion_brings_the_arm_to_rest_before_the_process_ends(rig, tmp_path, number):
    parameters = {"joint_state_timeout_s": STALE_S, "speed_scale": 0.1}
    arguments = ros_arguments(parameters, namespace=rig.namespace)
    process = begin(sys.executable, "-m", "jepa_planner.nodes.arm_node", *arguments, log=tmp_path / "arm.log")
    try:
        rig.until(lambda: rig.holding() and rig.plans.get_subscription_count() == 2)
        rig.send_plan(1, (0.05, 0.0, 0.0))
        rig.until(lambda: len(rig.robot.commands) > 10)
        assert rig.state().moving
    finally:
        code = end(process, number)
    assert code == 0, (tmp_path / "arm.log").read_text()
    rig.commands_settle()
    assert all(velocity == 0.0 for velocity in rig.robot.commands[-1].points[0].velocities)


def test_a_topic_goes_by_another_name_where_the_driver_wants_it(rig, tmp_path):
    arguments = ros_arguments(namespace=rig.namespace, remaps=["joint_trajectory:=my_controller/joint_trajectory"])
    process = begin(sys.executable, "-m", "jepa_planner.nodes.arm_node", *arguments, log=tmp_path / "arm.log")
    try:
        rig.until(lambda: rig.robot.count_publishers(f"{rig.namespace}/my_controller/joint_trajectory") == 1)
        assert rig.robot.count_publishers(f"{rig.namespace}/joint_trajectory") == 0
    finally:
        end(process, signal.SIGINT)


def test_a_node_without_its_model_says_so_and_fails(tmp_path):
    arguments = ["--ros-args", "-p", f"model:={tmp_path / 'nowhere'}"]
    process = begin(sys.executable, "-m", "jepa_planner.nodes.encoder_node", *arguments, log=tmp_path / "log")
    assert process.wait(60.0) == 1
    assert "nowhere/model.yaml" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("node", "given", "words"),
    [
        ("arm_node", ["-p", "speed_scael:=0.2"], "arm_node has no parameter speed_scael; did you mean speed_scale?"),
        ("arm_node", ["-p", "speed_scale:=5.0"], "speed_scale out of range"),
        ("mpc_node", ["-p", "samples:=many"], "Trying to set parameter 'samples' to 'many' of type 'STRING'"),
        ("arm_node", ["--params-file", "/nope.yaml"], "Couldn't parse params file: '--params-file /nope.yaml'"),
    ],
)
def test_a_node_with_a_parameter_that_cannot_be_meant_says_so_in_a_line_and_fails(node, given, words):
    command = [sys.executable, "-m", f"jepa_planner.nodes.{node}", "--ros-args", *given]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert words in ended.stderr and "Traceback" not in ended.stderr


@pytest.mark.parametrize("separate", [[], ["--separate"]], ids=["composed", "separate"])
def test_run_starts_nothing_when_its_parameter_file_is_not_there(separate):
    command = [*COMMAND, "run", "--sim", "--params-file", "/nope.yaml", *separate]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert ended.stderr == "jepa-planner run: parameter file /nope.yaml: No such file or directory\n"


def test_a_folder_for_recordings_that_cannot_be_meant_starts_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    for given, words in ((str(tmp_path / "file"), "is a file; expected a folder"), ("", "--record is empty")):
        ended = subprocess.run([*COMMAND, "run", "--record", given], capture_output=True, text=True, timeout=60)
        assert ended.returncode == 2 and words in ended.stderr


def test_a_recorder_that_cannot_begin_leaves_the_planner_to_its_work(bundle, tmp_path):
    (tmp_path / "bags").mkdir()
    file, log = tmp_path / "user.yaml", tmp_path / "run.log"
    file.write_text("/**/record_node: {ros__parameters: {name: a/b}}")
    namespace = f"alone{os.getpid()}"
    typed = [
        "--model",
        bundle,
        "--namespace",
        namespace,
        "--params-file",
        str(file),
        "--record",
        str(tmp_path / "bags"),
    ]
    run = begin(*COMMAND, "run", *typed, log=log)
    try:
        wait_for(lambda: "record_node could not start" in log.read_text())
        wait_for(lambda: "mpc_node]" in log.read_text())
        assert run.poll() is None
    finally:
        code = end(run, signal.SIGINT)
    assert code == 1, log.read_text()  # what was asked for was not recorded
    assert "name is 'a/b'" in log.read_text()


def wait_for(condition) -> None:
    deadline = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_nodes_end_when_the_program_that_started_them_is_killed(tmp_path):
    script = (
        "import sys, time; from jepa_planner.nodes.graph import spawn;"
        "print(spawn([sys.executable, '-c', 'import time; time.sleep(100)']).pid, flush=True); time.sleep(100)"
    )
    starter = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    child = int(starter.stdout.readline())
    starter.kill()
    starter.wait()
    status = Path(f"/proc/{child}/status")
    wait_for(lambda: not status.exists() or "State:\tZ" in status.read_text())
