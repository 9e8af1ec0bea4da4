import os

import pytest

from jepa_planner.cli.view.recorded import RecordedGoal, recorded_goals
from jepa_planner.learning.data.bags.message import BagError


def test_a_folder_without_recordings_offers_none(tmp_path):
    assert recorded_goals(tmp_path) == {}


def test_recorded_goals_are_offered_the_newest_first(tmp_path):
    for age, name in enumerate(("old", "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}_0.mcap").write_bytes(b"")
        os.utime(tmp_path / name, (1000 + age, 1000 + age))
    assert list(recorded_goals(tmp_path)) == ["new", "old"]


def test_a_damaged_recording_is_refused_by_its_name(tmp_path):
    (tmp_path / "goal").mkdir()
    (tmp_path / "goal" / "goal_0.mcap").write_bytes(b"no recording")
    with pytest.raises(BagError, match="goal"):
        RecordedGoal(tmp_path / "goal")
