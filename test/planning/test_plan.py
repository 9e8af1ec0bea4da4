import torch

from jepa_planner.planning.plan import Plan


def test_a_shifted_plan_goes_on_after_the_executed_action_and_ends_with_none():
    actions = torch.arange(1.0, 22.0).reshape(3, 7)
    shifted = Plan(actions, energy=0.0, evaluations=1, seconds=0.0).shifted()
    assert torch.equal(shifted[:2], actions[1:])
    assert (shifted[2] == 0).all()
    assert actions[0, 0] == 1.0
