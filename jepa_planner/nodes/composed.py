"""All nodes of the planner in one process; with `--sim` the simulated robot as well. What launch files start."""

import sys

from jepa_planner.nodes.graph import composed
from jepa_planner.nodes.running import run


def main() -> int:
    """Runs the nodes until SIGINT or SIGTERM; the arguments are those of ROS."""
    return run(lambda: composed(with_sim="--sim" in sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
