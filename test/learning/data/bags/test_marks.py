"""Who records marks episodes: kept ones become episodes, with name, task and success, thrown away ones do not."""

import numpy as np
from bag_scenes import MARK, Said, cuts_of, made_of, mark, recorded, shown_s

from jepa_planner.learning.data.bags.marks import KEEP, START, STOP, THROW_AWAY
from jepa_planner.learning.data.episodes import read_episodes
from jepa_planner.learning.data.recording import Cuts


def marked(*marks: tuple) -> list[Said]:
    return [Said("/episode_marks", MARK, at_s, mark(at_s, *rest)) for at_s, *rest in marks]


def made(tmp_path, *marks: tuple, seconds: float = 12.0, said: list[Said] | None = None, **changes):
    said = [*(recorded(seconds=seconds) if said is None else said), *marked(*marks)]
    return made_of(tmp_path, sorted(said, key=lambda one: one.at_s), **changes)


def read(tmp_path):
    return read_episodes(tmp_path / "episodes")


def test_kept_episodes_have_their_name_task_and_success_and_end_where_they_were_ended(tmp_path):
    found = made(
        tmp_path,
        (1.0, START, "one", "put the cube in the box"), (4.0, STOP, "one"), (4.1, KEEP, "one", "", 1),
        (5.0, START, "two", "open the drawer"), (8.0, STOP, "two"), (8.1, THROW_AWAY, "two"),
        (9.0, START, "three"), (11.0, STOP, "three"), (11.2, KEEP, "three", "push", 0),
    )  # fmt: skip
    episodes = read(tmp_path)
    assert episodes.behaviour == ("run/one", "run/three")
    assert episodes.tasks == ("put the cube in the box", "push")
    assert episodes.success.tolist() == [1, 0]
    for row, (begin_s, end_s) in enumerate(((1.0, 4.0), (9.0, 11.0))):
        shown = [shown_s(frame[view]) for frame in np.asarray(episodes.images[row]) for view in (0, 1)]
        assert begin_s <= min(shown) and max(shown) <= end_s
    assert cuts_of(found) == [("thrown away", 5.0, 8.0, "it was marked so")]
    assert len(set(episodes.scenes)) == 2


def test_an_episode_that_nobody_judged_is_kept_and_one_that_was_never_stopped_ends_with_the_next(tmp_path):
    found = made(tmp_path, (1.0, START, "one"), (6.0, START, "two"))
    assert read(tmp_path).success.tolist() == [-1, -1]
    assert read(tmp_path).behaviour == ("run/one", "run/two")
    assert [one.note for one in found.plans[0].marked] == ["it was never stopped"] * 2
    assert found.episodes[0].planned.piece.steps_ns[-1] <= found.plans[0].marked[1].begin_ns


def test_an_episode_that_was_recorded_again_counts_as_it_was_last(tmp_path):
    found = made(
        tmp_path,
        (1.0, START, "one"), (4.0, STOP, "one"), (4.1, KEEP, "one", "", 0),
        (6.0, START, "one"), (9.0, STOP, "one"), (9.1, KEEP, "one", "", 1),
    )  # fmt: skip
    assert read(tmp_path).success.tolist() == [1]
    assert cuts_of(found) == [("thrown away", 1.0, 4.0, "it was recorded again under the same name")]


def test_the_last_verdict_holds(tmp_path):
    made(
        tmp_path,
        (1.0, START, "one"), (4.0, STOP, "one"), (4.1, THROW_AWAY, "one"), (4.5, KEEP, "one", "", 1),
        (6.0, START, "two"), (9.0, STOP, "two"), (9.1, KEEP, "two", "", 1), (9.2, THROW_AWAY, "two"),
    )  # fmt: skip
    assert read(tmp_path).behaviour == ("run/one",)


def test_of_an_episode_with_a_gap_only_the_end_has_succeeded(tmp_path):
    said = [one for one in recorded(seconds=8.0) if one.topic != "/front/image_raw" or not 3.0 < one.at_s < 4.0]
    made(tmp_path, (1.0, START, "one"), (7.0, STOP, "one"), (7.1, KEEP, "one", "", 1), said=said)
    episodes = read(tmp_path)
    assert episodes.success.tolist() == [-1, 1]
    assert len(set(episodes.scenes)) == 1


def test_an_episode_whose_end_is_missing_has_not_been_seen_to_succeed(tmp_path):
    said = [one for one in recorded(seconds=8.0) if one.topic != "/front/image_raw" or one.at_s < 5.0]
    made(tmp_path, (1.0, START, "one"), (7.0, STOP, "one"), (7.1, KEEP, "one", "", 1), said=said)
    assert read(tmp_path).success.tolist() == [-1]


def test_an_episode_that_ends_with_a_pause_or_in_parts_ends_with_success(tmp_path):
    made(
        tmp_path, (1.0, START, "one"), (11.0, STOP, "one"), (11.1, KEEP, "one", "", 1), cuts=Cuts(most_steps=20),
    )  # fmt: skip
    assert read(tmp_path).success.tolist() == [-1, 1]


def test_a_mark_without_a_beginning_or_of_no_kind_is_no_episode(tmp_path):
    found = made(tmp_path, (1.0, STOP, "lost"), (1.1, 9, "odd"), (2.0, START, "one"), (5.0, STOP, "one"))
    assert read(tmp_path).behaviour == ("run/one",)
    assert "a mark has kind 9" in found.plans[0].topics["/episode_marks"].notes[0]


def test_the_task_of_the_file_stands_where_marks_tell_none(tmp_path):
    made(
        tmp_path,
        (1.0, START, "one"),
        (4.0, STOP, "one"),
        (5.0, START, "two", "told"),
        (8.0, STOP, "two"),
        task="tidy up",
    )
    assert read(tmp_path).tasks == ("tidy up", "told")
