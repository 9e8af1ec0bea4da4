"""The planner with the simulated arm, cameras and table.

ros2 launch jepa_planner sim.launch.py task:=push seed:=1000001 speed:=2.0
"""

from jepa_planner.nodes.launching import launch_description
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    return launch_description(sim=True)
