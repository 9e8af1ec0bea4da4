"""`colcon build`, as in a ROS 2 workspace, and what its install space then has: modules, a node, a verb, a goal."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import rclpy
from launched import carried_out, installed
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from PIL import Image

from jepa_planner.nodes.graph import ros_arguments
from jepa_planner.nodes.planner_node import wait_until
from jepa_planner.nodes.running import NodeThread
from jepa_planner_sim.envs import PandaTaskEnv

ROOT = Path(__file__).resolve().parent.parent
PREFIX = Path(sys.prefix)
COLCON = shutil.which("colcon", path=f"{PREFIX / 'colcon' / 'bin'}{os.pathsep}{os.environ['PATH']}")
NAMESPACE = f"/colcon{os.getpid()}"

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(COLCON is None, reason="there is no colcon: `make test` installs it"),
]


def environment(**more: str) -> dict[str, str]:
    """That of a terminal in which this Python is the system's, and no source tree is on the path."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, "PATH": f"{PREFIX / 'bin'}{os.pathsep}{os.environ['PATH']}", **more}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Path:
    """A workspace in which the package is built; where no ROS 2 is sourced, against the wheels of this environment."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "src").mkdir()
    (folder / "src" / "jepa_planner").symlink_to(ROOT)
    given = environment(
        AMENT_PREFIX_PATH=os.environ.get("AMENT_PREFIX_PATH", str(PREFIX)),
        CMAKE_PREFIX_PATH=os.environ.get("CMAKE_PREFIX_PATH", str(PREFIX)),
    )
    settings = {
        "Python3_EXECUTABLE": sys.executable,
        "Python3_ROOT_DIR": PREFIX,
        "CMAKE_INSTALL_RPATH": PREFIX / "lib",
        "BUILD_TESTING": "OFF",
    }
    command = [COLCON, "build", "--packages-select", "jepa_planner", "--event-handlers", "console_cohesion+"]
    command += ["--cmake-args", *(f"-D{name}={value}" for name, value in settings.items())]
    ended = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, timeout=800)
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-4000:]
    return folder


def in_workspace(workspace: Path, *command: str | Path) -> list[str]:
    """The command after `source install/local_setup.sh`."""
    return ["sh", "-c", '. install/local_setup.sh && exec "$@"', "sh", *map(str, command)]


@pytest.fixture
def encoder_node(workspace) -> Iterator[subprocess.Popen]:
    executable = workspace / "install" / "jepa_planner" / "lib" / "jepa_planner" / "encoder_node"
    command = in_workspace(workspace, executable, *ros_arguments(namespace=NAMESPACE))
    process = subprocess.Popen(command, cwd=workspace, env=environment())
    yield process
    process.kill()
    process.wait()


def test_modules_interfaces_and_shipped_files_are_those_of_the_install_space(workspace):
    script = (
        "import jepa_planner, jepa_planner.msg, jepa_planner_sim; from jepa_planner.core.shipped import shipped;"
        "print(jepa_planner.__file__, jepa_planner.msg.__file__, jepa_planner_sim.__file__, shipped('models'))"
    )
    command = in_workspace(workspace, "python3", "-c", script)
    ended = subprocess.run(command, cwd=workspace, env=environment(), capture_output=True, text=True, timeout=100)
    assert ended.returncode == 0, ended.stderr
    places = ended.stdout.split()
    assert len(places) == 4 and all(Path(place).is_relative_to(workspace / "install") for place in places), places


def test_a_node_of_the_install_space_finds_the_shipped_model_and_says_that_it_is_active(ros, encoder_node):
    node = rclpy.create_node("asking", use_global_arguments=False)
    thread = NodeThread(node, lambda: None)
    client = node.create_client(GetState, f"{NAMESPACE}/encoder_node/get_state")

    def state() -> int:
        answer = client.call_async(GetState.Request())
        return answer.result().current_state.id if wait_until(answer.done, 10.0) else State.PRIMARY_STATE_UNKNOWN

    try:
        assert wait_until(client.service_is_ready, 60.0), f"no service; the process says {encoder_node.poll()}"
        assert wait_until(lambda: state() == State.PRIMARY_STATE_ACTIVE, 60.0)
        encoder_node.send_signal(signal.SIGINT)
        assert encoder_node.wait(30.0) == 0
    finally:
        thread.stop()
        client.destroy()


@pytest.fixture
def simulated_arm(workspace, tmp_path, monkeypatch) -> Iterator[subprocess.Popen]:
    """What the installed sim.launch.py starts."""
    prefix = workspace / "install" / "jepa_planner"
    installed(tmp_path, {"jepa_planner": ["planner_and_sim_nodes"]})
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    launch_file = prefix / "share" / "jepa_planner" / "launch" / "sim.launch.py"
    [started] = carried_out(launch_file, ("task:=reach", f"namespace:={NAMESPACE}_sim"))
    monkeypatch.undo()
    executable = prefix / "lib" / started.package / started.executable
    process = subprocess.Popen(
        in_workspace(workspace, executable, *started.command[1:]), cwd=workspace, env=environment()
    )
    yield process
    process.terminate()
    process.wait(30.0)


def test_a_goal_sent_by_the_verb_on_the_path_is_reached_by_what_the_launch_file_starts(
    workspace, simulated_arm, tmp_path
):
    env = PandaTaskEnv("reach")
    env.reset(seed=1_000_000, options={"goal_images": "one"})
    files = [tmp_path / f"{view}.png" for view in env.views]
    for file, picture in zip(files, env.goal_images[0], strict=True):
        Image.fromarray(picture).save(file)
    env.close()
    script = 'command -v jepa-planner && exec jepa-planner goal "$1" --second-view "$2" --namespace "$3" --wait 60'
    command = in_workspace(workspace, "sh", "-c", script, "sh", *files, f"{NAMESPACE}_sim")
    ended = subprocess.run(command, cwd=workspace, env=environment(), capture_output=True, text=True, timeout=200)
    found, said = ended.stdout.split("\n", 1)
    assert Path(found) == workspace / "install" / "jepa_planner" / "bin" / "jepa-planner"
    assert ended.returncode == 0 and "the last goal image is reached" in said, ended.stdout + ended.stderr
