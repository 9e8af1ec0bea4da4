"""The planned path as markers for RViz."""

from collections.abc import Sequence

import numpy as np
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from jepa_planner.msg import Plan
from jepa_planner.nodes.conversions import point

LINE_WIDTH_M = 0.004
POINT_SIZE_M = 0.012
FIRST_STEP = ColorRGBA(r=0.1, g=0.8, b=0.2, a=1.0)
LATER_STEPS = ColorRGBA(r=0.9, g=0.6, b=0.1, a=0.8)


def path_markers(plan: Plan, start_m: Sequence[float] | np.ndarray) -> MarkerArray:
    """A line through the targets of a plan and a ball at each; the step that will be executed has its own colour."""
    targets = [pose.position for pose in plan.poses]
    path = [point(start_m), *targets]
    line = _marker(plan, 0, Marker.LINE_STRIP, path, LINE_WIDTH_M)
    balls = _marker(plan, 1, Marker.SPHERE_LIST, targets, POINT_SIZE_M)
    return MarkerArray(markers=[line, balls])


def _marker(plan: Plan, number: int, kind: int, points: list[Point], size_m: float) -> Marker:
    marker = Marker(header=plan.header, ns="plan", id=number, type=kind, action=Marker.ADD, points=points)
    marker.scale.x = marker.scale.y = marker.scale.z = size_m
    marker.pose.orientation.w = 1.0
    later = len(points) - (2 if kind == Marker.LINE_STRIP else 1)
    marker.colors = [FIRST_STEP] * (len(points) - later) + [LATER_STEPS] * later
    return marker
