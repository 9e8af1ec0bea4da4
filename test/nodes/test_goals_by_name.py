"""Goals that are seen, kept and pursued by name, over real DDS."""

import signal
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import rclpy
from harness import FAR, HOME_RAD, Rig, goal_of, moves, picture
from jepa_planner.msg import GoalImage

from jepa_planner.cli.main import main
from jepa_planner.model.bundle import load_contract
from jepa_planner.nodes.arm_states import xyz_rpy
from jepa_planner.nodes.client import PlannerClient, PlannerError, goal_image, named_goal
from jepa_planner.nodes.conversions import compressed_to_array, seconds
from jepa_planner.nodes.encoder_node import EncoderNode
from jepa_planner.nodes.goal_executor import Outcome
from jepa_planner.nodes.models import goal_library


@pytest.fixture(scope="module")
def rig(ros, bundle, tmp_path_factory):
    """A planner that stands ready, and keeps its goals in a folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        rig = Rig(bundle)
        rig.planner()
        yield rig
        rig.close()


@pytest.fixture(autouse=True)
def empty_library(rig):
    yield
    library = goal_library(load_contract(rig.bundle))
    for name in library.names():
        library.delete(name)


@pytest.fixture(scope="module")
def client(rig):
    with PlannerClient(rig.namespace) as client:
        yield client


@pytest.fixture
def command(monkeypatch, rig) -> Iterator[Callable[..., int]]:
    """The verb `goal` in this process, for the rig's planner; returns its exit status."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for function in ("init", "shutdown"):
        monkeypatch.setattr(rclpy, function, lambda *_, **__: None)
    yield lambda *words: main(["goal", *words, "--namespace", rig.namespace])
    for number, handler in handlers.items():
        signal.signal(number, handler)


def kept(rig: Rig, name: str, *views: np.ndarray) -> None:
    goal_library(load_contract(rig.bundle)).save(name, views, ["front_camera", "side_camera"], 1.0)


def test_what_the_cameras_show_is_given_and_kept_under_a_name(rig, client):
    seen = client.look()
    assert seen.goal.view_names == ["front", "side"]
    for given, back in zip(rig.robot.views, seen.goal.compressed_views, strict=True):
        np.testing.assert_array_equal(given, compressed_to_array(back))
    assert abs(seconds(seen.goal.compressed_views[0].header.stamp) - rig.robot.stamp(0.0).nanoseconds * 1e-9) < 5.0
    library = goal_library(load_contract(rig.bundle))
    assert library.names() == []
    assert client.look("cup").message == f"goal cup has 1 goal image now: {library.folder / 'cup'}"
    rig.robot.views = [picture(7), picture(8)]
    rig.until(lambda: np.array_equal(compressed_to_array(client.look().goal.compressed_views[0]), picture(7)))
    assert "goal cup has 2 goal images now" in client.look("cup", append=True).message
    np.testing.assert_array_equal(library.load("cup").moments[1][1], picture(8))


def test_a_goal_by_name_is_pursued_to_the_same_plan_as_its_pictures(rig, client):
    kept(rig, "far", *FAR)
    for goal in (goal_of(*FAR, budget=1, tolerance=1e-9), named_goal("far", 1, 1e-9)):
        result = client.reach([goal])
        assert (result.outcome, result.steps) == (Outcome.BUDGET_SPENT, 1)
        rig.commands_settle()
        client.stop_arm()
        rig.robot.q_rad = HOME_RAD
        client.reset_arm()
        rig.until(rig.holding)
    one, other = (np.array([xyz_rpy(pose) for pose in plan.poses]) for plan in moves(rig))
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_the_command_saves_lists_pursues_and_deletes(rig, command, capfd):
    model = ["--model", rig.bundle]
    assert command("--save", "cup") == 0
    assert command("--save", "cup") == 1
    said = capfd.readouterr()
    assert "goal cup has 1 goal image now" in said.out and "a goal is called cup already" in said.err
    assert command("--save", "cup", "--append") == 0
    assert command("--list", *model) == 0
    assert "  cup  2 pictures of front, side, for small" in capfd.readouterr().out
    assert command("cup") == 0
    assert "reached after 0 steps" in capfd.readouterr().out
    assert command("plate") == 1
    assert "goal image 1: no goal is called plate; saved for this model: cup" in capfd.readouterr().err
    assert command("--delete", "cup", *model) == 0
    assert command("--delete", "cup", *model) == 2
    assert "no goal is called cup" in capfd.readouterr().err


def test_goals_from_a_folder_and_compressed_ones_are_reached(rig, client, command, capfd):
    views, rig.robot.views = rig.robot.views, [picture(1, 300), picture(2, 300)]
    sent = goal_image(rig.robot.views)
    assert sent.compressed_views
    assert client.reach([sent]).outcome is Outcome.REACHED
    client.look("now")
    folder = goal_library(load_contract(rig.bundle)).folder / "now"
    assert command(str(folder)) == 0
    assert "reached" in capfd.readouterr().out
    rig.robot.views = views


def test_nothing_is_kept_of_a_camera_that_is_silent(rig, client):
    rig.until(lambda: _looks(client))
    rig.robot.images_on = False
    rig.until(lambda: not _looks(client))
    with pytest.raises(PlannerError, match=r"image on .*/front/image_raw is stale"):
        client.look("cup")
    rig.robot.images_on = True
    rig.until(lambda: _looks(client))
    assert goal_library(load_contract(rig.bundle)).names() == []


def _looks(client: PlannerClient) -> bool:
    try:
        return client.look().success
    except PlannerError:
        return False


@pytest.mark.parametrize(
    ("save_as", "append", "complaint"),
    [("a/b", False, "cannot be called"), ("cup", True, "no goal is called cup"), ("", True, "append is set without")],
)
def test_a_look_that_cannot_be_kept_is_refused_by_name(rig, client, save_as, append, complaint):
    client.look()
    with pytest.raises(PlannerError, match=complaint):
        client.look(save_as, append)


def test_an_encoder_that_is_not_active_does_not_look(rig, client):
    encoder = next(thread.node for thread in rig.threads if isinstance(thread.node, EncoderNode))
    rig.thread(encoder).call(encoder.trigger_deactivate)
    with pytest.raises(PlannerError, match="encoder_node is not active"):
        client.look()
    rig.thread(encoder).call(encoder.trigger_activate)
    rig.until(lambda: _looks(client))


def test_a_goal_of_another_model_is_rejected_in_words(rig, client):
    library = goal_library(load_contract(rig.bundle))
    library._model = "another 1"
    library.save("cup", FAR, ["front", "side"], 1.0)
    with pytest.raises(PlannerError, match="goal cup was saved for the model another 1; this planner has small"):
        client.reach([GoalImage(name="cup")])
