"""Energies over time beside the tolerance, as ECharts takes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from jepa_planner.nodes.watch.goal_log import EnergyPoint


def energy_options(points: Sequence[EnergyPoint]) -> dict[str, Any]:
    """A line for energies, broken where another goal picture is pursued: that is another energy; one for tolerances."""
    begin_s = points[0].time_s if points else 0.0
    energies: list[list[float | None]] = []
    tolerances: list[list[float]] = []
    sub_goal = points[0].sub_goal if points else 0
    for point in points:
        at_s = round(point.time_s - begin_s, 2)
        if point.sub_goal != sub_goal:
            energies.append([at_s, None])
            sub_goal = point.sub_goal
        energies.append([at_s, point.energy if math.isfinite(point.energy) else None])
        tolerances.append([at_s, point.tolerance])
    return {
        "animation": False,
        "grid": {"left": 60, "right": 20, "top": 30, "bottom": 40},
        "legend": {"data": ["energy", "tolerance"], "top": 0, "bottom": "auto"},
        "xAxis": {"type": "value", "name": "s", "min": 0},
        "yAxis": {"type": "value", "min": 0},
        "series": [
            {"name": "energy", "type": "line", "data": energies, "symbolSize": 4},
            {"name": "tolerance", "type": "line", "data": tolerances, "step": "end", "symbol": "none",
             "lineStyle": {"type": "dashed"}},
        ],
    }  # fmt: skip
