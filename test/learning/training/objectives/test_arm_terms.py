import pytest
import torch
from batches import NUMBERS, encoded, gaussian, generator
from torch import Tensor, nn

from jepa_planner.learning.training.objectives.arm_terms import (
    GRIPPER_IMPORTANCE,
    YAW_IMPORTANCE,
    InverseDynamics,
    StateReadout,
)
from jepa_planner.learning.training.objectives.encoded import Encoded


def batch(arm: Tensor, change: Tensor) -> Encoded:
    latents = encoded(gaussian())
    return Encoded(latents.latents, latents.predicted, arm, change)


def says_nothing(term: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in term.parameters():
            parameter.zero_()
    return term


def test_errors_of_gripper_and_yaw_count_as_often_as_they_say():
    term = says_nothing(InverseDynamics(NUMBERS))
    still = torch.zeros(64, 4, 5)
    errors = [term(batch(still, torch.eye(5)[channel].expand(64, 3, 5)), generator()).item() for channel in range(5)]
    assert errors[4] / errors[0] == pytest.approx(GRIPPER_IMPORTANCE)
    assert errors[3] / errors[0] == pytest.approx(YAW_IMPORTANCE)
    assert sum(errors) == pytest.approx(1.0)


def test_the_state_is_that_of_the_predicted_frame():
    term = says_nothing(StateReadout(NUMBERS))
    arm = torch.zeros(64, 4, 5)
    arm[:, 0] = 9.0
    assert term(batch(arm, arm[:, 1:]), generator()) == 0.0
    arm[:, 1:] = 2.0
    assert term(batch(arm, arm[:, 1:]), generator()).item() == pytest.approx(4.0)


@pytest.mark.parametrize("kind", [InverseDynamics, StateReadout])
def test_what_is_in_the_latents_is_learned(kind):
    latents = gaussian()
    arm = latents[..., :5]
    batch_of = Encoded(latents, latents[:, 1:], arm, arm[:, 1:] - arm[:, :-1])
    torch.manual_seed(0)
    term = kind(NUMBERS)
    first = term(batch_of, generator()).item()
    optimiser = torch.optim.Adam(term.parameters(), lr=1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        term(batch_of, generator()).backward()
        optimiser.step()
    assert term(batch_of, generator()) < 0.2 * first
