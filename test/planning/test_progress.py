import math
from dataclasses import replace

import pytest

from jepa_planner.planning.progress import Progress, ProgressSettings
from jepa_planner.planning.verdict import Verdict


def objects(off_m: float) -> Verdict:
    return Verdict(float(off_m < 0.03), off_m, "", objects_hold=off_m < 0.03)


def observations_without(energies, verdicts=None, holds=None, **settings) -> list[int]:
    """How many observations without progress there have been, after each."""
    progress, found = Progress(ProgressSettings(**settings)), []
    for number, energy in enumerate(energies):
        verdict = None if verdicts is None else objects(verdicts[number])
        progress.observe(energy, verdict, holds is not None and holds[number])
        found.append(progress.observations)
    return found


def test_without_a_verdict_energies_that_fall_by_a_tenth_are_progress():
    assert observations_without([2.0, 1.9, 1.85, 1.79, 1.7, 1.6]) == [0, 1, 2, 0, 1, 0]


def test_the_first_observation_is_none_without_progress():
    assert observations_without([2.0], [math.inf]) == [0]


def test_while_objects_lie_elsewhere_energies_are_no_progress():
    assert observations_without([2.0, 1.0, 0.5], [0.1, 0.1, 0.1]) == [0, 1, 2]
    assert observations_without([2.0, 1.0, 0.5], [0.01, 0.01, 0.01]) == [0, 0, 0], "there the arm is what is left to do"


def test_objects_that_come_nearer_than_ever_are_progress():
    assert observations_without([1.0] * 6, [0.2, 0.19, 0.18, 0.25, 0.19, 0.16]) == [0, 1, 0, 1, 2, 0]


def test_objects_that_no_hand_touches_come_no_nearer_whatever_is_read_of_them():
    progress, found = Progress(ProgressSettings()), []
    for off_m, acting in ((0.2, False), (0.12, False), (0.08, False), (0.12, True), (0.10, True)):
        progress.observe(1.0, replace(objects(off_m), acting=acting))
        found.append(progress.observations)
    assert found == [0, 1, 2, 0, 0]


def test_something_held_for_the_first_time_is_progress_and_taking_it_again_is_not():
    held = [False, False, True, False, True]
    assert observations_without([1.0] * 5, [0.2] * 5, held) == [0, 1, 0, 1, 2]


def test_holding_what_the_goal_does_not_show_is_no_progress():
    assert observations_without([1.0] * 3, [math.inf] * 3, [False, True, True]) == [0, 1, 2]
    beyond_telling_at_first = [0.2, math.inf, 0.2]
    assert observations_without([1.0] * 3, beyond_telling_at_first, [False, True, True]) == [0, 1, 0]


def test_what_is_out_of_reach_on_the_average_of_some_observations_ends_the_work():
    progress, ended = Progress(ProgressSettings(patience=0, unreachable_observations=3)), []
    for unreachable in (1.2, 1.1, 0.2, 0.9, 1.1, 1.0):
        progress.observe(1.0, replace(objects(math.inf), unreachable=unreachable))
        ended.append(progress.stalled)
    assert ended == [False] * 5 + [True] and progress.in_words() == "", "it is not for want of patience"


def test_fewer_observations_than_are_asked_for_say_nothing_however_sure_they_are():
    progress = Progress(ProgressSettings(patience=0, unreachable_observations=3))
    for _ in range(2):
        progress.observe(1.0, replace(objects(math.inf), unreachable=9.0))
        assert not progress.stalled


def test_an_observation_after_which_nothing_was_done_does_not_count_twice_for_what_is_out_of_reach():
    progress = Progress(ProgressSettings(unreachable_observations=2))
    for _ in range(4):
        progress.observe(1.0, replace(objects(math.inf), unreachable=1.0))
        assert not progress.stalled
        progress.forget_last_observation()
    assert not progress.stalled


def test_without_a_number_of_observations_nothing_is_out_of_reach():
    progress = Progress(ProgressSettings(patience=0, unreachable_observations=0))
    for _ in range(30):
        progress.observe(1.0, replace(objects(math.inf), unreachable=1.0))
    assert not progress.stalled


def test_another_goal_image_is_no_progress_by_itself_and_one_that_was_reached_is():
    progress = Progress(ProgressSettings())
    for energy in (1.0, 1.0):
        progress.observe(energy)
    progress.next_goal()
    progress.observe(0.5)
    assert progress.observations == 2
    progress.reached_goal()
    assert progress.observations == 0


def test_patience_ends_after_so_many_observations_and_never_where_it_is_zero():
    for patience, stalled in ((2, [False, False, True]), (0, [False, False, False])):
        progress, found = Progress(ProgressSettings(patience=patience)), []
        for _ in range(3):
            progress.observe(1.0)
            found.append(progress.stalled)
        assert found == stalled


def test_an_observation_after_which_nothing_was_done_does_not_wear_patience_out():
    progress = Progress(ProgressSettings(patience=2))
    for _ in range(9):
        progress.observe(1.0)
        progress.forget_last_observation()
    progress.observe(1.0)
    assert progress.observations == 0


def test_a_goal_is_settled_within_its_band_once_energies_no_longer_fall():
    progress = Progress(ProgressSettings(settled_energy=0.02, settled_observations=2))
    found = []
    for energy in (0.03, 0.019, 0.018, 0.018):
        progress.observe(energy)
        found.append(progress.settled(energy))
    assert found == [False, False, False, True]
    assert not progress.settled(0.021)
    assert not Progress(ProgressSettings(settled_observations=1)).settled(0.0), "without a band nothing is settled"


@pytest.mark.parametrize(
    "wrong",
    [{"patience": -1}, {"energy_gain": 1.0}, {"off_gain_m": -0.1}, {"settled_observations": 0}, {"settled_energy": 0.0},
     {"settled_energy": math.nan}],
)  # fmt: skip
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} is"):
        ProgressSettings(**wrong)
