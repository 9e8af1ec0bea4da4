"""Goals for the UR5e's cell through ROS topics alone: somebody shows them at the arm, the planner reaches them."""
