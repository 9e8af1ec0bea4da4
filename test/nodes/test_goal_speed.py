from types import SimpleNamespace

import pytest

from jepa_planner.cli.ros.goal_speed import (
    ExecutedGoals,
    GoalSpeed,
    _execute_goals,
    goal_table,
    search_table,
    step_table,
)
from jepa_planner.learning.evaluation.benchmark.timing import Timing
from jepa_planner.nodes.client import PlannerError
from jepa_planner.nodes.step_clock import StepSeconds

STEPS = (StepSeconds(0.5, 0.01, 0.25, 0.04, 0.02, 0.18), StepSeconds(0.7, 0.03, 0.25, 0.06, 0.04, 0.32))


@pytest.fixture
def found() -> GoalSpeed:
    executed = ExecutedGoals(
        Timing((0.3, 0.3, 0.3)), STEPS, (9.0, 11.0, 30.0), (14, 16, 45), ("REACHED", "REACHED", "STALLED")
    )
    return GoalSpeed(Timing((0.1, 0.2, 0.3)), {"all in one process": executed})


def test_searches_through_the_nodes_stand_beside_those_without_ros(found):
    assert [(row[0], row[3]) for row in search_table(found).rows] == [
        ("no ROS", "1.00"),
        ("all in one process", "1.50"),
    ]


def test_the_parts_of_a_step_stand_beside_it_and_add_up(found):
    table = step_table(found)
    assert table.columns == ("nodes", "a step", "answer", "motion", "picture", "encoding", "decision")
    (row,) = table.rows
    assert row[1:] == ("600", "20", "250", "50", "30", "250")


def test_goals_are_told_with_their_seconds_and_how_they_ended(found):
    assert goal_table(found).rows == (("all in one process", "3", "11.0", "16", "REACHED 2, STALLED 1"),)


def test_goals_that_end_without_a_plan_end_the_measurement_with_their_reason(ros):
    task = SimpleNamespace(goals=[], max_steps=1)
    ended = SimpleNamespace(steps=0, message="the picture is unlike what the model was trained on")
    client = SimpleNamespace(set_up_task=lambda *_: task, reach=lambda *_: ended)
    with pytest.raises(PlannerError, match="no plan was made: the picture is unlike"):
        _execute_goals(client, SimpleNamespace(contract=None), plans=10)
