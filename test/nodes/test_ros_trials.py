import math
import os
import socket
from types import SimpleNamespace

import pytest
import rclpy
from jepa_planner.msg import ArmState

from jepa_planner.cli.ros import trials
from jepa_planner.cli.ros.trials import FIRST_PORT, PORTS_PER_DOMAIN, REST_S, free_domain, run_ros_trials
from jepa_planner.learning.evaluation.trials import Trial, TrialSettings
from jepa_planner.nodes.client import PlannerError
from jepa_planner.nodes.conversions import time_message
from jepa_planner.nodes.goal_executor import Outcome
from jepa_planner_sim.arm_driver import ACTION_PERIOD_S
from jepa_planner_sim.tasks import HOLD_STEPS


def claim(domain: int) -> socket.socket:
    claimed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    claimed.bind(("", FIRST_PORT + PORTS_PER_DOMAIN * domain))
    return claimed


def test_the_arm_rests_as_long_as_the_judge_of_the_simulator_holds_a_success_and_one_period_more():
    assert REST_S == (HOLD_STEPS + 1) * ACTION_PERIOD_S


def test_a_domain_in_use_is_left_to_those_who_use_it():
    taken = free_domain()
    with claim(taken):
        assert free_domain() != taken
    assert free_domain() == taken


def test_a_participant_of_a_domain_listens_where_it_is_looked_for(ros):
    node = rclpy.create_node("somebody", use_global_arguments=False)
    try:
        with pytest.raises(OSError, match="in use"):
            claim(int(os.environ["ROS_DOMAIN_ID"]))
    finally:
        node.destroy_node()


class FakeClient:
    """Nodes that end a goal as they are told; simulated time passes when somebody looks at it, unless it is held."""

    def __init__(self, outcome: Outcome, solved: bool, was_solved: bool, tick_s: float = 0.1) -> None:
        self._outcome, self._tick_s, self._time_s = outcome, tick_s, 0.0
        self._status = SimpleNamespace(solved=solved, was_solved=was_solved, distance_m=0.01)
        self.ended_s = math.nan
        self.judged_s = math.nan

    @property
    def arm_state(self) -> ArmState:
        self._time_s += self._tick_s
        state = ArmState()
        state.header.stamp = time_message(self._time_s)
        return state

    def set_up_task(self, *_):
        return SimpleNamespace(goals=[], max_steps=15)

    def task_status(self):
        self.judged_s = self._time_s
        return self._status

    def reach(self, goals, max_steps, on_feedback):
        self.ended_s = self._time_s
        return SimpleNamespace(
            outcome=self._outcome, message="said", steps=9, certainty=0.5, object_offset_m=math.inf
        )  # fmt: skip

    def stop_arm(self) -> None: ...

    def reset_arm(self) -> None: ...


def tried(client: FakeClient, **settings) -> Trial:
    (trial,) = run_ros_trials(client, TrialSettings("reach", 1, **settings))
    return trial


@pytest.mark.parametrize(
    ("outcome", "solved", "was_solved", "success"),
    [
        (Outcome.REACHED, True, True, True),
        (Outcome.REACHED, False, True, False),
        (Outcome.REACHED, True, False, False),
        (Outcome.STALLED, True, True, False),
        (Outcome.ARM_STOPPED, False, False, False),
    ],
)
def test_a_trial_through_the_nodes_counts_if_they_said_reached_and_were_right(outcome, solved, was_solved, success):
    trial = tried(FakeClient(outcome, solved, was_solved))
    assert (trial.success, trial.solved_at_end, trial.was_solved) == (success, solved and was_solved, was_solved)
    assert (trial.reason, trial.ended, trial.steps) == (outcome.name, "said", 9)
    assert (trial.certainty, trial.off_m, trial.first_success) == (0.5, None, None)


def test_through_the_nodes_what_was_solved_at_some_moment_counts_where_that_is_asked_for():
    assert tried(FakeClient(Outcome.STALLED, False, True), stop_at_success=True).success


def test_the_simulator_judges_once_the_arm_has_rested():
    client = FakeClient(Outcome.REACHED, True, True)
    tried(client)
    assert client.judged_s - client.ended_s >= REST_S


def test_a_simulation_that_stands_still_is_named(monkeypatch):
    monkeypatch.setattr(trials, "REST_TIMEOUT_S", 0.05)
    with pytest.raises(PlannerError, match="simulated time does not pass"):
        tried(FakeClient(Outcome.REACHED, True, True, tick_s=0.0))
