"""ROS 2 nodes: thin layers between messages and the parts that know nothing of ROS."""
