"""What a trained model is worth, in the words of its contract's notes: nothing is said where it is worth something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jepa_planner.learning.training.probes import Readout
from jepa_planner.model.contract import SHORTCOMINGS

PREDICTIONS, LATENTS = SHORTCOMINGS
READ_BETTER = 0.7
"""Read-outs of the tcp that are off by more than so much of what always saying the mean is, know nothing."""


def notes_on_predictions(errors: Sequence[float], copied: Sequence[float], of: str = "") -> tuple[str, ...]:
    """A note where imagined latents of held-out episodes are no better than copies of the last one seen."""
    imagined, copy = (sum(each) / len(each) for each in (errors, copied))
    if imagined == copy == 0.0 or imagined < copy:  # no such episode was held out
        return ()
    return (
        f"{PREDICTIONS}on held-out episodes{of} they are no better than copying the last latent: error {imagined:.3g} "
        f"beside {copy:.3g}; do not plan with this model",
    )


def notes_on_training(prediction_error: Mapping[str, list[float]], tcp: Readout) -> tuple[str, ...]:
    """Notes on a model trained from nothing, from what its report says."""
    notes: tuple[str, ...] = ()
    for kind, of in (("object_moves", " in which an object moves"), ("arm_only", "")):
        notes += notes_on_predictions(prediction_error[kind], prediction_error[f"{kind}_copy"], of)
    if tcp.mlp_median > READ_BETTER * tcp.constant_median:
        notes += (
            f"{LATENTS}they hardly show where the tcp is: read off {tcp.mlp_median:.1f} {tcp.unit} away, where always "
            f"saying the mean is {tcp.constant_median:.1f} {tcp.unit} away",
        )
    return notes


def without_shortcomings(notes: Sequence[str]) -> tuple[str, ...]:
    """Notes of a model that goes on learning, without what was found of it before."""
    return tuple(note for note in notes if not note.startswith(SHORTCOMINGS))
