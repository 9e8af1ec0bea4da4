"""What both launch files share: their arguments, and the nodes that `ros2 launch` is to start."""

from __future__ import annotations

from collections.abc import Iterable

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from jepa_planner.core.shipped import shipped
from jepa_planner.nodes.parameter_files import known
from jepa_planner.nodes.parameters import Parameter, Value, misspelt
from jepa_planner.nodes.start import RECORD_NODE, SIM_NODE, Start
from launch import LaunchDescription  # type: ignore[attr-defined]  # mypy takes the folder launch/ for the package

PACKAGE = "jepa_planner"
COMPOSED = Parameter("composed", True, "All nodes in one process, or one process each.")
RECORD = Parameter("record", False, "Record each goal.")
USUAL = {
    "namespace": "Put all names under this one.",
    "use_sim_time": "Take the time from /clock: true or false.",
    "params_file": "Parameters that override those in config/.",
    "model": "Folder of the model bundle (default: panda-tabletop, which ships).",
    "remap": "Other names of topics: FROM:=TO, separated by spaces.",
    "composed": "All nodes in one process, or one process each: true (default) or false.",
    "log_level": "debug, info (default), warn, error or fatal.",
    "record": "Record each goal that is pursued, into a bag of its own: true or false (default).",
    "record_out": "Folder for these bags (default: recordings).",
}
SCENE = {
    "task": "Scene at the start: reach, grasp, push, pick_place (default), stack or rearrange.",
    "seed": "Seed of that scene (default 1000000); the search keeps its own.",
    "speed": "Simulated seconds per second (default 1.0).",
}


def launch_description(sim: bool) -> LaunchDescription:
    """The planner's nodes, with the simulated robot or without.

    An argument's default is empty, which stands for "not typed": a parameter file then has the say.
    """
    arguments = {**USUAL, **SCENE} if sim else USUAL
    declared = [DeclareLaunchArgument(name, default_value="", description=text) for name, text in arguments.items()]

    def start(context) -> list[Node]:
        _refuse_misspelt(context.launch_configurations, arguments)
        _refuse_empty(context.argv, arguments)
        given = {name: LaunchConfiguration(name).perform(context) for name in arguments}
        within = context.launch_configurations.get("ros_namespace", "")
        return nodes(sim, {name: text for name, text in given.items() if text}, within)

    return LaunchDescription([*declared, OpaqueFunction(function=start)])


def nodes(sim: bool, arguments: dict[str, str], within: str = "") -> list[Node]:
    """The nodes for what was typed; raises ValueError naming what is wrong. within: see `Start.of`."""
    records = RECORD.read(arguments.get("record", "false"))
    if "record_out" in arguments and not records:
        raise ValueError(f"record_out is {arguments['record_out']!r}, and nothing is recorded; add record:=true")
    start = Start.of(
        sim,
        typed=_values("encoder_node", ("model", "use_sim_time"), arguments),
        scene=_values(SIM_NODE, SCENE, arguments),
        params_files=[arguments["params_file"]] if "params_file" in arguments else [],
        namespace=arguments.get("namespace", ""),
        remaps=arguments.get("remap", "").split(),
        log_level=arguments.get("log_level", ""),
        within=within,
        record=arguments.get("record_out", "") if records else None,
    )
    common = {
        "package": PACKAGE,
        "namespace": start.namespace,
        "remappings": list(start.remaps),
        "parameters": [str(start.parameter_file())],
        "ros_arguments": ["--log-level", start.log_level or "info"],
        "output": "screen",
    }
    if COMPOSED.read(arguments.get("composed", "true")):
        processes = [Node(executable="planner_and_sim_nodes" if sim else "planner_nodes", **common)]
        processes += [Node(executable=RECORD_NODE, name=RECORD_NODE, **common)] if records else []
    else:
        processes = [Node(executable=node, name=node, **common) for node in start.settings]
    return [*processes, *_link_publisher(start)] if sim else processes


def _values(node: str, names: Iterable[str], arguments: dict[str, str]) -> dict[str, Value]:
    return {name: known()[node][name].read(arguments[name]) for name in names if name in arguments}


def _refuse_misspelt(given: Iterable[str], arguments: Iterable[str]) -> None:
    """ROS passes over an argument that nobody declared. Those of a launch file that includes this one are given too, so
    only what is all but one of ours is refused.
    """
    for name in given:
        if close := misspelt(name, arguments):
            raise ValueError(f"no launch argument is called {name}; did you mean {close}?")


def _refuse_empty(argv: Iterable[str], arguments: Iterable[str]) -> None:
    """On the command line nothing behind := is a variable that was not set; from other launch files it means none."""
    for name in arguments:
        if f"{name}:=" in argv:
            raise ValueError(f"{name} is empty; leave it out, or give a value")


def _link_publisher(start: Start) -> list[Node]:
    """What tells the links of the simulated arm on /tf, where it is installed."""
    try:
        from ament_index_python.packages import get_package_prefix

        get_package_prefix("robot_state_publisher")
    except (ImportError, LookupError, OSError):  # not here, not installed, nothing sourced
        return []
    from launch_ros.parameter_descriptions import ParameterValue

    described = ParameterValue(shipped("config/panda.urdf").read_text(), value_type=str)
    return [
        Node(
            package="robot_state_publisher",
            executable="robot_state_publisher",
            namespace=start.namespace,
            remappings=list(start.remaps),
            parameters=[{"robot_description": described, "use_sim_time": start.settings[SIM_NODE]["use_sim_time"]}],
            output="screen",
        )
    ]
