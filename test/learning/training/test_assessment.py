import copy

import pytest

from jepa_planner.learning.training.assessment import MEASURES, in_words, judged

GOOD = {
    "work": {"hours": 2.0, "contacts": 900},
    "collapse": {"effective_rank": 20.0},
    "readouts": {"tcp": {"mlp_median": 0.6}, "gripper_width": {"mlp_median": 0.2}},
    "prediction_error": {
        "object_moves": [0.01, 0.03], "object_moves_copy": [0.2, 0.4], "arm_only": [0.01, 0.02],
        "arm_only_copy": [0.2, 0.4],
    },
    "sub_goals": {"foresight": {"most_probable_tcp_cm": 1.8, "copy_tcp_cm": 6.9}},
    "verdict": {"called_done": {"within": 0.9, "beyond": 0.01}, "off_error_cm": 0.8},
}  # fmt: skip


def changed(*way: str, to: object) -> dict:
    report = copy.deepcopy(GOOD)
    inner = report
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = to
    return report


def test_a_good_bundle_is_called_so_and_each_number_stands_beside_that_of_the_shipped_one():
    words = in_words(GOOD)
    assert "No part is short of what models have that work" in words and "hardly" not in words
    for measure in MEASURES:
        assert measure.name in words and f"{measure.shipped:.3g}" in words
    assert [judgement.value for judgement in judged(GOOD)][4] == pytest.approx(0.04 / 0.6)


def test_the_shipped_numbers_are_within_the_limits():
    assert not any(measure.is_short(measure.shipped) for measure in MEASURES)


@pytest.mark.parametrize(
    ("way", "to", "part"),
    [
        (("work", "contacts"), 20, "data"),
        (("readouts", "tcp", "mlp_median"), 6.0, "encoder"),
        (("collapse", "effective_rank"), 3.0, "encoder"),
        (("prediction_error", "object_moves"), [0.2, 0.4], "predictor"),
        (("sub_goals", "foresight"), {"most_probable_tcp_cm": 4.4, "copy_tcp_cm": 4.81}, "sub-goals"),
        (("sub_goals", "foresight"), {"most_probable_tcp_cm": 5.3, "copy_tcp_cm": 5.3}, "sub-goals"),
        (("verdict", "called_done", "within"), 0.3, "verdict"),
        (("verdict", "off_error_cm"), float("nan"), "verdict"),
    ],
)
def test_what_is_short_is_named_with_what_to_do(way, to, part):
    words = in_words(changed(*way, to=to))
    assert f"This bundle will hardly work yet. Short: {part}." in words and f"- {part}: " in words


def test_parts_that_were_not_learned_are_named_and_not_judged():
    report = {name: value for name, value in GOOD.items() if name != "sub_goals"} | {"verdict": None}
    words = in_words(report)
    assert "It has no sub-goals" in words and "It has no verdict" in words and "by energy alone" in words
    assert "hardly" not in words


def test_windows_that_were_not_held_out_say_nothing_of_the_predictor():
    silent = changed("prediction_error", "object_moves_copy", to=[0.0, 0.0])
    assert judged(silent)[4].value is None and "hardly" not in in_words(silent)
