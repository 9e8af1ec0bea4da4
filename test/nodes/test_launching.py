"""The launch files, carried out as `ros2 launch` would, and what they start."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from launched import Process, carried_out, installed

from jepa_planner.model.bundle import model_folder
from jepa_planner.nodes.launching import SCENE, USUAL
from jepa_planner.nodes.parameter_files import resolve
from jepa_planner.nodes.start import LOG_LEVELS, PLANNER_NODES, RECORD_NODE, SIM_NODE

LAUNCH = Path(__file__).resolve().parents[2] / "launch"
FILES = ("planner.launch.py", "sim.launch.py")


@pytest.fixture
def prefix(tmp_path, monkeypatch) -> Path:
    """The only install space."""
    installed(
        tmp_path / "prefix",
        {"jepa_planner": ("planner_nodes", "planner_and_sim_nodes", *PLANNER_NODES, SIM_NODE, RECORD_NODE)},
    )
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path / "prefix"))
    return tmp_path / "prefix"


@pytest.fixture
def launch(prefix) -> Callable[..., list[Process]]:
    """Carries out a launch file with arguments NAME:=VALUE, and returns the processes that it starts."""
    return lambda file, *typed: carried_out(LAUNCH / file, typed)


@pytest.mark.parametrize(
    ("file", "executable"), [("planner.launch.py", "planner_nodes"), ("sim.launch.py", "planner_and_sim_nodes")]
)
def test_all_nodes_run_in_one_process_by_default(launch, file, executable):
    [process] = launch(file)
    assert (process.package, process.executable, process.arguments) == ("jepa_planner", executable, ())
    assert (process.log_level, process.namespace, process.name, process.remappings) == ("info", "/", "", [])


@pytest.mark.parametrize("composed", ["true", "false"])
def test_the_simulated_arms_links_are_published_where_that_can_be(launch, prefix, composed):
    installed(prefix, {"robot_state_publisher": ["robot_state_publisher"]})
    *_, links = launch("sim.launch.py", "namespace:=left", "remap:=plan:=/plan", f"composed:={composed}")
    assert (links.package, links.executable, links.namespace) == (*["robot_state_publisher"] * 2, "/left")
    assert links.remappings == [("plan", "/plan")]
    parameters = links.parameters["/**"]
    assert parameters["use_sim_time"] is True and "panda_link8" in parameters["robot_description"]
    others = launch("planner.launch.py", f"composed:={composed}")
    assert all(node.package == "jepa_planner" for node in others)


def test_each_node_runs_in_its_own_process_where_that_is_asked_for(launch):
    nodes = launch("planner.launch.py", "composed:=False", "namespace:=left", "remap:=plan:=/plan latent:=seen")
    assert [(node.executable, node.name) for node in nodes] == [(name, name) for name in PLANNER_NODES]
    assert all(node.namespace == "/left" for node in nodes)
    assert all(node.remappings == [("plan", "/plan"), ("latent", "seen")] for node in nodes)
    assert [node.executable for node in launch("sim.launch.py", "composed:=false")] == [*PLANNER_NODES, SIM_NODE]


@pytest.mark.parametrize("composed", ["true", "false"])
@pytest.mark.parametrize("file", FILES)
def test_who_records_goals_has_a_process_of_its_own(launch, tmp_path, file, composed):
    out = str(tmp_path / "bags")
    *others, recorder = launch(file, "record:=true", f"record_out:={out}", "namespace:=left", f"composed:={composed}")
    assert RECORD_NODE not in [process.executable for process in others]
    assert (recorder.executable, recorder.name, recorder.namespace) == (RECORD_NODE, RECORD_NODE, "/left")
    values = recorder.parameters[RECORD_NODE]
    assert (values["goals"], values["out"]) == (True, out)
    assert values.get("use_sim_time", False) is (file == "sim.launch.py")


@pytest.mark.parametrize("typed", [(), ("record:=false",)])
def test_nothing_is_recorded_where_nobody_asks_for_it(launch, typed):
    [process] = launch("planner.launch.py", *typed)
    assert RECORD_NODE not in process.parameters


def test_goals_are_recorded_where_the_parameters_say_unless_a_folder_is_typed(launch, tmp_path):
    file = tmp_path / "user.yaml"
    file.write_text(f"record_node: {{ros__parameters: {{out: {tmp_path}/mine}}}}")
    *_, recorder = launch("planner.launch.py", "record:=true", f"params_file:={file}")
    assert recorder.parameters[RECORD_NODE]["out"] == f"{tmp_path}/mine"


@pytest.mark.parametrize("composed", ["true", "false"])
def test_the_scenes_seed_is_given_to_the_scene_alone(launch, composed):
    started = launch("sim.launch.py", "seed:=1000003", "task:=push", "speed:=2", f"composed:={composed}")
    for process in started:
        assert process.parameters["mpc_node"]["seed"] == 0
        scene = process.parameters[SIM_NODE]
        assert (scene["seed"], scene["task"], scene["speed"]) == (1_000_003, "push", 2.0)


@pytest.mark.parametrize("composed", ["true", "false"])
def test_a_launch_files_defaults_leave_a_parameter_file_alone_and_what_is_typed_wins(launch, tmp_path, composed):
    file, model = tmp_path / "user.yaml", str(model_folder())
    file.write_text(
        f"/**: {{ros__parameters: {{use_sim_time: false, model: {model}}}}}\n"
        "sim_node: {ros__parameters: {seed: 5, task: push, speed: 0.5}}\n"
    )
    arguments = (f"params_file:={file}", f"composed:={composed}")
    for process in launch("sim.launch.py", *arguments):
        assert process.parameters["encoder_node"]["model"] == process.parameters["mpc_node"]["model"] == model
        assert not any(process.parameters[node]["use_sim_time"] for node in (*PLANNER_NODES, SIM_NODE))
        scene = process.parameters[SIM_NODE]
        assert (scene["seed"], scene["task"], scene["speed"]) == (5, "push", 0.5)
    other = str(model_folder().parent / "panda-varied")
    for process in launch("sim.launch.py", *arguments, f"model:={other}", "use_sim_time:=true", "seed:=6"):
        assert process.parameters["encoder_node"]["model"] == other
        assert process.parameters["arm_node"]["use_sim_time"] is True
        assert process.parameters[SIM_NODE]["seed"] == 6


@pytest.mark.parametrize("file", ["planner.launch.py", "sim.launch.py"])
@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("params_file:=/nope.yaml", "parameter file /nope.yaml: No such file or directory"),
        ("composed:=ture", "composed is 'ture'; expected true or false"),
        ("use_sim_time:=yes", "use_sim_time is 'yes'; expected true or false"),
        ("log_level:=loud", "log level is 'loud'; expected one of debug, info, warn, error, fatal"),
        ("namespace:=bad name", "namespace is 'bad name'"),
        ("remap:=plan", "remap plan: expected FROM:=TO"),
        ("model:=/nope", "/nope/model.yaml: no such file; a model bundle is a folder with model.yaml and weights"),
        ("record:=yes", "record is 'yes'; expected true or false"),
        ("record_out:=/bags", "record_out is '/bags', and nothing is recorded; add record:=true"),
        ("record_out:=", "record_out is empty; leave it out, or give a value"),
        ("params_file:=", "params_file is empty; leave it out, or give a value"),
        ("compsed:=false", "no launch argument is called compsed; did you mean composed?"),
        ("param_file:=mine.yaml", "no launch argument is called param_file; did you mean params_file?"),
    ],
)
def test_an_argument_that_cannot_be_meant_starts_nothing(launch, file, typed, words):
    with pytest.raises(ValueError) as refused:
        launch(file, typed)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("task:=nope", "task is 'nope'; expected one of reach, grasp, push, pick_place, stack, rearrange"),
        ("seed:=1.5", "seed is '1.5'; expected a whole number from 0 to 2147483647"),
        ("seed:=-1", "seed is '-1'; expected a whole number from 0 to 2147483647"),
        ("speed:=nan", "speed is 'nan'; expected a number from 0.05 to 20.0"),
        ("speed:=fast", "speed is 'fast'; expected a number from 0.05 to 20.0"),
    ],
)
def test_a_scene_that_cannot_be_meant_starts_nothing(launch, typed, words):
    with pytest.raises(ValueError) as refused:
        launch("sim.launch.py", typed)
    assert str(refused.value) == words


def test_arguments_of_a_launch_file_that_includes_ours_are_its_own(launch):
    assert launch("planner.launch.py", "robot_ip:=172.16.0.2", "load_gripper:=true")


def test_a_namespace_pushed_by_others_is_where_parameter_files_are_read_for(prefix, tmp_path):
    file = tmp_path / "user.yaml"
    file.write_text("/cell/left/arm_node: {ros__parameters: {speed_scale: 0.2}}")
    typed = (f"params_file:={file}", "namespace:=left")
    [process] = carried_out(LAUNCH / "planner.launch.py", typed, within="/cell")
    assert process.parameters["arm_node"]["speed_scale"] == 0.2
    assert process.namespace == "/cell/left"


@pytest.mark.parametrize("level", LOG_LEVELS)
def test_a_log_level_is_that_of_every_process(launch, level):
    started = launch("sim.launch.py", f"log_level:={level}", "composed:=false")
    assert [process.log_level for process in started] == [level] * (len(PLANNER_NODES) + 1)


@pytest.mark.parametrize("file", FILES)
def test_what_nobody_typed_is_as_it_ships_and_the_simulated_arm_has_simulated_time(launch, file):
    [process] = launch(file)
    assert list(process.parameters) == [*PLANNER_NODES, *[SIM_NODE] * (file == "sim.launch.py")]
    for node, values in process.parameters.items():
        expected = {**resolve([node], [])[node], **({"use_sim_time": True} if file == "sim.launch.py" else {})}
        assert values == expected


def test_every_argument_of_the_launch_files_is_tried_here(prefix):
    tried = set(re.findall(r"(\w+):=", Path(__file__).read_text()))
    assert {*USUAL, *SCENE} <= tried
