"""The launch files, read and carried out as `ros2 launch` would, with stand-ins for `launch`, which is not on PyPI."""

import importlib
import importlib.util
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml

from jepa_planner.model.bundle import model_folder
from jepa_planner.nodes.start import PLANNER_NODES, SIM_NODE

LAUNCH = Path(__file__).resolve().parents[2] / "launch"


@dataclass
class Declared:
    name: str
    default_value: str
    description: str


@dataclass
class Started:
    executable: str
    package: str
    namespace: str
    remappings: list
    parameters: list
    output: str
    ros_arguments: list = field(default_factory=list)
    name: str = ""
    arguments: list = field(default_factory=list)

    def parameters_of(self, node: str) -> dict[str, object]:
        return yaml.safe_load(Path(self.parameters[0]).read_text())[f"/**/{node}"]["ros__parameters"]


@pytest.fixture
def launch(monkeypatch):
    """Carries out a launch file with arguments NAME:=VALUE, and returns the nodes that it starts."""

    class LaunchConfiguration:
        def __init__(self, name: str) -> None:
            self.name = name

        def perform(self, context) -> str:
            return context.launch_configurations[self.name]

    modules = {
        "launch": {"LaunchDescription": list},
        "launch.actions": {"DeclareLaunchArgument": Declared, "OpaqueFunction": lambda function: function},
        "launch.substitutions": {"LaunchConfiguration": LaunchConfiguration},
        "launch_ros": {},
        "launch_ros.actions": {"Node": Started},
    }
    for name, contents in modules.items():
        module = ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "jepa_planner.nodes.launching", raising=False)

    def carried_out(file: str, *typed: str) -> list[Started]:
        spec = importlib.util.spec_from_file_location("launch_file", LAUNCH / file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        *declared, start = module.generate_launch_description()
        given = {argument.name: argument.default_value for argument in declared}
        given |= dict(argument.split(":=", 1) for argument in typed)
        return start(SimpleNamespace(launch_configurations=given, argv=typed))

    yield carried_out
    sys.modules.pop("jepa_planner.nodes.launching", None)


@pytest.mark.parametrize(
    ("file", "executable"), [("planner.launch.py", "planner_nodes"), ("sim.launch.py", "planner_and_sim_nodes")]
)
def test_all_nodes_run_in_one_process_by_default(launch, file, executable):
    [process] = launch(file)
    assert (process.package, process.executable, process.arguments) == ("jepa_planner", executable, [])
    assert process.ros_arguments == ["--log-level", "info"]


@pytest.fixture
def with_robot_state_publisher(monkeypatch):
    """As on a machine that has it installed, and nothing else."""

    def get_package_prefix(name: str) -> str:
        return {"robot_state_publisher": "/opt/ros/jazzy"}[name]

    for name, contents in {
        "ament_index_python": {},
        "ament_index_python.packages": {"get_package_prefix": get_package_prefix},
        "launch_ros.parameter_descriptions": {"ParameterValue": lambda value, value_type: value_type(value)},
    }.items():
        module = ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.parametrize("composed", ["true", "false"])
def test_the_simulated_arms_links_are_published_where_that_can_be(launch, with_robot_state_publisher, composed):
    *_, links = launch("sim.launch.py", "namespace:=left", "remap:=plan:=/plan", f"composed:={composed}")
    assert (links.package, links.executable, links.namespace) == (*["robot_state_publisher"] * 2, "left")
    (parameters,) = links.parameters
    assert parameters["use_sim_time"] is True and "panda_link8" in parameters["robot_description"]
    others = launch("planner.launch.py", f"composed:={composed}")
    assert all(node.package == "jepa_planner" for node in others)


def test_each_node_runs_in_its_own_process_where_that_is_asked_for(launch):
    nodes = launch("planner.launch.py", "composed:=False", "namespace:=left", "remap:=plan:=/plan latent:=seen")
    assert [(node.executable, node.name) for node in nodes] == [(name, name) for name in PLANNER_NODES]
    assert all(node.namespace == "left" for node in nodes)
    assert all(node.remappings == [("plan", "/plan"), ("latent", "seen")] for node in nodes)
    assert [node.executable for node in launch("sim.launch.py", "composed:=false")] == [*PLANNER_NODES, SIM_NODE]


@pytest.mark.parametrize("composed", ["true", "false"])
def test_the_scenes_seed_is_given_to_the_scene_alone(launch, composed):
    started = launch("sim.launch.py", "seed:=1000003", "task:=push", "speed:=2", f"composed:={composed}")
    for process in started:
        assert process.parameters_of("mpc_node")["seed"] == 0
        scene = process.parameters_of(SIM_NODE)
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
        assert process.parameters_of("encoder_node")["model"] == process.parameters_of("mpc_node")["model"] == model
        assert not any(process.parameters_of(node)["use_sim_time"] for node in (*PLANNER_NODES, SIM_NODE))
        scene = process.parameters_of(SIM_NODE)
        assert (scene["seed"], scene["task"], scene["speed"]) == (5, "push", 0.5)
    other = str(model_folder().parent / "panda-varied")
    for process in launch("sim.launch.py", *arguments, f"model:={other}", "use_sim_time:=true", "seed:=6"):
        assert process.parameters_of("encoder_node")["model"] == other
        assert process.parameters_of("arm_node")["use_sim_time"] is True
        assert process.parameters_of(SIM_NODE)["seed"] == 6


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


def test_a_namespace_pushed_by_others_is_where_parameter_files_are_read_for(launch, tmp_path):
    file = tmp_path / "user.yaml"
    file.write_text("/cell/left/arm_node: {ros__parameters: {speed_scale: 0.2}}")
    [process] = launch("planner.launch.py", f"params_file:={file}", "namespace:=left", "ros_namespace:=/cell")
    assert process.parameters_of("arm_node")["speed_scale"] == 0.2
