"""The verb points at a thing in the running planner's pictures: the goal is composed, shown and sent."""

import signal
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import rclpy
from harness import Rig
from jepa_planner.msg import GoalEvent
from tiny_dense import dense_bundle

from jepa_planner.cli.main import main
from jepa_planner.core.picture_file import read_picture
from jepa_planner.nodes.conversions import picture_to_array
from jepa_planner.nodes.models import contract_of, goal_library

HERE, THERE, SIDE = (12, 40), (48, 16), 10
RED = (200, 30, 30)


def table(xy: tuple[int, int]) -> np.ndarray:
    """A plain table of 64 x 64 pixels with a red cube."""
    picture = np.full((64, 64, 3), (180, 170, 150), np.uint8)
    picture[xy[1] - SIDE // 2 : xy[1] + SIDE // 2, xy[0] - SIDE // 2 : xy[0] + SIDE // 2] = RED
    return picture


def is_red(pixels: np.ndarray) -> np.ndarray:
    return (pixels[..., 0] > 150) & (pixels[..., 1] < 90)


@pytest.fixture(scope="module")
def dense(tmp_path_factory) -> str:
    return dense_bundle(tmp_path_factory.mktemp("dense"))


@pytest.fixture(scope="module")
def rig(ros, bundle):
    rig = Rig(bundle)
    rig.robot.views = [table(HERE), table(HERE)]
    rig.planner()
    yield rig
    rig.close()


@pytest.fixture
def command(monkeypatch, rig, dense, tmp_path) -> Iterator[Callable[..., int]]:
    """The verb `goal` in this process, for the rig's planner; returns its exit status."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for function in ("init", "shutdown"):
        monkeypatch.setattr(rclpy, function, lambda *_, **__: None)
    given = ["--dense", dense, "--model", rig.bundle, "--preview", str(tmp_path / "seen" / "goal.png")]
    yield lambda *words: main(["goal", *words, *given, "--budget", "1", "--namespace", rig.namespace])
    for number, handler in handlers.items():
        signal.signal(number, handler)


def pixels(xy: tuple[int, int]) -> list[str]:
    return [f"{view}:{xy[0]},{xy[1]}" for view in ("front", "side")]


def test_what_was_pointed_at_is_the_goal_that_the_planner_is_sent(rig, command, capfd, tmp_path):
    assert command("--pick", *pixels(HERE), "--place", *pixels(THERE), "--tolerance", "1e-9", "--yes") == 1
    assert "budget spent after 1 steps" in capfd.readouterr().out
    began = next(event for event in reversed(rig.robot.goal_events) if event.kind == GoalEvent.BEGAN)
    shown = read_picture(tmp_path / "seen" / "goal.png")
    assert shown.shape == (128, 128, 3)
    for column, goal in ((0, shown[64:, :64]), (64, shown[64:, 64:])):
        assert is_red(goal)[THERE[1] - 4 : THERE[1] + 4, THERE[0] - 4 : THERE[0] + 4].mean() > 0.7, column
        assert is_red(goal)[HERE[1] - 5 : HERE[1] + 5, HERE[0] - 5 : HERE[0] + 5].mean() < 0.2, column
        np.testing.assert_array_equal(picture_to_array(began.goals[0].views[column // 64]), goal)


def test_what_is_behind_the_thing_is_filled_in_from_a_goal_that_was_kept(rig, command, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "library"))
    empty, blue = table((-100, -100)), (40, 60, 200)
    empty[HERE[1] - 2 : HERE[1] + 2, HERE[0] - 2 : HERE[0] + 2] = blue  # nobody could guess it
    goal_library(contract_of(rig.bundle)).save("empty", [empty, empty], ["front", "side"], 0.0)
    where = ("--pick", *pixels(HERE), "--place", *pixels(THERE), "--yes")
    found = []
    for more in ((), ("--earlier", "empty")):
        command(*where, *more)
        shown = read_picture(tmp_path / "seen" / "goal.png")[64:, :64]
        found.append(np.abs(shown[HERE[1] - 1 : HERE[1] + 1, HERE[0] - 1 : HERE[0] + 1] - np.array(blue)).max())
    assert found[0] > 50 and found[1] <= 2
    assert command(*where, "--earlier", "nothing") == 2


def test_a_goal_picture_is_looked_at_before_it_is_sent(command, capfd, rig, tmp_path):
    before = len(rig.robot.plans)
    assert command("--pick", *pixels(HERE), "--place", *pixels(THERE)) == 2
    assert "look at" in (said := capfd.readouterr().err) and "then send it with --yes" in said
    assert (tmp_path / "seen" / "goal.png").is_file() and len(rig.robot.plans) == before


@pytest.mark.parametrize(
    ("pick", "place", "said"),
    [
        (pixels((50, 50)), pixels(THERE), "nothing that could be grasped at (50, 50)"),
        (["front:12,40"], ["front:48,16"], "click in that view too, or calibrate"),
        (["wrist:1,1"], ["1,1"], "no view 'wrist'; views are front, side"),
        (pixels((400, 3)), pixels(THERE), "lies outside the picture, which is 64 x 64 pixels"),
    ],
)
def test_what_can_be_made_no_goal_is_said_and_nothing_is_sent(command, capfd, rig, pick, place, said):
    before = len(rig.robot.plans)
    assert command("--pick", *pick, "--place", *place, "--yes") == 2
    assert said in capfd.readouterr().err and len(rig.robot.plans) == before
