import torch

from jepa_planner.planning.candidates import PER_BATCH, SHOWN, CandidateSample


def batch(count: int, first: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Candidates whose only number is their energy."""
    energies = first + torch.arange(float(count)).flip(0)
    return energies[:, None, None].expand(count, 2, 7).clone(), energies


def test_shown_are_candidates_with_their_own_energies_from_the_best_to_the_worst():
    sample = CandidateSample()
    for first in (50.0, 7.0):
        sample.note(*batch(400, first))
    shown = sample.shown()
    assert shown is not None and shown.actions.shape == (SHOWN, 2, 7)
    assert torch.equal(shown.actions[:, 0, 0], shown.energies)
    assert torch.equal(shown.energies, shown.energies.sort().values)
    assert shown.energies[0] == 7.0 and shown.energies[-1] > 400.0


def test_of_a_large_batch_few_are_kept():
    sample = CandidateSample()
    sample.note(*batch(100_000))
    assert sum(map(len, sample._energies)) <= PER_BATCH + 2


def test_of_few_all_are_shown_and_a_buffer_may_be_used_again():
    sample = CandidateSample()
    actions, energies = batch(2)
    sample.note(actions, energies)
    actions.zero_(), energies.zero_()
    shown = sample.shown()
    assert shown is not None and shown.energies.tolist() == [0.0, 0.0, 1.0]  # the best counts once more


def test_without_a_search_there_are_none():
    assert CandidateSample().shown() is None


def test_energies_that_carry_a_gradient_are_let_go_of():
    sample = CandidateSample()
    actions, energies = batch(3)
    sample.note(actions.requires_grad_(), energies.requires_grad_())
    shown = sample.shown()
    assert shown is not None and not shown.actions.requires_grad and not shown.energies.requires_grad
