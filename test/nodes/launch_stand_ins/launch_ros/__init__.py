"""Stands in for `launch_ros`, as `launch` beside it."""
