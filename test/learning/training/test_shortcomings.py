import pytest

from jepa_planner.learning.training.probes import Readout
from jepa_planner.learning.training.shortcomings import notes_on_predictions, notes_on_training, without_shortcomings

KNOWS, KNOWS_NOT = (Readout("cm", 14.0, 2.0, mlp, mlp) for mlp in (0.5, 13.0))
GOOD = {"object_moves": [0.1], "object_moves_copy": [0.8], "arm_only": [0.01], "arm_only_copy": [0.2]}


def test_nothing_is_said_of_a_model_that_is_worth_something():
    assert notes_on_training(GOOD, KNOWS) == ()


@pytest.mark.parametrize("kind", ["object_moves", "arm_only"])
def test_a_model_that_is_no_better_than_copying_is_said_to_be_so(kind):
    (note,) = notes_on_training({**GOOD, kind: [2.85], f"{kind}_copy": [0.12]}, KNOWS)
    assert "no better than copying the last latent: error 2.85 beside 0.12" in note


def test_windows_of_which_there_are_none_say_nothing():
    assert notes_on_predictions([0.0, 0.0], [0.0, 0.0]) == ()


def test_latents_that_do_not_show_the_arm_are_said_not_to():
    (note,) = notes_on_training(GOOD, KNOWS_NOT)
    assert "hardly show where the tcp is: read off 13.0 cm away, where always saying the mean is 14.0 cm away" in note


def test_what_was_found_before_is_forgotten_when_a_model_goes_on_learning():
    (found,) = notes_on_predictions([1.0], [0.5])
    assert without_shortcomings(("crop: the centre", found)) == ("crop: the centre",)
