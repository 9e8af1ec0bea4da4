"""The planner for a robot whose drivers run already: encoder, predictor, mpc and arm nodes.

ros2 launch jepa_planner planner.launch.py model:=/path/to/bundle namespace:=left composed:=false
ros2 launch jepa_planner planner.launch.py remap:="joint_trajectory:=/my_controller/joint_trajectory"
"""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

PACKAGE = "jepa_planner"
COMPOSED = "planner_nodes"
NODES = ("mpc_node", "arm_node", "predictor_node", "encoder_node")
ARGUMENTS = {
    "namespace": ("", "Put all names under this one."),
    "use_sim_time": ("false", "Take the time from /clock."),
    "params_file": ("", "Parameters that override those in config/."),
    "model": ("", "Folder of the model bundle; empty: the one that ships."),
    "remap": ("", "Other names of topics: FROM:=TO, separated by spaces."),
    "composed": ("true", "All nodes in one process, or one process each."),
    "log_level": ("info", "debug, info, warn, error or fatal."),
}


def start(context) -> list[Node]:
    value = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    config = FindPackageShare(PACKAGE).perform(context) + "/config"
    overrides = {"use_sim_time": value["use_sim_time"].lower() == "true", "model": value["model"]}
    extra = [value["params_file"]] if value["params_file"] else []
    common = {
        "package": PACKAGE,
        "namespace": value["namespace"],
        "remappings": [tuple(remap.split(":=")) for remap in value["remap"].split()],
        "ros_arguments": ["--log-level", value["log_level"]],
        "output": "screen",
    }
    if value["composed"].lower() == "true":
        files = [f"{config}/{node}.yaml" for node in NODES]
        return [Node(executable=COMPOSED, parameters=[*files, *extra, overrides], **common)]
    return [
        Node(executable=node, name=node, parameters=[f"{config}/{node}.yaml", *extra, overrides], **common)
        for node in NODES
    ]


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])
