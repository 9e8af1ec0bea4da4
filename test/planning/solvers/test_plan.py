import torch

from jepa_planner.planning.solvers.plan import Plan


def test_a_shifted_plan_goes_on_after_the_executed_action_and_ends_with_none():
    actions = torch.arange(1.0, 22.0).reshape(3, 7)
    shifted = Plan(actions, energy=0.0, evaluations=1, seconds=0.0).shifted()
    assert shifted.shape == (1, 3, 7)
    assert torch.equal(shifted[0, :2], actions[1:])
    assert (shifted[0, 2] == 0).all()
    assert actions[0, 0] == 1.0


def test_the_runners_up_are_shifted_too_and_come_after_the_plan():
    actions, others = torch.ones(2, 7), torch.full((3, 2, 7), 2.0)
    shifted = Plan(actions, energy=0.0, evaluations=1, seconds=0.0, alternatives=others).shifted()
    assert shifted[:, 0, 0].tolist() == [1.0, 2.0, 2.0, 2.0]
    assert (shifted[:, 1] == 0).all()
