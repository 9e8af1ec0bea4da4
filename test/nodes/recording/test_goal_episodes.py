"""When the goals of the planner have an episode, and how it ends."""

import pytest
from test_recorded_episodes import Recorder

from jepa_planner.nodes.recording.episodes import Episodes, Kind, Phase, Success
from jepa_planner.nodes.recording.goals import LINGER_S, GoalEpisodes


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def episodes(tmp_path, recorder):
    return Episodes(tmp_path, recorder, "goal")


@pytest.fixture
def goals(episodes):
    return GoalEpisodes(episodes, episodes.start)


@pytest.mark.parametrize(("reached", "success"), [(True, Success.YES), (False, Success.NO)])
def test_the_episode_of_a_goal_is_kept_a_moment_after_its_end(episodes, goals, reached, success):
    assert "goal_0001" in goals.began("a")
    assert goals.look(100.0, somebody_tells=True) == ""
    goals.ended("a", reached, 100.0)
    assert goals.look(100.0 + 0.9 * LINGER_S, somebody_tells=True) == ""
    assert episodes.phase is Phase.RECORDING
    assert "kept goal_0001" in goals.look(100.0 + LINGER_S, somebody_tells=True)
    assert episodes.kept == {"goal_0001": success}
    assert goals.look(200.0, somebody_tells=True) == ""


def test_the_next_goal_ends_the_episode_of_the_one_before(episodes, goals):
    goals.began("a")
    goals.ended("a", False, 1.0)
    goals.began("b")
    assert episodes.kept == {"goal_0001": Success.NO} and episodes.current == "goal_0002"
    goals.began("c")  # nobody told how b ended
    assert episodes.kept["goal_0002"] is Success.NOT_TOLD


def test_an_end_that_nobody_will_tell_is_not_waited_for(episodes, goals):
    goals.began("a")
    goals.look(1.0, somebody_tells=False)
    assert episodes.kept == {"goal_0001": Success.NOT_TOLD}


def test_the_end_of_another_goal_ends_no_episode(episodes, goals):
    goals.began("a")
    goals.ended("b", True, 1.0)
    goals.look(100.0, somebody_tells=True)
    assert episodes.phase is Phase.RECORDING


@pytest.mark.parametrize("phase", [Phase.RECORDING, Phase.UNDECIDED])
def test_what_a_person_records_goes_on_untouched(episodes, recorder, goals, phase):
    episodes.start()
    if phase is Phase.UNDECIDED:
        episodes.stop()
    before = list(recorder.marks)
    assert "goal_0001 is recorded by hand" in goals.began("a")
    goals.ended("a", True, 1.0)
    goals.look(100.0, somebody_tells=True)
    assert goals.close() == "" and episodes.phase is phase and recorder.marks == before


def test_a_person_may_judge_the_episode_of_a_goal_and_record_on(episodes, recorder, goals):
    goals.began("a")
    episodes.throw_away()
    episodes.start()
    goals.ended("a", True, 1.0)
    goals.look(100.0, somebody_tells=True)
    assert episodes.phase is Phase.RECORDING
    assert [mark.kind for mark in recorder.marks] == [Kind.START, Kind.STOP, Kind.THROW_AWAY, Kind.START]


def test_a_goal_that_cannot_be_recorded_is_said_until_one_is(recorder, goals):
    recorder.refuses = "the disk is full"
    assert goals.began("a") == goals.trouble == "a goal is not recorded: the disk is full"
    goals.ended("a", True, 1.0)
    recorder.refuses = ""
    goals.began("b")
    assert goals.trouble == ""


def test_closing_tells_the_end_that_is_known(episodes, goals):
    goals.began("a")
    goals.ended("a", True, 1.0)
    assert "success" in goals.close()
    assert episodes.kept == {"goal_0001": Success.YES}
