"""Episodes from ROS 2 bags of any kind; needs no ROS, but the package rosbags for the types of messages."""
