"""The simulated robot through the ROS 2 nodes: trials, films, and how long things take."""
