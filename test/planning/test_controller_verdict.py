import math
from dataclasses import replace

import pytest
import torch
from controlled import FixedPlan, controller, goal, observe
from landscapes import SPACE, PointWorld
from test_controller_sub_goals import around_the_corner
from verdicts import EDGES_M, HOLDING, Says, arm

from jepa_planner.core.observation import Observation
from jepa_planner.model.verdict_head import Opinion
from jepa_planner.planning.decision import Decision, DecisionKind, Reason
from jepa_planner.planning.progress import ProgressSettings
from jepa_planner.planning.verdict import Judge, VerdictSettings

SHOWN = arm(0.7)
FAR = goal(9.0, 0.0, 0.0, budget_steps=40)
HERE = torch.zeros(1, 3)


class Judged:
    """A controller with a judge whose head says how far things are off, in a world that does not move by itself."""

    def __init__(self, goals, head=None, rule=None, **settings) -> None:
        self.head = head or Says(0.15, SHOWN)
        self.judge = Judge(self.head, EDGES_M, rule or VerdictSettings())
        self.control = controller(judge=self.judge, **{"solver": FixedPlan(), **settings})
        self.control.start(goals)

    def observe(self, off_m: float, state: torch.Tensor, latent: torch.Tensor = HERE) -> Decision:
        self.head.off_m = off_m
        return self.control.step(Observation(latent, state=state))


def test_the_work_ends_as_reached_when_it_is_judged_done_however_far_the_energy_says_it_is():
    work = Judged([FAR])
    assert work.observe(0.15, SHOWN).kind is DecisionKind.MOVE
    decision = work.observe(0.005, SHOWN)
    assert (decision.kind, decision.reason, decision.sub_goals_reached) == (DecisionKind.REACHED, Reason.REACHED, 1)
    assert decision.verdict.done and decision.verdict.off_m < 0.01
    assert decision.message == (
        "the last goal image is reached; objects are 0.5 cm off, 100 % sure that they lie as shown; energy 27 "
        "after 1 steps"
    )


def test_a_goal_that_holds_already_takes_no_step():
    decision = Judged([FAR]).observe(0.005, SHOWN)
    assert (decision.kind, decision.total_steps) == (DecisionKind.REACHED, 0)


def test_an_energy_within_the_tolerance_does_not_end_the_work_while_objects_lie_elsewhere():
    work = Judged([goal(0.0, 0.0, 0.0)])
    assert work.observe(0.15, SHOWN).kind is DecisionKind.MOVE
    assert work.observe(math.inf, SHOWN).kind is DecisionKind.MOVE


@pytest.mark.parametrize(("off_m", "imagined"), [(math.inf, True), (0.12, True), (0.04, False)])
def test_a_small_energy_does_not_end_imagining_while_objects_lie_elsewhere(off_m, imagined):
    work = Judged([goal(0.0, 0.0, 0.0)], sub_goals=around_the_corner(near_goal=0.3))
    assert (not work.observe(off_m, SHOWN).imagined.is_goal) == imagined


def test_an_energy_within_the_tolerance_ends_it_where_objects_lie_as_shown():
    work = Judged([goal(0.0, 0.0, 0.0)])
    work.observe(0.15, arm(0.4))
    decision = work.observe(0.005, arm(0.4))
    assert not decision.verdict.done and decision.reason is Reason.REACHED


@pytest.mark.parametrize(
    ("state", "shown"),
    [(arm(0.5, 0.02, **HOLDING), SHOWN), (arm(0.5, 0.02), arm(0.5, 0.02, **HOLDING))],
    ids=["let go, and is held", "held, and is not"],
)
def test_an_energy_within_the_tolerance_does_not_say_what_the_gripper_holds(state, shown):
    work = Judged([goal(0.0, 0.0, 0.0)], Says(0.15, shown))
    work.observe(0.15, arm(0.4))
    assert work.observe(0.005, state).kind is DecisionKind.MOVE


def test_the_verdict_is_about_the_last_goal_image_and_those_on_the_way_keep_their_energies():
    way = [goal(0.0, 0.0, 0.0), goal(5.0, 0.0, 0.0, budget_steps=1), FAR]
    work = Judged(way)
    first, second = work.observe(0.15, SHOWN), work.observe(0.15, SHOWN)
    assert (first.sub_goal, first.sub_goals_reached) == (1, 1), "reached by its energy, objects or not"
    assert (second.sub_goal, second.sub_goals_reached) == (2, 1), "left after its budget"
    assert all(torch.equal(given, FAR.latent) for given in work.head.goals)


def test_work_that_is_done_ends_whatever_goal_image_is_pursued_and_says_which_were_not_needed():
    work = Judged([goal(5.0, 0.0, 0.0), goal(6.0, 0.0, 0.0), FAR])
    work.observe(0.15, SHOWN)
    decision = work.observe(0.005, SHOWN)
    assert decision.reason is Reason.REACHED
    assert (decision.sub_goal, decision.sub_goals_reached) == (2, 1)
    assert "; goal images on the way that were not needed: 2; " in decision.message


def test_a_list_whose_last_picture_holds_at_first_is_a_tour_and_not_done_before_the_others_were_seen_to():
    work = Judged([goal(5.0, 0.0, 0.0, budget_steps=2), FAR])
    decisions = [work.observe(0.005, SHOWN) for _ in range(3)]
    assert [decision.kind for decision in decisions[:2]] == [DecisionKind.MOVE] * 2
    assert (decisions[2].reason, decisions[2].sub_goal) == (Reason.REACHED, 1)


def test_a_tour_that_moves_things_and_brings_them_back_does_not_stall_while_it_comes_nearer_to_its_first_picture():
    work = Judged([goal(9.0, 0.0, 0.0, budget_steps=9), FAR], progress=ProgressSettings(patience=3))
    work.observe(0.005, SHOWN)
    for x_m in range(1, 6):
        assert work.observe(0.15, SHOWN, torch.tensor([[float(x_m), 0.0, 0.0]])).kind is DecisionKind.MOVE
    still = [work.observe(0.15, SHOWN, torch.tensor([[5.0, 0.0, 0.0]])).reason for _ in range(3)]
    assert still[-1] is Reason.STALLED


def test_a_hand_that_brought_things_to_their_place_lets_go_and_leaves_whatever_goal_image_is_pursued():
    work = Judged([goal(5.0, 0.0, 0.0), FAR])
    work.observe(0.15, arm(0.4, 0.02, **HOLDING))
    opens = work.observe(0.005, arm(0.5, 0.02, **HOLDING))
    leaves = work.observe(0.005, arm(0.5, 0.02))
    assert (opens.sub_goal, leaves.sub_goal) == (1, 1)
    assert opens.action.tolist() == [0.0] * 6 + [-1.0]
    assert leaves.action[2] == SPACE.max_abs[2] and not leaves.action[[0, 1, 6]].any()
    assert work.observe(0.005, arm(0.5, 0.15)).reason is Reason.REACHED


def test_the_last_goal_image_has_its_own_budget_once_those_on_the_way_are_passed_over():
    work = Judged([goal(5.0, 0.0, 0.0, budget_steps=3), replace(FAR, budget_steps=2)])
    for off_m, measured in ((0.15, 0.0), (0.15, 0.4), (0.15, 0.4)):
        work.observe(off_m, arm(0.4, 0.02, closed=float(measured > 0.0), measured=measured))
    decisions = [work.observe(0.005, arm(0.5, 0.02, **HOLDING)), work.observe(0.005, arm(0.5, 0.02))]
    assert [(decision.kind, decision.steps_in_sub_goal) for decision in decisions] == [
        (DecisionKind.MOVE, 1),
        (DecisionKind.MOVE, 2),
    ]
    assert work.observe(0.005, arm(0.5, 0.15)).reason is Reason.REACHED


def test_an_arm_that_has_nothing_left_to_do_rests_until_so_many_observations_agree():
    moves = FixedPlan(torch.tensor([[0.01] * 3 + [0.0] * 4] * 2))
    work = Judged([goal(5.0, 0.0, 0.0), FAR], rule=VerdictSettings(observations=2), solver=moves)
    work.observe(0.15, arm(0.4, 0.02, **HOLDING))
    rests = work.observe(0.005, arm(0.5, 0.15))
    assert rests.kind is DecisionKind.MOVE and not rests.action.any()
    assert work.observe(0.005, arm(0.5, 0.15)).reason is Reason.REACHED


def test_a_model_that_imagines_no_numbers_lets_go_of_nothing():
    class Broken(PointWorld):
        def energies(self, context, goal, actions) -> torch.Tensor:
            return super().energies(context, goal, actions) * math.nan

    work = Judged([FAR], cost=Broken())
    work.judge.observe(Observation(HERE, state=arm(0.4, 0.02, **HOLDING)), FAR.shown)
    decision = work.observe(0.005, arm(0.5, 0.02, **HOLDING))
    assert (decision.reason, decision.action) == (Reason.INVALID_ENERGY, None)
    assert "the energy of letting go and leaving is NaN or infinite" in decision.message


def test_a_hand_that_lets_go_of_what_then_lies_elsewhere_goes_on_with_the_work():
    work = Judged([FAR])
    work.observe(0.15, arm(0.4, 0.02, **HOLDING))
    work.observe(0.005, arm(0.5, 0.02, **HOLDING))
    decision = work.observe(0.06, arm(0.5, 0.02))
    assert decision.kind is DecisionKind.MOVE and not decision.action.any(), "as it was searched for"


def test_work_is_done_with_its_last_step():
    work = Judged([replace(FAR, budget_steps=1)])
    work.observe(0.15, SHOWN)
    assert work.observe(0.005, SHOWN).reason is Reason.REACHED


def test_steps_that_are_spent_say_what_is_missing():
    work = Judged([replace(FAR, budget_steps=1)])
    work.observe(0.15, arm(0.4, 0.02, **HOLDING))
    decision = work.observe(0.005, arm(0.4, 0.02, **HOLDING))
    assert decision.reason is Reason.BUDGET_SPENT
    assert "sure that they lie as shown; the gripper should let go; energy" in decision.message


@pytest.mark.parametrize("goals", [[FAR], [replace(FAR, budget_steps=2)] * 9], ids=["one picture", "many"])
def test_work_that_nothing_brings_nearer_stalls(goals):
    work = Judged(goals, progress=ProgressSettings(patience=4))
    decisions = [work.observe(0.15, SHOWN) for _ in range(5)]
    assert [decision.kind for decision in decisions[:-1]] == [DecisionKind.MOVE] * 4
    assert (decisions[-1].kind, decisions[-1].reason) == (DecisionKind.GAVE_UP, Reason.STALLED)
    assert decisions[-1].message.startswith(
        "nothing brings the goal nearer; no progress in 4 observations; objects are 15.0 cm off, 0 % sure"
    )
    assert decisions[-1].action is None


def test_a_patience_that_is_longer_than_the_budget_changes_nothing():
    work = Judged([replace(FAR, budget_steps=2)], progress=ProgressSettings(patience=9))
    assert [work.observe(0.15, SHOWN).reason for _ in range(3)][-1] is Reason.BUDGET_SPENT


def test_what_is_out_of_reach_ends_the_work_long_before_patience_does_and_says_so():
    work = Judged([FAR], rule=VerdictSettings(unreachable=0.9), progress=ProgressSettings(unreachable_observations=3))
    assert [work.observe(math.inf, SHOWN).reason for _ in range(2)] == [Reason.ON_THE_WAY] * 2
    decision = work.observe(math.inf, SHOWN)
    assert (decision.kind, decision.reason) == (DecisionKind.GAVE_UP, Reason.STALLED)
    assert "nothing brings the goal nearer; something in the goal picture is not here" in decision.message


def test_observations_after_which_the_arm_refused_to_move_wear_out_no_patience_and_agree_with_nothing():
    work = Judged([FAR], rule=VerdictSettings(observations=2), progress=ProgressSettings(patience=2))
    for off_m in (0.15, 0.15, 0.15, 0.005, 0.005):
        assert work.observe(off_m, SHOWN).kind is DecisionKind.MOVE
        work.control.forget_last_action()


@pytest.mark.parametrize("broken", ["logits", "goal_states"])
def test_a_head_that_gives_no_numbers_ends_the_work_by_name(broken):
    def head(*given: Observation) -> Opinion:
        opinion = Says(0.005, SHOWN)(*given)
        return opinion._replace(**{broken: torch.full_like(getattr(opinion, broken), math.nan)})

    decision = Judged([FAR], head).control.step(Observation(HERE, state=SHOWN))
    assert (decision.kind, decision.reason) == (DecisionKind.GAVE_UP, Reason.INVALID_ENERGY)
    assert "the verdict is NaN or infinite" in decision.message and decision.verdict is None


def test_no_numbers_at_all_are_named_before_anything_is_judged():
    for latent, state, reason in (
        (HERE * math.nan, SHOWN, Reason.INVALID_LATENT),
        (HERE, SHOWN * math.nan, Reason.INVALID_STATE),
    ):
        work = Judged([FAR])
        assert work.observe(0.005, state, latent).reason is reason
        assert work.head.goals == []


def test_imagined_sub_goals_are_pursued_until_the_work_is_done():
    work = Judged([goal(0.2, 0.2, 0.0)], sub_goals=around_the_corner())
    decision = work.observe(0.15, SHOWN)
    assert decision.imagined.number == 1 and decision.verdict.off_m == pytest.approx(0.15, abs=1e-3)
    assert work.observe(0.005, SHOWN).reason is Reason.REACHED


def test_nothing_is_imagined_on_the_way_to_a_picture_that_is_about_the_arm():
    work = Judged([goal(0.2, 0.2, 0.0)], sub_goals=around_the_corner())
    assert work.observe(0.005, arm(0.4)).imagined is None, "objects lie as shown from the first observation on"
    work = Judged([goal(0.2, 0.2, 0.0)] * 2, sub_goals=around_the_corner())
    assert work.observe(0.005, arm(0.4)).imagined is not None, "pictures on the way are what such work is about"


def test_the_search_may_be_told_where_a_picture_of_the_arm_shows_it():
    firsts = []
    for weight in (0.0, 200.0):
        rule = VerdictSettings(arm_weight=weight)
        work = Judged([goal(0.0, 0.0, 0.0)], Says(0.005, arm(0.45)), rule, solver=None)
        firsts.append(work.observe(0.005, arm(0.40), torch.tensor([[0.02, 0.0, 0.0]])).action[0])
    assert firsts[0] < 0.0 < firsts[1], "latents alone lead the other way"


def test_pictures_reach_the_judge():
    images = torch.full((1, 3, 2, 2), 50.0)
    work = Judged([replace(FAR, shown=replace(FAR.shown, images=images))])
    work.control.step(Observation(HERE, -images, SHOWN))
    assert torch.equal(work.head.images[0], images)


def test_a_judge_forgets_when_other_work_begins():
    work = Judged([FAR])
    for off_m, state in ((0.15, arm(0.4, 0.02, **HOLDING)), (0.005, arm(0.4))):
        work.observe(off_m, state)
    work.control.start([FAR])
    assert work.observe(0.005, arm(0.5)).verdict.missing == "the hand is 20.0 cm off"


def test_without_a_judge_a_goal_within_its_band_is_reached_once_no_plan_lowers_its_energy():
    settled = ProgressSettings(settled_energy=0.01, settled_observations=2)
    near = goal(0.1, 0.0, 0.0)
    control = controller(solver=FixedPlan(), progress=settled)
    control.start([goal(9.0, 0.0, 0.0, budget_steps=1), near])
    control.step(observe((0, 0, 0)))
    decisions = [control.step(observe((0, 0, 0))) for _ in range(2)]
    assert [decision.reason for decision in decisions] == [Reason.ON_THE_WAY, Reason.REACHED]
    assert (decisions[-1].sub_goals_reached, decisions[-1].sub_goal) == (1, 1)
    assert "its energy no longer falls, and no plan is imagined to lower it" in decisions[-1].message
    moving = controller(progress=settled)
    moving.start([near])
    assert [moving.step(observe((0, 0, 0))).kind for _ in range(4)] == [DecisionKind.MOVE] * 4, "a plan lowers it"
