import math

import pytest
import torch
from verdicts import EDGES_M, HOLDING, Says, Work, arm

from jepa_planner.core.observation import Observation
from jepa_planner.model.verdict_head import Opinion
from jepa_planner.planning.verdict import (
    Judge,
    NonFiniteVerdictError,
    Verdict,
    VerdictSettings,
    chance_within,
    median_off_m,
)

AWAY = arm(0.7)
LOW = 0.02


def carried(shown: torch.Tensor = AWAY, **rule: float) -> Work:
    """A thing was far off, was taken at 0.4 m, and is now held over its place at 0.5 m."""
    work = Work(shown, **rule)
    for off_m, state in ((0.15, arm(0.4)), (0.15, arm(0.4, LOW, **HOLDING)), (0.005, arm(0.5, LOW, **HOLDING))):
        assert not work.observe(off_m, state).done
    return work


def test_what_was_put_down_and_left_is_done_wherever_the_arm_stands():
    assert carried().observe(0.005, arm(0.45, 0.15)).done


def test_what_is_still_held_is_not_done():
    work = carried()
    verdict = work.observe(0.005, arm(0.5, LOW, **HOLDING))
    assert (verdict.done, verdict.objects_hold, verdict.missing) == (False, True, "the gripper should let go")
    assert str(verdict).endswith("sure that they lie as shown; the gripper should let go")


def test_a_gripper_that_is_told_to_close_only_half_way_holds_what_stops_it():
    verdict = carried().observe(0.005, arm(0.5, LOW, closed=0.49, measured=0.42))
    assert verdict.missing == "the gripper should let go"


def test_what_is_held_higher_than_it_was_taken_may_have_nothing_under_it_and_is_to_be_put_down():
    assert (
        carried().observe(0.005, arm(0.5, LOW + 0.05, **HOLDING)).missing == "what the gripper holds should be put down"
    )


def test_a_hand_about_a_thing_on_the_table_is_not_taken_for_one_that_holds_it():
    work = carried(shown=arm(0.5, LOW, **HOLDING))
    assert work.observe(0.005, arm(0.5, LOW, **HOLDING)).missing == "the gripper should let go"


def test_what_is_held_far_from_where_the_hand_is_shown_is_shown_as_let_go_however_closed_that_looks():
    work = carried(shown=arm(0.7, 0.15, **HOLDING))
    assert work.observe(0.005, arm(0.5, LOW, **HOLDING)).missing == "the gripper should let go"
    assert work.observe(0.005, arm(0.66, 0.14, **HOLDING)).done, "where it is shown it is held as shown"


@pytest.mark.parametrize("shown", [AWAY, arm(0.5, 0.2, **HOLDING)], ids=["left", "held there"])
def test_what_was_in_the_air_at_the_first_observation_is_not_let_go_there(shown):
    work = Work(shown)
    work.observe(0.15, arm(0.4, 0.2, **HOLDING))
    verdict = work.observe(0.005, arm(0.5, 0.2, **HOLDING))
    assert verdict.missing == ("" if shown is not AWAY else "what the gripper holds should be put down")


def test_how_the_arm_stands_in_the_goal_is_read_while_the_hand_is_open():
    work = carried()
    work.head.shown = arm(0.7, **HOLDING)  # what it holds is taken for what the picture shows
    assert work.observe(0.005, arm(0.5, LOW, **HOLDING)).missing == "the gripper should let go"


def test_fingers_that_have_hardly_opened_since_they_held_something_have_not_let_go():
    work = carried()
    assert work.observe(0.005, arm(0.5, LOW, closed=0.38)).missing == "the gripper should let go"
    assert work.observe(0.005, arm(0.5, 0.15, closed=0.3)).missing == "the gripper should let go"
    assert work.observe(0.005, arm(0.5, 0.15, closed=0.1)).done


def test_a_picture_read_roughly_does_not_show_something_held_because_fingers_seem_a_little_blocked():
    assert carried(shown=arm(0.7, closed=0.3, measured=0.2)).observe(0.005, arm(0.45, 0.15, closed=0.2)).done


def test_a_hand_acts_while_it_holds_or_pushes_something_and_at_the_observation_after():
    work = Work(AWAY)
    states = [arm(0.4), arm(0.4, LOW, **HOLDING), arm(0.5, LOW, **HOLDING), arm(0.5, LOW), arm(0.5)]
    assert [work.observe(0.15, state).acting for state in states] == [False, True, True, True, False]
    pushing = [arm(x_m, LOW, closed=1.0) for x_m in (0.40, 0.41, 0.45)]
    assert [Work(AWAY).observe(0.15, state).acting for state in pushing] == [False] * 3, (
        "no hand is known to have moved"
    )
    work.judge.forget()
    assert [work.observe(0.15, state).acting for state in pushing] == [False, False, True]


def test_what_is_held_loosely_is_in_the_hand_until_the_fingers_open():
    work = carried()
    loose = arm(0.5, LOW + 0.1, closed=0.42, measured=0.41)
    assert work.observe(0.06, loose).missing == "objects are 7.5 cm off"
    assert work.observe(0.005, arm(0.5, LOW, closed=0.42, measured=0.41)).missing == "the gripper should let go"
    assert work.observe(0.005, arm(0.5, LOW)).missing == "the hand should leave"


def test_an_arm_that_still_comes_nearer_to_where_it_is_shown_is_looked_at_once_more():
    work = Work(arm(0.7), arm_m=0.015)
    observations = [work.observe(0.005, arm(x_m)) for x_m in (0.4, 0.688, 0.694, 0.695)]
    assert [look.missing for look in observations] == ["the hand is 30.0 cm off"] + [
        "the hand still comes nearer"
    ] * 2 + [""]
    assert observations[-1].done


def test_a_closed_low_hand_that_is_shown_so_need_not_hold_anything():
    work = Work(arm(0.7, LOW, closed=1.0, measured=0.7))  # it pushes, but is read as one that holds
    work.observe(0.15, arm(0.4, LOW, closed=1.0))
    assert work.observe(0.005, arm(0.7, LOW, closed=1.0)).done
    assert work.observe(0.005, arm(0.7, LOW)).missing == "the gripper should hold something"


def test_what_slipped_from_the_fingers_was_not_taken_and_need_not_be_let_go():
    work = carried(shown=arm(0.58, LOW, closed=0.8))  # a pushing hand, read from the picture roughly
    assert work.observe(0.06, arm(0.5, LOW, closed=1.0)).missing == "objects are 7.5 cm off"
    assert work.observe(0.06, arm(0.55, LOW, closed=1.0)).missing == "objects are 7.5 cm off"
    assert work.observe(0.005, arm(0.58, LOW, closed=1.0)).done


def test_a_hand_that_let_go_on_its_way_down_has_not_left_yet():
    work = carried()
    assert work.observe(0.06, arm(0.5, LOW + 0.06, **HOLDING)).missing == "objects are 7.5 cm off"
    assert work.observe(0.005, arm(0.5, LOW)).missing == "the hand should leave"
    assert work.observe(0.005, arm(0.5, LOW + 0.05)).done


@pytest.mark.parametrize("shown", [AWAY, arm(0.52, LOW)], ids=["elsewhere", "beside the thing"])
def test_a_hand_that_has_let_go_must_leave_wherever_the_picture_shows_it(shown):
    verdict = carried(shown).observe(0.005, arm(0.5, LOW))
    assert (verdict.done, verdict.missing) == (False, "the hand should leave")


def test_objects_that_lay_as_shown_do_so_until_that_is_less_likely_than_not():
    work = carried(certainty=0.9, kept_certainty=0.5)
    for certainty, holds in ((0.8, True), (0.4, False), (0.8, False), (0.95, True)):
        work.head.certainty = certainty
        assert work.observe(0.025, AWAY).objects_hold is holds


def test_what_a_hand_still_brings_nearer_lies_as_shown_only_when_that_is_sure():
    work = carried(certainty=0.7, kept_certainty=0.6)
    for certainty, holds in ((0.2, False), (0.5, False), (0.8, False), (0.95, True), (0.65, True)):
        work.head.certainty = certainty
        work.judge._off_m = math.inf  # each observation seems nearer than the one before
        assert work.observe(0.025, arm(0.5, LOW, **HOLDING)).objects_hold is holds
    work = carried(certainty=0.7, kept_certainty=0.6)
    work.head.certainty = 0.8
    work.observe(0.025, arm(0.5, LOW, **HOLDING))
    assert work.observe(0.025, arm(0.5, LOW, **HOLDING)).objects_hold, "it comes no nearer any more"


def test_objects_that_lie_elsewhere_are_not_done_whatever_the_arm_does():
    verdict = carried().observe(0.06, AWAY)
    assert (verdict.done, verdict.objects_hold, verdict.missing) == (False, False, "objects are 7.5 cm off")
    assert verdict.certainty < 0.01


def test_other_things_than_the_picture_shows_are_said_to_be_so():
    verdict = Work(AWAY).observe(math.inf, AWAY)
    assert (verdict.off_m, verdict.missing) == (math.inf, "objects are elsewhere, or not the same ones")
    assert str(verdict) == "objects are elsewhere, or not the same ones, 0 % sure that they lie as shown"


def test_where_nothing_had_to_be_moved_the_picture_is_about_the_arm():
    work = Work(AWAY)
    assert work.observe(0.005, arm(0.5)).missing == "the hand is 20.0 cm off"
    assert work.observe(0.005, arm(0.7, closed=1.0)).missing == "the gripper is not as shown"
    assert work.observe(0.005, arm(0.69)).done


def test_a_goal_that_holds_already_is_done_at_the_first_observation():
    assert Work(AWAY).observe(0.005, AWAY).done


def test_a_hand_that_swept_the_table_on_its_way_to_where_it_shall_stand_must_still_go_there():
    work = Work(arm(0.5, 0.3))
    for x_m in (0.4, 0.44):
        work.observe(0.005, arm(x_m, LOW, closed=1.0))
    assert work.observe(0.005, arm(0.44, 0.1, closed=1.0)).missing == "the hand is 20.9 cm off"


def test_what_was_pushed_is_done_once_the_hand_has_risen_from_there():
    work = Work(AWAY)
    for off_m, x_m in ((0.15, 0.4), (0.08, 0.45), (0.015, 0.5)):
        verdict = work.observe(off_m, arm(x_m, LOW, closed=1.0))
    assert verdict.missing == "the hand should leave"
    assert work.observe(0.015, arm(0.5, 0.1, closed=1.0)).done


def test_what_is_pushed_on_a_table_below_the_base_is_done_once_the_hand_has_risen():
    work = Work(arm(0.7), low_m=-0.355)
    for off_m, x_m in ((0.15, 0.4), (0.08, 0.45), (0.015, 0.5)):
        verdict = work.observe(off_m, arm(x_m, -0.38, closed=1.0))
    assert verdict.missing == "the hand should leave"
    assert work.observe(0.015, arm(0.5, -0.3, closed=1.0)).done


def test_a_hand_that_closes_on_nothing_holds_nothing():
    work = Work(AWAY)
    assert not work.judge.holds(arm(0.4, closed=1.0))
    assert not work.judge.holds(arm(0.4, closed=0.6)), "fingers that went where they were told to"
    assert work.judge.holds(arm(0.4, **HOLDING))


def test_a_picture_of_a_held_thing_is_done_while_it_is_held_there():
    work = Work(arm(0.4, 0.15, **HOLDING))
    assert work.observe(0.10, arm(0.4, LOW)).missing == "objects are 15.0 cm off"
    assert not work.observe(0.08, arm(0.4, 0.08, **HOLDING)).done
    assert work.observe(0.005, arm(0.4, 0.15, **HOLDING)).done
    assert work.observe(0.005, arm(0.4, 0.15)).missing == "the gripper should hold something"


def test_without_commands_fingers_between_open_and_closed_hold_something():
    judge = Work(AWAY).judge
    held = [judge.holds(torch.tensor([0.4, 0.0, 0.2, 0.0, 0.0, 0.0, measured])) for measured in (0.02, 0.3, 0.6, 0.98)]
    assert held == [False, True, True, False]


def test_so_many_observations_in_a_row_must_agree():
    work = Work(AWAY, observations=2)
    assert [work.observe(off_m, AWAY).done for off_m in (0.005, 0.08, 0.005, 0.005)] == [False, False, False, True]


def test_an_observation_after_which_nothing_was_done_agrees_with_nothing():
    work = Work(AWAY, observations=2)
    work.observe(0.005, AWAY)
    work.judge.forget_last_observation()
    assert not work.observe(0.005, AWAY).done
    assert work.observe(0.005, AWAY).done


def test_other_work_begins_anew():
    work = carried()
    work.judge.forget()
    assert work.observe(0.005, arm(0.45, 0.15)).missing.startswith("the hand is ")


@pytest.mark.parametrize("broken", ["logits", "goal_states"])
def test_a_head_that_gives_no_numbers_says_nothing_rather_than_done(broken):
    def head(*given: Observation) -> Opinion:
        opinion = Says(0.005, AWAY)(*given)
        return opinion._replace(**{broken: torch.full_like(getattr(opinion, broken), math.nan)})

    judge = Judge(head, EDGES_M, VerdictSettings())
    with pytest.raises(NonFiniteVerdictError, match="the verdict is NaN or infinite"):
        judge.observe(Observation(torch.zeros(1, 3), state=AWAY), Observation(torch.ones(1, 3)))


def test_chances_within_a_distance_count_whole_classes_and_a_share_of_the_one_it_cuts():
    chances = torch.tensor([0.4, 0.2, 0.2, 0.1, 0.1])
    edges_m = (0.01, 0.03, 0.05)
    found = [float(chance_within(chances, edges_m, within_m)) for within_m in (0.005, 0.01, 0.02, 0.05, 9.0)]
    assert found == pytest.approx([0.2, 0.4, 0.5, 0.8, 0.8]), "nothing beyond the last edge, and no other things"


@pytest.mark.parametrize(
    ("chances", "off_m"),
    [
        ((1.0, 0.0, 0.0, 0.0), 0.005),
        ((0.25, 0.75, 0.0, 0.0), 0.01 + 0.02 / 3),
        ((0.5, 0.0, 0.0, 0.5), 0.01),
        ((0.2, 0.2, 0.6, 0.0), math.inf),
        ((0.0, 0.0, 0.0, 1.0), math.inf),
    ],
)
def test_the_distance_that_is_said_is_as_likely_too_small_as_too_large(chances, off_m):
    assert median_off_m(torch.tensor(chances), (0.01, 0.03)) == pytest.approx(off_m)


def test_a_verdict_says_how_far_and_how_sure():
    assert str(Verdict(0.87, 0.012, "", True, True)) == "objects are 1.2 cm off, 87 % sure that they lie as shown"


def test_what_is_surely_not_the_same_is_out_of_reach_only_where_the_rule_says_from_when():
    for unreachable, said in ((0.9, True), (None, False)):
        work = Work(arm(0.7), unreachable=unreachable)
        verdict = work.observe(math.inf, arm(0.4))
        assert (verdict.unreachable >= 1.0) is said and ("cannot bring it" in str(verdict)) is said
        assert work.observe(0.15, arm(0.4)).unreachable < 1.0


def test_what_lay_as_shown_at_the_first_observation_is_never_out_of_reach():
    work = Work(arm(0.7), unreachable=0.5)
    work.observe(0.005, arm(0.4))
    assert not work.observe(math.inf, arm(0.5)).unreachable


def test_what_lies_as_shown_is_not_out_of_reach_however_little_is_asked_for():
    work = Work(arm(0.7), certainty=0.5, kept_certainty=0.5, unreachable=0.3)
    work.head.certainty = 0.6
    assert work.observe(0.0, arm(0.7)).objects_hold and not work.observe(0.0, arm(0.7)).unreachable
    work.judge.forget()
    work.head.certainty = 0.4
    assert work.observe(0.0, arm(0.7)).unreachable >= 1.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"within_m": 0.0},
        {"unreachable": 0.0},
        {"arm_weight": -1.0},
        {"unreachable": 1.5},
        {"certainty": 1.0},
        {"certainty": 0.0},
        {"kept_certainty": 0.7},
        {"holding": 0.0},
        {"observations": 0},
        {"arm_m": math.nan},
        {"low_m": math.nan},
        {"back": (0.0, 0.0, 0.0)},
    ],
)
def test_an_impossible_rule_is_refused(wrong):
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} is"):
        VerdictSettings(**wrong)
