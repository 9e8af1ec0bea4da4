"""All nodes of the planner in one process: what launch files start."""

import sys

from jepa_planner.nodes.graph import composed
from jepa_planner.nodes.running import run


def main() -> int:
    """Runs the nodes until SIGINT or SIGTERM; the arguments are those of ROS."""
    return run(composed)


if __name__ == "__main__":
    sys.exit(main())
