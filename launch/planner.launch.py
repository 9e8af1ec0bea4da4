"""The planner for a robot whose drivers run already: encoder, predictor, mpc and arm nodes.

ros2 launch jepa_planner planner.launch.py model:=/path/to/bundle namespace:=left composed:=false
ros2 launch jepa_planner planner.launch.py remap:="joint_trajectory:=/my_controller/joint_trajectory"
"""

from jepa_planner.nodes.launching import launch_description
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    return launch_description(sim=False)
