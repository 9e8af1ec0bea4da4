"""The planned path, and the candidates that it was chosen from, as markers for RViz."""

from collections.abc import Sequence
from itertools import pairwise

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
CANDIDATES = "candidates"
"""Their namespace."""
CANDIDATE_WIDTH_M = 0.0015
BEST_ALPHA, WORST_ALPHA = 0.7, 0.15


def path_markers(plan: Plan, start_m: Sequence[float] | np.ndarray) -> MarkerArray:
    """A line through the targets of a plan and a ball at each; the step that will be executed has its own colour."""
    targets = [pose.position for pose in plan.poses]
    path = [point(start_m), *targets]
    line = _marker(plan, 0, Marker.LINE_STRIP, path, LINE_WIDTH_M)
    balls = _marker(plan, 1, Marker.SPHERE_LIST, targets, POINT_SIZE_M)
    return MarkerArray(markers=[line, balls])


def candidate_marker(plan: Plan, start_m: Sequence[float] | np.ndarray, targets_m: np.ndarray) -> Marker:
    """Thin lines through targets [K, H, 3] of candidates, of which the best come first and are drawn strongest."""
    start, points, colours = point(start_m), [], []
    for alpha, targets in zip(np.linspace(BEST_ALPHA, WORST_ALPHA, len(targets_m)), targets_m, strict=True):
        path = [start, *map(point, targets)]
        points += [end for line in pairwise(path) for end in line]
        colours += [ColorRGBA(r=0.2, g=0.5, b=1.0, a=float(alpha))] * (2 * len(targets))
    marker = Marker(header=plan.header, ns=CANDIDATES, type=Marker.LINE_LIST, points=points, colors=colours)
    marker.scale.x = CANDIDATE_WIDTH_M
    marker.pose.orientation.w = 1.0
    return marker


def _marker(plan: Plan, number: int, kind: int, points: list[Point], size_m: float) -> Marker:
    marker = Marker(header=plan.header, ns="plan", id=number, type=kind, action=Marker.ADD, points=points)
    marker.scale.x = marker.scale.y = marker.scale.z = size_m
    marker.pose.orientation.w = 1.0
    later = len(points) - (2 if kind == Marker.LINE_STRIP else 1)
    marker.colors = [FIRST_STEP] * (len(points) - later) + [LATER_STEPS] * later
    return marker
