"""A bundle imported from the released layout in the place of the small one: same nodes, other parameters at most."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Rig, goal_of, picture
from rclpy.parameter import Parameter

from jepa_planner.cli.main import main
from jepa_planner.nodes.encoder_node import EncoderNode
from jepa_planner.nodes.goal_executor import Outcome
from jepa_planner.nodes.mpc_node import MpcNode
from jepa_planner.nodes.planner_node import start
from jepa_planner.nodes.predictor_node import PredictorNode

CHECKPOINT = Path(__file__).parent.parent / "data" / "vjepa2_ac_tiny.pt"
SEARCH = {"samples": 16, "iterations": 2}
SIDE = {"image_topics": ["side/image_raw"]}


def imported(folder: Path, kind: str = "vjepa2-ac", *switches: str) -> str:
    assert main(["model", "import", kind, str(CHECKPOINT), str(folder), "--image-size", "64", *switches]) == 0
    return str(folder)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> str:
    """One view, pictures of 64 pixels, arm states of seven numbers."""
    return imported(tmp_path_factory.mktemp("imported") / "tiny", "vjepa2-ac", "--view", "front", "--tcp-frame", "tcp")


@pytest.fixture
def rig(ros, bundle) -> Iterator[Rig]:
    rig = Rig(bundle)
    rig.robot.views = [picture(1, 64), picture(2, 64)]
    yield rig
    rig.close()


@pytest.mark.parametrize("composed", [True, False], ids=["composed", "apart"])
def test_the_imported_model_plans_and_the_arm_moves(rig, composed):
    rig.planner(composed, **SEARCH)
    result = rig.result(rig.send_goals(goal_of(picture(11, 64), budget=2)))
    assert (result.outcome, result.steps) == (Outcome.BUDGET_SPENT, 2)
    assert 0.5 < result.final_energy < 2.0
    moved = [plan for plan in rig.robot.plans if plan.poses]
    assert len({plan.id for plan in moved}) == 2 and all(len(plan.poses) == 2 for plan in moved)
    rig.assert_at_rest()
    assert rig.robot.commands


def test_the_picture_that_the_camera_sees_is_reached_without_a_command(rig):
    rig.planner(**SEARCH)
    result = rig.result(rig.send_goals(goal_of(rig.robot.views[0], tolerance=1e-4)))
    assert (result.outcome, result.steps) == (Outcome.REACHED, 0)
    assert rig.commands_settle() == 0


def test_without_a_tolerance_all_steps_of_a_goal_image_are_spent(rig):
    rig.planner(**SEARCH)
    result = rig.result(rig.send_goals(goal_of(picture(11, 64)), max_steps=3))
    assert (result.outcome, result.steps) == (Outcome.BUDGET_SPENT, 3)


def test_a_parameter_chooses_another_camera(rig):
    encoder = EncoderNode(**rig.options(model=rig.bundle, **SIDE))
    predictor = PredictorNode(**rig.options(model=rig.bundle))
    rig.run(encoder, predictor, MpcNode(encoder, predictor, **rig.options(model=rig.bundle, **SEARCH)))
    rig.arm()
    rig.until(lambda: rig.holding() and rig.reach.server_is_ready())
    result = rig.result(rig.send_goals(goal_of(rig.robot.views[1], tolerance=1e-4)))
    assert (result.outcome, result.steps) == (Outcome.REACHED, 0)


@pytest.mark.parametrize(
    "goal",
    [goal_of(picture(1, 64), picture(2, 64)), goal_of(picture(1, 32))],
    ids=["pictures of two cameras", "a picture that is too small"],
)
def test_goals_that_do_not_fit_the_model_are_rejected(rig, goal):
    rig.planner(**SEARCH)
    assert not rig.send_goals(goal).accepted


def test_a_model_that_knows_another_tcp_than_the_arm_does_not_plan(ros, tmp_path):
    rig = Rig(imported(tmp_path / "flange"))
    node = MpcNode(**rig.options(model=rig.bundle))
    try:
        with pytest.raises(RuntimeError, match="mpc_node could not start"):
            start([node])
        assert node.set_parameters([Parameter("tcp_frame", value="panda_link8")])[0].successful
        start([node])
    finally:
        node.destroy_node()
        rig.close()


@pytest.mark.parametrize("node", [EncoderNode, PredictorNode])
def test_an_encoder_alone_starts_no_planner(ros, tmp_path, node):
    rig = Rig(imported(tmp_path / "alone", "vjepa2-encoder"))
    node = node(**rig.options(model=rig.bundle))
    try:
        with pytest.raises(RuntimeError, match="could not start"):
            start([node])
    finally:
        node.destroy_node()
        rig.close()
