import pytest
import torch
from landscapes import SPACE

from jepa_planner.planning.action_space import ActionSpace
from jepa_planner.planning.solvers.proposals import NAMED, named_proposals, starting_points

NARROW = ActionSpace((0.1, 0.1, 0.0, 0.2, 0.0, 0.0, 0.75), initial_std=(0.04, 0.3, 0.05, 0.1, 0.0, 0.0, 1.0))


@pytest.mark.parametrize(("name", "first"), [("noop", 0.0), ("open", -0.75), ("close", 0.75)])
def test_the_gripper_sequences_move_only_the_gripper_and_only_in_the_first_step(name, first):
    (sequence,) = named_proposals([name], NARROW, 3)
    assert sequence[0, 6] == first
    assert sequence.abs().sum() == abs(first)


def test_axes_go_both_ways_along_each_free_axis_of_the_arm_by_its_spread_and_within_its_bound():
    sequences = named_proposals(["axes"], NARROW, 2)
    steps = [tuple(round(x, 6) for x in sequence[0].tolist()) for sequence in sequences]
    assert sorted(steps) == sorted(
        tuple(sign * size * (axis == moving) for axis in range(7))
        for moving, size in ((0, 0.04), (1, 0.1), (3, 0.1))
        for sign in (1, -1)
    )
    assert torch.equal(sequences[:, 0], sequences[:, 1])


def test_diagonals_go_to_every_corner_of_the_free_translations():
    sequences = named_proposals(["diagonals"], SPACE, 3)
    assert len({tuple(sequence[0, :3].sign().tolist()) for sequence in sequences}) == len(sequences) == 8
    assert (sequences[:, :, 3:] == 0).all()
    assert len(named_proposals(["diagonals"], NARROW, 3)) == 4


@pytest.mark.parametrize("name", NAMED)
def test_every_named_sequence_lies_within_the_bounds(name):
    sequences = named_proposals([name], NARROW, 3)
    assert torch.equal(NARROW.clip(sequences), sequences)


def test_a_search_begins_with_the_best_guess_and_tries_it_first():
    given = torch.stack([torch.full((2, 7), 0.05), torch.full((2, 7), 9.0)])
    given[:, :, 3:6] = 0.0
    mean, sequences = starting_points(given, ["close"], SPACE, 2)
    assert torch.equal(mean, given[0]) and torch.equal(sequences[0], given[0])
    assert torch.equal(sequences[1], SPACE.clip(given[1]))
    assert sequences[2, 0, 6] == 1.0 and len(sequences) == 3


@pytest.mark.parametrize("nothing", [None, torch.zeros(0, 2, 7)])
def test_a_search_without_a_guess_begins_with_no_action(nothing):
    mean, sequences = starting_points(nothing, [], SPACE, 2)
    assert (mean == 0).all() and mean.shape == (2, 7) and len(sequences) == 1
