import json
from dataclasses import replace

import pytest

from jepa_planner.learning.evaluation.report import in_words, summarise
from jepa_planner.learning.evaluation.trials import Trial, TrialSettings

PROMISED_KEYS = {
    "task",
    "episodes",
    "successes",
    "success_rate",
    "wilson_low",
    "wilson_high",
    "plan_seconds_median",
    "plan_seconds_p95",
    "baseline",
    "seed",
    "model",
    "reached_and_true",
    "reached_and_false",
    "true_not_reached",
    "stalled",
    "solved_at_some_moment",
    "solved_at_end",
    "steps_to_verdict_median",
}


def trials(*successes: bool, said: bool = True) -> list[Trial]:
    """Those that succeed were called done two steps after they were; said: whether anything was."""
    return [
        Trial(
            1_000_000 + n, success, steps=5 + n, start_distance_m=0.2, distance_m=0.01, ended="",
            reason=("REACHED" if success else "STALLED") if said else "", true_since=3 + n if success else None,
            was_solved=success, solved_at_end=success,
        )
        for n, success in enumerate(successes)
    ]  # fmt: skip


def summary(*successes: bool, plan_seconds=(), baseline: str = "none", model: str | None = "models/x", **changes):
    settings = TrialSettings("push", len(successes), seed=7, **changes)
    return summarise(trials(*successes, said=baseline == "none"), settings, plan_seconds, model, baseline)


def test_a_report_has_what_is_promised_and_is_plain_json():
    report = summary(True, True, False, plan_seconds=[0.1, 0.2, 0.9])
    assert set(report) >= PROMISED_KEYS
    assert json.loads(json.dumps(report)) == report
    assert (report["task"], report["episodes"], report["successes"], report["seed"]) == ("push", 3, 2, 7)
    assert report["success_rate"] == pytest.approx(2 / 3)
    assert report["wilson_low"] < 2 / 3 < report["wilson_high"]
    assert report["plan_seconds_median"] == 0.2
    assert report["plan_seconds_p95"] == pytest.approx(0.83)
    assert report["steps_median"] == 5.5
    assert [trial["success"] for trial in report["trials"]] == [True, True, False]


def test_trials_that_ended_as_out_of_distribution_are_counted_by_its_name():
    reasons = ("REACHED", "SURPRISED", "UNFAMILIAR_GOAL", "BUDGET_SPENT", "SURPRISED")
    done = [replace(trial, reason=reason) for trial, reason in zip(trials(*[False] * 5), reasons, strict=True)]
    report = summarise(done, TrialSettings("push", 5), [], "models/x", "none", monitored=True)
    assert report["out_of_distribution"] == {"SURPRISED": 2, "UNFAMILIAR_GOAL": 1} and report["monitored"]
    assert "ended as out of distribution: SURPRISED 2, UNFAMILIAR_GOAL 1" in in_words(report)
    assert "doubt" not in in_words(summary(True))


def test_what_was_said_is_counted_beside_what_was_true():
    def trial(reason: str, was: bool, at_end: bool, steps: int = 9, since: int | None = None) -> Trial:
        success = reason == "REACHED" and at_end
        return Trial(
            1, success, steps, 0.2, 0.0, "", reason=reason, was_solved=was, solved_at_end=at_end, true_since=since
        )

    done = [
        trial("REACHED", True, True, 9, 8), trial("REACHED", True, True, 9, 2), trial("REACHED", True, True, 9, 11),
        trial("REACHED", True, False), trial("REACHED", False, False), trial("STALLED", True, True, 9, 1),
        trial("STALLED", True, False), trial("SURPRISED", True, True, 9, 1), trial("BUDGET_SPENT", False, False),
    ]  # fmt: skip
    report = summarise(done, TrialSettings("push", 9), [], "models/x", "none")
    assert (report["reached_and_true"], report["reached_and_false"], report["true_not_reached"]) == (3, 2, 2)
    assert (report["stalled"], report["solved_at_some_moment"], report["solved_at_end"]) == (2, 7, 5)
    assert report["successes"] == 3 and report["success_means"] == 'said "reached", and it was true'
    assert report["steps_to_verdict_median"] == 1, "of 1, 7 and, true only after it was said, 0"
    assert report["ends"] == {"REACHED": 5, "STALLED": 2, "SURPRISED": 1, "BUDGET_SPENT": 1}
    words = in_words(report)
    assert 'said "reached": 3 true, 2 false; true and not said: 2; stalled: 2' in words
    assert "solved at some moment: 7, at the end: 5" in words and "1 steps from truth to verdict (median)" in words


def test_of_those_who_say_nothing_nothing_is_counted_that_was_said():
    report = summary(True, False, baseline="noop", model=None)
    assert [report[name] for name in ("reached_and_true", "stalled", "steps_to_verdict_median")] == [None] * 3
    assert (report["solved_at_some_moment"], report["solved_at_end"], report["successes"]) == (1, 1, 1)
    assert "solved = 50%, 95 % interval 9% to 91% (solved at the end: nothing was said)" in in_words(report)
    assert 'said "reached"' not in in_words(report)


def test_trials_that_the_judge_ended_say_so():
    report = summary(True, False, stop_at_success=True)
    assert report["stop_at_success"] and report["true_not_reached"] is None
    assert "(solved at some moment, which ended the trial)" in in_words(report)


def test_a_baseline_plans_nothing_and_has_no_model():
    report = summary(False, baseline="noop", model=None)
    assert report["plan_seconds_median"] is None and report["plan_seconds_p95"] is None
    assert report["model"] is None and report["baseline"] == "noop"


def test_without_success_there_are_no_steps_to_success():
    assert summary(False, False)["steps_median"] is None


def test_the_conditions_are_in_the_report():
    report = summary(True, goal_images="3", vary=frozenset({"table", "camera"}), strength=0.5)
    assert report["goal_images"] == "3"
    assert report["vary"] == ["camera", "table"]
    assert report["strength"] == 0.5


def test_the_words_say_who_how_often_how_fast_and_where_it_failed():
    words = in_words(summary(True, False, True, True, plan_seconds=[0.25, 0.25]))
    assert "push (dense goal images), models/x" in words
    assert "3/4 solved = 75%, 95 % interval 30% to 95%" in words
    assert "0.250 s per plan (median)" in words
    assert "7 steps when solved" in words
    assert "failed on scenes 1000001" in words


def test_the_words_of_a_baseline_name_it_and_leave_out_what_there_is_not():
    words = in_words(summary(False, baseline="random", model=None))
    assert "baseline: random" in words
    assert "per plan" not in words and "steps when solved" not in words


def test_many_failures_are_not_all_listed():
    words = in_words(summary(*[False] * 30))
    assert words.endswith("1000011 ...")
