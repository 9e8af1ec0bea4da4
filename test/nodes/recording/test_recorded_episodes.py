from pathlib import Path

import pytest

from jepa_planner.nodes.recording.bag import Bag
from jepa_planner.nodes.recording.episodes import Episodes, Kind, Mark, Phase, RefusedError, Success


class Recorder:
    """Writes bags without messages, and remembers what was asked for."""

    def __init__(self) -> None:
        self.marks: list[Mark] = []
        self.refuses = ""
        self._bag: Bag | None = None

    def begin(self, folder: Path) -> None:
        if self.refuses:
            raise RefusedError(self.refuses)
        self._bag = Bag(folder)

    def mark(self, mark: Mark) -> None:
        self.marks.append(mark)

    def end(self) -> None:
        self._bag.close()

    def do(self, work) -> None:
        work()


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def episodes(tmp_path, recorder):
    return Episodes(tmp_path, recorder, "grasp", "pick up the cube")


def told(recorder):
    return [(mark.kind, mark.name, mark.success) for mark in recorder.marks]


def test_an_episode_is_started_stopped_and_kept(episodes, recorder, tmp_path):
    episodes.start()
    assert episodes.phase is Phase.RECORDING
    episodes.stop()
    assert episodes.phase is Phase.UNDECIDED
    assert "success" in episodes.keep(Success.YES)
    assert told(recorder) == [
        (Kind.START, "grasp_0001", Success.NOT_TOLD),
        (Kind.STOP, "grasp_0001", Success.NOT_TOLD),
        (Kind.KEEP, "grasp_0001", Success.YES),
    ]
    assert {mark.task for mark in recorder.marks} == {"pick up the cube"}
    assert (tmp_path / "grasp_0001" / "metadata.yaml").is_file()
    assert episodes.kept == {"grasp_0001": Success.YES}


def test_a_judgement_ends_an_episode_that_is_still_recorded(episodes, recorder):
    episodes.start()
    episodes.keep(Success.NO)
    assert [mark.kind for mark in recorder.marks] == [Kind.START, Kind.STOP, Kind.KEEP]
    assert episodes.phase is Phase.IDLE


def test_one_that_waits_for_a_judgement_is_kept_when_the_next_begins(episodes):
    episodes.start()
    episodes.stop()
    assert "grasp_0001" in episodes.start()
    assert episodes.kept == {"grasp_0001": Success.NOT_TOLD}
    assert episodes.current == "grasp_0002"


def test_what_is_thrown_away_lies_aside_until_that_is_confirmed(episodes, tmp_path):
    episodes.start()
    episodes.throw_away()
    aside = tmp_path / "thrown_away" / "grasp_0001"
    assert not (tmp_path / "grasp_0001").exists() and (aside / "grasp_0001_0.mcap").is_file()
    assert "grasp_0001" in episodes.delete_thrown_away()
    assert not aside.exists()
    with pytest.raises(RefusedError, match="nothing was thrown away"):
        episodes.delete_thrown_away()


def test_deleting_leaves_what_was_not_thrown_away_now(episodes, tmp_path):
    older = tmp_path / "thrown_away" / "older_0001"
    Bag(older).close()
    episodes.start()
    episodes.throw_away()
    episodes.delete_thrown_away()
    assert [file.name for file in (tmp_path / "thrown_away").iterdir()] == ["older_0001"]


def test_no_name_is_used_twice(episodes, tmp_path):
    Bag(tmp_path / "grasp_0007").close()
    Bag(tmp_path / "thrown_away" / "grasp_0009").close()
    (tmp_path / "grasp_x").mkdir()
    episodes.start()
    assert episodes.current == "grasp_0010"
    episodes.throw_away()
    episodes.delete_thrown_away()
    episodes.start()
    assert episodes.current == "grasp_0011"


def test_another_name_and_task_are_of_the_next_episode(episodes, recorder):
    episodes.start()
    episodes.name, episodes.task = "push", "push it"
    episodes.keep(Success.YES)
    episodes.start()
    assert [(mark.name, mark.task) for mark in recorder.marks][-2:] == [
        ("grasp_0001", "pick up the cube"),
        ("push_0001", "push it"),
    ]


@pytest.mark.parametrize("what", ["stop", "throw_away", "keep"])
def test_what_cannot_be_done_is_refused_and_says_what_can(episodes, recorder, what):
    with pytest.raises(RefusedError, match="start first"):
        getattr(episodes, what)(*([Success.YES] if what == "keep" else []))
    assert not recorder.marks


def test_an_episode_that_is_recorded_is_not_started_again(episodes):
    episodes.start()
    with pytest.raises(RefusedError, match="grasp_0001 is being recorded"):
        episodes.start()
    assert episodes.phase is Phase.RECORDING


def test_an_episode_that_could_not_begin_is_none(episodes, recorder):
    recorder.refuses = "the disk is full"
    with pytest.raises(RefusedError, match="the disk is full"):
        episodes.start()
    assert episodes.phase is Phase.IDLE and not recorder.marks


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b", "x" * 101])
def test_names_that_are_no_folders_are_refused(tmp_path, recorder, name):
    with pytest.raises(RefusedError, match="name is"):
        Episodes(tmp_path, recorder, name)


def test_closing_keeps_what_is_under_way(episodes, recorder):
    assert episodes.close() == ""
    episodes.start()
    assert "success not told" in episodes.close()
    assert [mark.kind for mark in recorder.marks] == [Kind.START, Kind.STOP, Kind.KEEP]
