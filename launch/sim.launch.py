"""The planner with the simulated arm, cameras and table.

ros2 launch jepa_planner sim.launch.py task:=push seed:=1000001 speed:=2.0
"""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

PACKAGE = "jepa_planner"
COMPOSED = "planner_nodes"
NODES = ("mpc_node", "arm_node", "predictor_node", "encoder_node", "sim_node")
ARGUMENTS = {
    "namespace": ("", "Put all names under this one."),
    "use_sim_time": ("true", "Take the time from the simulation."),
    "params_file": ("", "Parameters that override those in config/."),
    "model": ("", "Folder of the model bundle; empty: the one that ships."),
    "composed": ("true", "All nodes in one process, or one process each."),
    "log_level": ("info", "debug, info, warn, error or fatal."),
    "task": ("pick_place", "Scene at the start: reach, grasp, push, pick_place, stack or rearrange."),
    "seed": ("1000000", "Seed of that scene."),
    "speed": ("1.0", "Simulated seconds per second."),
}


def start(context) -> list[Node]:
    value = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    config = FindPackageShare(PACKAGE).perform(context) + "/config"
    planner = {"use_sim_time": value["use_sim_time"].lower() == "true", "model": value["model"]}
    scene = {"task": value["task"], "seed": int(value["seed"]), "speed": float(value["speed"])}
    extra = [value["params_file"]] if value["params_file"] else []
    common = {
        "package": PACKAGE,
        "namespace": value["namespace"],
        "ros_arguments": ["--log-level", value["log_level"]],
        "output": "screen",
    }
    if value["composed"].lower() == "true":
        parameters = [*(f"{config}/{node}.yaml" for node in NODES), *extra, {**planner, **scene}]
        return [Node(executable=COMPOSED, arguments=["--sim"], parameters=parameters, **common)]
    return [
        Node(
            executable=node,
            name=node,
            parameters=[f"{config}/{node}.yaml", *extra, scene if node == "sim_node" else planner],
            **common,
        )
        for node in NODES
    ]


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])
