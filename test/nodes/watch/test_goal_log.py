import math
from types import SimpleNamespace

from jepa_planner.nodes.watch.goal_log import MOST_GOALS, EndedGoal, EnergyPoint, GoalLog


def point(step: int, sub_goal: int = 0, energy: float = 1.0) -> EnergyPoint:
    return EnergyPoint(float(step), step, sub_goal, 2, energy, 0.1)


def ended(goal_id: str) -> EndedGoal:
    return EndedGoal(goal_id, 0.0, 0, "REACHED", "done", 3, 0.05)


def test_energies_are_those_of_the_goal_that_is_pursued():
    log = GoalLog()
    log.begin("a")
    log.plan(point(1))
    log.plan(point(2))
    log.begin("b")
    log.plan(point(1, energy=0.5))
    assert [each.energy for each in log.points] == [0.5] and log.pursued == "b" and log.began == 2


def test_energies_of_a_goal_stay_when_it_has_ended():
    log = GoalLog()
    log.begin("a")
    log.plan(point(1))
    log.end(ended("a"))
    assert log.pursued == "" and len(log.points) == 1


def test_the_end_of_an_older_goal_does_not_end_the_newer_one():
    log = GoalLog()
    log.begin("a")
    log.begin("b")
    log.end(ended("a"))
    assert log.pursued == "b" and [goal.goal_id for goal in log.ended] == ["a"]


def test_a_goal_whose_begin_was_not_heard_does_not_go_on_the_one_before():
    log = GoalLog()
    log.plan(point(5))
    log.plan(point(1))
    assert [each.step for each in log.points] == [1]


def test_the_newest_end_comes_first_and_old_ones_are_let_go():
    log = GoalLog()
    for number in range(MOST_GOALS + 5):
        log.end(ended(str(number)))
    assert log.ended[0].goal_id == str(MOST_GOALS + 4) and len(log.ended) == MOST_GOALS


def test_statistics_of_a_model_without_a_verdict_have_no_words():
    header = SimpleNamespace(stamp=SimpleNamespace(sec=3, nanosec=500_000_000))
    told = SimpleNamespace(
        header=header, step=1, sub_goal=0, sub_goals=1, energy=0.5, tolerance=0.1, certainty=math.nan,
        object_offset_m=math.nan,
    )  # fmt: skip
    assert EnergyPoint.of(told) == EnergyPoint(3.5, 1, 0, 1, 0.5, 0.1, "")
