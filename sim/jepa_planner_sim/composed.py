"""All nodes of the planner and the simulated robot in one process: what launch files start."""

import sys

from jepa_planner.nodes.graph import composed
from jepa_planner.nodes.running import run
from jepa_planner_sim.sim_node import SimNode


def main() -> int:
    """Runs the nodes until SIGINT or SIGTERM; the arguments are those of ROS."""
    return run(lambda: composed(SimNode))


if __name__ == "__main__":
    sys.exit(main())
