import numpy as np
import pytest
from jepa_planner.msg import Plan

from jepa_planner.nodes.markers import BEST_ALPHA, CANDIDATES, WORST_ALPHA, candidate_marker


def test_candidates_are_lines_from_the_tcp_through_their_targets_the_best_strongest():
    plan = Plan()
    plan.header.frame_id = "base_link"
    targets_m = np.arange(2 * 3 * 3, dtype=float).reshape(2, 3, 3)
    marker = candidate_marker(plan, (0.5, 0.6, 0.7), targets_m)
    assert (marker.ns, marker.type, marker.header.frame_id) == (CANDIDATES, marker.LINE_LIST, "base_link")
    ends = np.array([[p.x, p.y, p.z] for p in marker.points]).reshape(2, 3, 2, 3)
    assert ends[:, 0, 0] == pytest.approx(np.array([[0.5, 0.6, 0.7]] * 2))
    assert ends[:, :, 1] == pytest.approx(targets_m) and ends[:, 1:, 0] == pytest.approx(targets_m[:, :-1])
    alphas = [colour.a for colour in marker.colors]
    assert len(alphas) == len(marker.points) and alphas[:6] == pytest.approx([BEST_ALPHA] * 6)
    assert alphas[6:] == pytest.approx([WORST_ALPHA] * 6)
