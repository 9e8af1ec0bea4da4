"""What more episodes are worth is read off the package's own measurements, and said for what it is."""

from pathlib import Path

import pytest

from jepa_planner.learning.data.inspection.how_many_more import CURVE, SOURCE, Outlook, interpolated, judge_amount
from jepa_planner.learning.data.inspection.judgement import Level

REPORT = Path(__file__).parents[4] / SOURCE.split(",")[0]


def test_the_curve_is_that_of_the_report():
    rows = [line.strip("| \n").split(" | ") for line in REPORT.read_text().splitlines() if line.startswith("| ")]
    table = {int(row[0].split(",")[0]): row for row in rows if row[0].split(",")[0].isdigit() and len(row) == 7}
    assert sorted(table) == [row.episodes for row in CURVE]
    for row in CURVE:
        _, _, _, object_cm, _, reach, grasp = table[row.episodes]
        assert float(object_cm.split(" ")[0]) == row.object_cm
        for told, kept in ((reach, row.reach), (grasp, row.grasp)):
            solved, trials = map(int, told.split("/"))
            assert solved / trials == kept


def test_between_rows_it_goes_straight_in_the_logarithm():
    assert interpolated(200.0).grasp == pytest.approx((10 / 20 + 18 / 20) / 2)
    assert interpolated(5.0).grasp == CURVE[0].grasp
    assert interpolated(1e5).grasp == 1.0


def test_few_grasps_count_more_than_much_motion():
    assert Outlook.of(4000.0, 5).as_many < 10
    assert Outlook.of(4000.0, 0, gripper_fixed=True).as_many == 400


@pytest.mark.parametrize(
    ("moving_s", "grasps", "level", "says"),
    [
        (100.0, 5, Level.WARNING, "Less than the least measured"),
        (
            1000.0,
            53,
            Level.WARNING,
            "made 90% of reaches and 50% of grasps; twice as many are likely to make 92% and 70%",
        ),
        (4500.0, 240, Level.GOOD, "twice as many are likely"),
        (50000.0, 3000, Level.GOOD, "More is not measured"),
    ],
)
def test_what_there_is_is_put_into_words(moving_s, grasps, level, says):
    judgement = judge_amount(Outlook.of(moving_s, grasps))
    assert judgement.level is level and says in judgement.says, judgement.says
