"""What the demo says of its end, without nodes."""

import contextlib
import json

import numpy as np
import pytest
from jepa_planner.action import ReachGoalImage
from jepa_planner.msg import GoalImage

from jepa_planner.cli.main import main
from jepa_planner.cli.ros import trials
from jepa_planner.learning.evaluation import film
from jepa_planner.nodes.client import goal_image
from jepa_planner.nodes.verdicts import verdict_in_words
from jepa_planner_sim.cli import demo

RESULT = {
    "task": "pick_place", "seed": 1, "goal_images": 1, "message": "a message, 93 % sure", "steps": 14, "max_steps": 45,
    "sub_goals_reached": 1, "final_energy": 0.1, "object_offset_m": 0.008, "goal_seconds": 9.5,
    "start_distance_m": 0.2, "final_distance_m": 0.01,
}  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "certainty", "solved", "status", "words"),
    [
        ("reached", 0.93, True, 0, ["The planner says reached: a message, 93 % sure", "The simulator agrees"]),
        ("reached", 0.93, False, 1, ["The planner says reached", "The simulator does not agree"]),
        ("budget_spent", 0.1, True, 1, ["The planner says budget spent", "The simulator does not agree"]),
        ("stalled", None, False, 1, ["The planner says stalled", "The simulator agrees"]),
    ],
)
def test_the_demo_succeeds_where_the_planner_says_reached_and_is_right(
    monkeypatch, tmp_path, capsys, outcome, certainty, solved, status, words
):
    result = RESULT | {"outcome": outcome, "certainty": certainty, "solved": solved}
    goals: list[GoalImage] = [goal_image([np.zeros((8, 8, 3), np.uint8)])]
    monkeypatch.setattr(demo, "_play", lambda _: (dict(result), goals, []))
    monkeypatch.setattr(film, "make_film", lambda *_: tmp_path.mkdir(exist_ok=True))
    monkeypatch.setattr(trials, "simulated_planner", lambda _: contextlib.nullcontext())
    assert main(["demo", "--out", str(tmp_path)]) == status
    said = capsys.readouterr().out
    assert all(expected in said for expected in words), said
    assert json.loads((tmp_path / "result.json").read_text())["certainty"] == certainty


def test_each_observation_is_told_with_its_verdict_and_the_last_one_without_a_plan(capsys):
    moving = ReachGoalImage.Feedback(
        sub_goals=8, step=12, energy=0.5, tolerance=0.1, seconds_per_plan=0.15, certainty=0.93, object_offset_m=0.008,
        missing="the gripper should let go", status="moving",
    )  # fmt: skip
    last = ReachGoalImage.Feedback(sub_goals=8, sub_goal=7, step=14, energy=0.4, tolerance=0.1, certainty=0.97)
    last.object_offset_m, last.status = 0.006, "the last goal image is reached"
    for feedback in (ReachGoalImage.Feedback(status="encoding goal image 1 of 8"), moving, last):
        demo._show(feedback)
    assert capsys.readouterr().out.splitlines() == [
        f"  step 12  picture 1 of 8  energy 0.500  {verdict_in_words(moving)}; the gripper should let go  "
        "planned in 0.15 s  moving",
        f"  step 14  picture 8 of 8  energy 0.400  {verdict_in_words(last)}  the last goal image is reached",
    ]
