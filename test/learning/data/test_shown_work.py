from dataclasses import replace

import numpy as np
import pytest
from added_heads import ACTING, SOME

from jepa_planner.learning.data.episodes import write_shard
from jepa_planner.learning.data.shown_work import folders_that_show_work, not_failed, share_at_work


def test_episodes_in_which_the_hand_takes_things_show_work():
    assert share_at_work(ACTING) == 1.0 and share_at_work(SOME) == 0.0


def test_what_was_taken_after_the_end_of_a_recording_does_not_count():
    assert share_at_work(replace(ACTING, lengths=np.array([10, 10, 10, 4, 4, 4]))) == 0.5


@pytest.mark.parametrize(("mix", "shows"), [("", True), ("demonstration", True), ("exploration", False)])
def test_folders_are_told_apart_by_what_is_done_in_them_and_what_they_were_collected_for(tmp_path, mix, shows):
    write_shard(tmp_path / "idle" / "episodes-000000.h5", SOME)
    write_shard(tmp_path / "work" / "episodes-000000.h5", ACTING, mix=mix)
    folders = [tmp_path / "idle", tmp_path / "work"]
    assert folders_that_show_work(folders) == ((tmp_path / "work",) if shows else ())


def test_what_was_called_a_failure_is_left_out_unless_all_was():
    told = replace(ACTING, success=np.array([1, 0, -1, 1, 0, 1], np.int8))
    assert not_failed(told).seeds.tolist() == ACTING.seeds[[0, 2, 3, 5]].tolist()
    assert len(not_failed(replace(ACTING, success=np.zeros(6, np.int8)))) == 6
