"""Goals for the UR5e's cell through ROS topics alone: somebody shows them at the arm, the planner reaches them."""

import studies.ur5e  # noqa: F401  (where the cell's own modules are)
