import pytest
import torch
from verdicts import arm

from jepa_planner.planning.action_space import ActionSpace
from jepa_planner.planning.finishing import finishing_actions
from jepa_planner.planning.verdict import LEAVE, LET_GO, NOTHING, Verdict, VerdictSettings

SPACE = ActionSpace((0.06, 0.06, 0.06, 0.0, 0.0, 0.12, 1.0))


BACK = VerdictSettings().back
OUT_OF_THE_HAND = (0.0, 0.0, -1.0)  # the z axis of panda_link8, or of tool0


def actions_for(missing: str, state: torch.Tensor, space: ActionSpace = SPACE, back=BACK) -> torch.Tensor | None:
    return finishing_actions(Verdict(0.9, 0.01, missing, objects_hold=True), state, horizon=3, space=space, back=back)


def test_a_gripper_that_should_let_go_opens_where_it_stands():
    expected = torch.zeros(3, 7)
    expected[0, 6] = -1.0
    assert torch.equal(actions_for(LET_GO, arm(0.5, closed=1.0, measured=0.4)), expected)


def test_a_hand_that_should_leave_rises_from_what_it_points_down_at_and_rests_then():
    expected = torch.zeros(3, 7)
    expected[0, 2] = 0.06
    torch.testing.assert_close(actions_for(LEAVE, arm(0.5)), expected)


def test_a_hand_that_points_forward_draws_back():
    state = arm(0.5)
    state[4] = -torch.pi / 2  # the fingers point along x
    moved = actions_for(LEAVE, state)[0]
    torch.testing.assert_close(moved[:3], torch.tensor([-0.06, 0.0, 0.0]), atol=1e-6, rtol=0.0)


def test_a_slanted_hand_draws_back_straight_within_the_bounds_of_each_axis():
    state = arm(0.5)
    state[4] = 0.5
    moved = actions_for(LEAVE, state, ActionSpace((0.06, 0.06, 0.02, 0.0, 0.0, 0.0, 1.0)))[0]
    assert moved[2] == pytest.approx(0.02) and moved[0] == pytest.approx(0.02 * torch.tan(torch.tensor(0.5)).item())


def test_a_hand_that_may_not_move_has_no_way_to_leave():
    assert actions_for(LEAVE, arm(0.5), ActionSpace((0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 1.0))) is None


@pytest.mark.parametrize("pitch_rad", [-torch.pi / 2 - 0.0015, -torch.pi / 2 + 0.0015])
def test_a_hand_that_may_not_move_along_its_fingers_does_not_rise_or_sink_instead(pitch_rad):
    state = arm(0.5)
    state[4] = pitch_rad
    assert actions_for(LEAVE, state, ActionSpace((0.0, 0.06, 0.06, 0.0, 0.0, 0.0, 1.0))) is None


def test_a_hand_whose_tcp_points_the_other_way_rises_all_the_same_once_that_is_told():
    state = arm(0.5)
    state[3] = torch.pi  # z along the fingers, and these down
    assert actions_for(LEAVE, state) is None, "what would press it down is left to the search"
    told = actions_for(LEAVE, state, back=OUT_OF_THE_HAND)[0]
    torch.testing.assert_close(told[:3], torch.tensor([0.0, 0.0, 0.06]), atol=1e-6, rtol=0.0)


@pytest.mark.parametrize(("shown_x_m", "draws_back"), [(0.4, True), (0.51, True), (0.6, False)])
def test_a_way_that_leads_away_from_where_the_picture_shows_the_hand_is_not_taken(shown_x_m, draws_back):
    state = arm(0.5)
    state[4] = -torch.pi / 2  # the fingers point along x, if `back` is right
    verdict = Verdict(0.9, 0.01, LEAVE, objects_hold=True, shown_m=(shown_x_m, 0.0, 0.2))
    assert (finishing_actions(verdict, state, horizon=3, space=SPACE, back=BACK) is not None) is draws_back


def test_a_gripper_of_small_strokes_opens_by_one():
    space = ActionSpace((0.02, 0.02, 0.02, 0.0, 0.0, 0.0, 0.25))
    assert actions_for(LET_GO, arm(0.5, closed=1.0, measured=0.4), space)[:, 6].tolist() == [-0.25, 0.0, 0.0]


@pytest.mark.parametrize("closure", [1.0, 0.4], ids=["commanded", "measured, of seven channels"])
def test_a_gripper_of_full_strokes_opens_all_the_way_and_no_further(closure):
    space = ActionSpace((0.02, 0.02, 0.02, 0.0, 0.0, 0.0, 1.0), gripper_full_strokes=True)
    state = arm(0.5, closed=1.0, measured=0.4) if closure == 1.0 else arm(0.5, closed=0.4)[:7]
    opens = space.executable(actions_for(LET_GO, state, space), state[6])
    assert opens[:, 6].tolist() == pytest.approx([-closure, 0.0, 0.0])


def test_a_hand_that_has_nothing_left_to_do_rests():
    assert not actions_for(NOTHING, arm(0.5)).any()


@pytest.mark.parametrize("missing", ["objects are 4.0 cm off", "the hand is 3.0 cm off"])
def test_what_else_is_missing_is_for_the_search(missing):
    assert actions_for(missing, arm(0.5)) is None
