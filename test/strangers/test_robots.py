"""The robots are strangers: they know nothing of this package, and their controllers keep the rules of ros2_control."""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest

ROBOTS = Path(__file__).parents[2] / "examples" / "robots"
sys.path.append(str(ROBOTS))

import joint_trajectory as jt  # noqa: E402

NAMES = ("b", "a", "c")
Q, STILL = np.array([0.1, 0.2, 0.3]), np.zeros(3)
MEASURED = (Q, STILL)


def points(*at_s: float, q=(1.0, 2.0, 3.0), dq=None) -> list[jt.Waypoint]:
    """A trajectory, of which the joints are named in the order a, b, c."""
    return [jt.Waypoint(at, np.array(q) * at, None if dq is None else np.array(dq)) for at in at_s]


@pytest.mark.parametrize("module", sorted(ROBOTS.glob("*.py")), ids=lambda path: path.stem)
def test_a_strangers_program_imports_nothing_of_this_package_but_its_messages(module):
    imported: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            imported |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    ours = {name for name in imported if name.split(".")[0].startswith("jepa_planner")}
    assert not {name for name in ours if name.split(".")[:2] not in (["jepa_planner", "msg"], ["jepa_planner", "srv"])}
    assert "jepa_planner" not in module.read_text().replace("from jepa_planner.msg", "").replace("jepa_planner.srv", "")


def test_points_are_passed_at_their_times_with_their_velocities_whatever_the_order_of_names():
    follower = jt.Follower(NAMES, Q)
    follower.take(("a", "b", "c"), points(1.0, 2.0), 10.0, 10.0, MEASURED)
    assert follower.update(11.0, Q)[0] == pytest.approx([2.0, 1.0, 3.0])
    assert follower.update(12.0, Q) == (pytest.approx([4.0, 2.0, 6.0]), 0)
    assert follower.update(13.0, Q) == (pytest.approx([4.0, 2.0, 6.0]), None)


def test_between_points_the_way_is_straight_cubic_or_quintic():
    early, late = (jt.Waypoint(at_s, np.array([q])) for at_s, q in ((0.0, 0.0), (2.0, 1.0)))
    still = np.zeros(1)
    assert jt.spline(early, late, 0.5)[0] == pytest.approx(0.25)
    cubic = [jt.Waypoint(point.at_s, point.q, still) for point in (early, late)]
    assert jt.spline(*cubic, 0.5)[0] == pytest.approx(3 / 16 - 2 / 64)
    quintic = [jt.Waypoint(point.at_s, point.q, still, still) for point in (early, late)]
    assert jt.spline(*quintic, 0.5)[0] == pytest.approx(10 / 64 - 15 / 256 + 6 / 1024)
    for pair in (cubic, quintic):
        assert [float(jt.spline(*pair, at_s)[1][0]) for at_s in (0.0, 2.0)] == pytest.approx([0.0, 0.0], abs=1e-12)


def test_a_newer_trajectory_begins_at_the_measured_state_or_at_the_last_command():
    for from_desired, start in ((False, Q), (True, np.array([0.2, 0.1, 0.3]))):
        follower = jt.Follower(NAMES, Q, from_desired)
        follower.take(("a", "b", "c"), points(1.0), 0.0, 0.0, MEASURED)
        desired = follower.update(0.5, Q)[0].copy()
        follower.take(NAMES, points(1.0), 0.5, 0.5, MEASURED)
        assert follower.update(0.5, Q)[0] == pytest.approx(desired if from_desired else start)


@pytest.mark.parametrize(
    ("names", "way", "begins_s", "code"),
    [
        (("a", "b"), points(1.0, q=(1.0, 2.0)), 0.0, jt.INVALID_JOINTS),
        (("a", "b", "d"), points(1.0), 0.0, jt.INVALID_JOINTS),
        (NAMES, [], 0.0, jt.INVALID_GOAL),
        (NAMES, points(1.0, 1.0), 0.0, jt.INVALID_GOAL),
        (NAMES, points(1.0, q=(1.0, 2.0)), 0.0, jt.INVALID_GOAL),
        (NAMES, points(1.0, q=(1.0, 2.0, np.nan)), 0.0, jt.INVALID_GOAL),
        (NAMES, points(1.0, dq=(0.1, 0.0, 0.0)), 0.0, jt.INVALID_GOAL),
        (NAMES, points(1.0), -5.0, jt.OLD_HEADER_TIMESTAMP),
    ],
)
def test_what_the_controller_rejects_is_rejected_with_its_code(names, way, begins_s, code):
    follower = jt.Follower(NAMES, Q)
    with pytest.raises(jt.Rejected) as refusal:
        follower.take(names, way, begins_s, 0.0, MEASURED)
    assert refusal.value.code == code
    assert follower.update(1.0, Q) == (pytest.approx(Q), None)


def test_a_joint_that_leaves_its_path_ends_the_trajectory_where_the_arm_is():
    follower = jt.Follower(NAMES, Q)
    follower.take(("a", "b", "c"), points(1.0), 0.0, 0.0, MEASURED, {"c": 0.5})
    assert follower.update(0.1, Q)[1] is None
    assert follower.update(0.9, Q) == (pytest.approx(Q), jt.PATH_TOLERANCE_VIOLATED)
