import numpy as np
import pytest
import torch

from jepa_planner.core.observation import Observation
from jepa_planner.model.contract_sections import OutOfDistributionSpec
from jepa_planner.model.latent_statistics import LatentStatistics
from jepa_planner.planning.decision import Decision, DecisionKind, Reason
from jepa_planner.planning.out_of_distribution import MonitoredController, OutOfDistributionGoalError, check_goal
from jepa_planner.planning.verdict import Verdict

SPEC = OutOfDistributionSpec(latent_distance=3.0, arm_error_m=0.05, surprise=1.0, data="a test")
STATE = torch.tensor([0.5, 0.0, 0.1, 0, 0, 0, 0, 0])
LATENT = torch.zeros(2, 2)


class Inner:
    """Decides to move by 1 on every channel, and remembers what it was told."""

    def __init__(self) -> None:
        self.seen, self.noted, self.forgotten, self.verdict = [], [], 0, None

    def step(self, observation) -> Decision:
        self.seen.append(observation)
        numbers = {"sub_goal": 1, "sub_goals_reached": 1, "steps_in_sub_goal": 2, "total_steps": len(self.seen)}
        return Decision(
            DecisionKind.MOVE, Reason.ON_THE_WAY, "moving", 2.0, action=np.ones(7, np.float32), verdict=self.verdict,
            **numbers,
        )  # fmt: skip

    def note_executed(self, action) -> None:
        self.noted.append(action)

    def forget_last_action(self) -> None:
        self.forgotten += 1


class Imagines:
    """Imagines that actions add their first number to every channel; energies are mean squares."""

    def energies(self, context, goal, actions):
        imagined = context.latents[-1] + actions[:, 0, 0, None, None]
        return (imagined - goal).square().mean(dim=(1, 2))


def monitored(spec: OutOfDistributionSpec = SPEC) -> tuple[MonitoredController, Inner]:
    inner = Inner()
    return MonitoredController(inner, known(), spec, Imagines()), inner


def known() -> LatentStatistics:
    eye = torch.eye(4)
    return LatentStatistics(
        mean=torch.zeros(4),
        whitening=eye,
        tcp_weight=eye[:, :3],
        tcp_bias=STATE[:3],
        tcp_min=STATE[:3] - 0.2,
        tcp_max=STATE[:3] + 0.2,
    )


def test_what_is_in_distribution_is_left_to_the_controller():
    controller, inner = monitored()
    assert controller.step(Observation(LATENT, state=STATE)).reason is Reason.ON_THE_WAY
    assert len(inner.seen) == 1


def test_a_latent_far_from_training_data_ends_the_work_by_name():
    controller, inner = monitored()
    decision = controller.step(Observation(LATENT + 4.0, state=STATE))
    assert (decision.kind, decision.reason) == (DecisionKind.GAVE_UP, Reason.UNFAMILIAR_IMAGE)
    assert "distance 4.00, limit 3.00" in decision.message
    assert decision.action is None and inner.seen == []


def test_each_decision_says_how_unfamiliar_its_observation_is():
    controller, _ = monitored()
    assert controller.step(Observation(LATENT, state=STATE)).unfamiliarity == 0.0
    assert controller.step(Observation(LATENT + 1.5, state=STATE)).unfamiliarity == pytest.approx(0.5)
    assert controller.step(Observation(LATENT + 4.0, state=STATE)).unfamiliarity == pytest.approx(4 / 3)


def test_a_picture_that_shows_the_arm_elsewhere_ends_the_work_by_name():
    controller, _ = monitored()
    elsewhere = STATE.clone()
    elsewhere[1] = 0.2
    decision = controller.step(Observation(LATENT, state=elsewhere))
    assert decision.reason is Reason.UNFAMILIAR_IMAGE
    assert "0.200 m from where the joints say" in decision.message


def lenient() -> MonitoredController:
    return monitored(OutOfDistributionSpec(latent_distance=99.0, arm_error_m=99.0, surprise=0.5, data="a test"))[0]


def test_what_was_imagined_is_no_surprise_and_anything_else_is():
    controller = lenient()
    controller.step(Observation(LATENT, state=STATE))
    assert controller.step(Observation(LATENT + 1.0, state=STATE)).reason is Reason.ON_THE_WAY
    decision = controller.step(Observation(LATENT + 1.0, state=STATE))
    assert (decision.kind, decision.reason) == (DecisionKind.GAVE_UP, Reason.SURPRISED)
    assert "energy 1 from what was imagined, limit 0.5" in decision.message
    assert (decision.sub_goal, decision.total_steps) == (1, 2)


def test_what_was_last_said_of_the_work_is_kept_where_the_monitor_ends_it():
    controller, inner = monitored()
    inner.verdict = Verdict(0.3, 0.05, "objects are 5.0 cm off")
    controller.step(Observation(LATENT, state=STATE))
    decision = controller.step(Observation(LATENT + 4.0, state=STATE))
    assert decision.reason is Reason.UNFAMILIAR_IMAGE and decision.verdict == inner.verdict


def test_an_action_that_was_not_executed_is_not_imagined():
    controller = lenient()
    controller.step(Observation(LATENT, state=STATE))
    controller.note_executed(np.zeros(7))
    assert controller.step(Observation(LATENT, state=STATE)).reason is Reason.ON_THE_WAY


def test_a_refused_action_cannot_surprise_and_is_no_step():
    controller, inner = monitored(
        OutOfDistributionSpec(latent_distance=5.0, arm_error_m=99.0, surprise=0.5, data="a test")
    )
    controller.step(Observation(LATENT, state=STATE))
    controller.step(Observation(LATENT + 1.0, state=STATE))
    controller.forget_last_action()
    assert inner.forgotten == 1
    assert controller.step(Observation(LATENT - 1.0, state=STATE)).reason is Reason.ON_THE_WAY
    controller.forget_last_action()
    decision = controller.step(Observation(LATENT + 9.0, state=STATE))
    assert (decision.reason, decision.steps_in_sub_goal, decision.total_steps) == (Reason.UNFAMILIAR_IMAGE, 1, 2)


def test_a_latent_of_nan_is_left_to_the_controllers_own_name_for_it():
    controller, inner = monitored()
    controller.step(Observation(torch.full((2, 2), float("nan")), state=STATE))
    assert len(inner.seen) == 1


def test_a_goal_is_out_of_distribution_where_its_picture_or_the_arm_in_it_is_unknown():
    check_goal(LATENT, known(), SPEC, "it")
    outside = torch.tensor([[0.5, 0.0], [0.0, 0.0]])
    for latent, why in ((LATENT + 4.0, "distance 4.00, limit 3.00"), (outside, "it shows the tcp 0.300 m outside")):
        with pytest.raises(OutOfDistributionGoalError, match=why):
            check_goal(latent, known(), SPEC, "it")


def test_pictures_are_no_part_of_what_is_in_distribution_and_reach_the_controller():
    control, inner = monitored()
    images = torch.full((1, 3, 2, 2), 99.0)
    assert control.step(Observation(LATENT, images, STATE)).kind is DecisionKind.MOVE
    assert torch.equal(inner.seen[0].images, images)
