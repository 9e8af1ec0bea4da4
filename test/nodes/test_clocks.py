"""Computers whose clocks differ: no picture of a moving arm is planned from, and a goal that ends names the clocks."""

from collections import deque

import numpy as np
import pytest
import torch

from jepa_planner.control.arm_executive import Mode
from jepa_planner.core.observation import Observation
from jepa_planner.core.status import OK
from jepa_planner.nodes import goal_executor
from jepa_planner.nodes.goal_executor import Ended, ExecutorSettings, GoalExecutor, Outcome
from jepa_planner.nodes.state_buffer import ArmReport, StateBuffer
from jepa_planner.planning.decision import Decision, DecisionKind, Reason

TICK_S, PICTURE_EVERY, LATENCY_S, MOTION_S = 0.01, 3, 0.15, 0.25
PLANS = 7
APART_S = (0.02, 0.3, 0.99, 5.0, -0.02, -0.3, -0.99, -5.0)


class Workcell:
    """An arm, a camera and a planner, each with a clock of its own; the planner's is the one of the test.

    Pictures arrive a while after their exposure, which stands in the latent. Time passes while the executor waits.
    """

    def __init__(self, monkeypatch, camera_ahead_s: float = 0.0, arm_ahead_s: float = 0.0) -> None:
        self.now_s = 100.0
        self.camera_ahead_s, self.arm_ahead_s = camera_ahead_s, arm_ahead_s
        self.motions = [(-np.inf, 90.0)]
        self.planned_from: list[float] = []
        self._ticks = 0
        self._under_way: deque[float] = deque()
        self.state_buffer = StateBuffer(1.0, 1.0, lambda: self.now_s)
        self.state_buffer.changed.wait = self.pass_time
        monkeypatch.setattr(goal_executor.time, "monotonic", lambda: self.now_s)
        self.executor = GoalExecutor(
            lambda: self, self.state_buffer, self, ExecutorSettings(), lambda: self.now_s, state_channels=8
        )

    def pass_time(self, _: float) -> None:
        self.now_s += TICK_S
        self._ticks += 1
        moving, rest_since_s = self.moving_at(self.now_s), self.motions[-1][1]
        if moving:
            rest_since_s = self.motions[-2][1]
        pose = np.zeros(6)
        self.state_buffer.feel(
            ArmReport(
                self.now_s + self.arm_ahead_s, Mode.MOVING if moving else Mode.HOLDING, moving, "",
                rest_since_s + self.arm_ahead_s, len(self.motions) - 1, 0, pose, pose, 0.0, 0.0,
            )
        )  # fmt: skip
        if self._ticks % PICTURE_EVERY == 0:
            self._under_way.append(self.now_s)
        while self._under_way and self._under_way[0] + LATENCY_S <= self.now_s:
            exposed_s = self._under_way.popleft()
            picture = torch.tensor([[exposed_s]], dtype=torch.float64)
            self.state_buffer.see(Observation(picture, stamp_s=exposed_s + self.camera_ahead_s))

    def moving_at(self, time_s: float) -> bool:
        return any(began_s < time_s < ended_s for began_s, ended_s in self.motions)

    def step(self, observation) -> Decision:
        self.planned_from.append(observation.latent.item())
        steps = len(self.planned_from)
        return Decision(
            DecisionKind.MOVE, Reason.ON_THE_WAY, "", 1.0, 0, 0, steps, steps, action=np.zeros(7, np.float32)
        )

    def send(self, decision, observation, arm, spent) -> int:
        if len(self.motions) > PLANS:
            raise Ended(Outcome.CANCELLED, "enough")
        self.motions.append((self.now_s, self.now_s + MOTION_S))
        return len(self.motions) - 1

    def want_picture(self, from_s: float) -> None:
        pass

    def hold(self) -> None:
        pass

    def report(self, decision, status) -> None:
        pass


@pytest.mark.parametrize("ahead_s", APART_S)
def test_no_picture_of_the_moving_arm_is_planned_from_whatever_the_cameras_clock(monkeypatch, ahead_s):
    cell = Workcell(monkeypatch, camera_ahead_s=ahead_s)
    end = cell.executor.run()
    assert not any(cell.moving_at(exposed_s) for exposed_s in cell.planned_from)
    if abs(ahead_s) == 0.02 or ahead_s == -0.3:
        assert len(cell.planned_from) > PLANS
    else:
        assert end.outcome is Outcome.STALE_IMAGE
        assert "the clocks of its source's computer and of mpc_node's differ" in end.message
        assert cell.planned_from == []


@pytest.mark.parametrize("ahead_s", APART_S)
def test_no_picture_of_the_moving_arm_is_planned_from_whatever_the_arms_clock(monkeypatch, ahead_s):
    cell = Workcell(monkeypatch, arm_ahead_s=ahead_s)
    end = cell.executor.run()
    assert not any(cell.moving_at(exposed_s) for exposed_s in cell.planned_from)
    if ahead_s > 0.02 or ahead_s == -5.0:
        assert end.outcome is Outcome.STALE_JOINT_STATE
        assert "the clocks of its source's computer and of mpc_node's differ" in end.message
        assert cell.planned_from == []
    else:
        assert len(cell.planned_from) > PLANS


def test_an_encoder_whose_clock_is_ahead_is_found_out_though_its_latents_come_late_enough_to_hide_it(monkeypatch):
    cell = Workcell(monkeypatch, camera_ahead_s=0.14)
    cell.state_buffer.hear("encoder_node", cell.now_s + 0.14, OK)
    end = cell.executor.run()
    assert end.outcome is Outcome.STALE_IMAGE
    assert "what encoder_node says is stamped 0.14 s ahead of mpc_node's clock" in end.message
    assert cell.planned_from == []
