"""Whatever arrives at a node: it is refused or ignored with a reason, no callback raises, and no limit is broken."""

import math
import os

import numpy as np
import pytest
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point, Pose, Quaternion
from harness import FINGERS, KINEMATICS, LIMITS, picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jepa_planner.action import ReachGoalImage
from jepa_planner.msg import ArmState, GoalImage, Latent, Plan
from jepa_planner.srv import EncodeImages, Rollout
from rclpy.action import GoalResponse
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image, JointState

from jepa_planner.nodes.arm_node import ArmNode
from jepa_planner.nodes.conversions import array_to_image
from jepa_planner.nodes.encoder_node import EncoderNode
from jepa_planner.nodes.mpc_node import MpcNode
from jepa_planner.nodes.planner_node import start
from jepa_planner.nodes.predictor_node import PredictorNode

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
FUZZ = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
NUMBERS = st.one_of(st.floats(-1.0, 1.0), st.floats(width=64))
SINGLES = st.one_of(st.floats(-1.0, 1.0, width=32), st.floats(width=32))
COUNTS = st.integers(0, 4) | st.integers(0, 2**32 - 1)
TIMES = st.builds(Time, sec=st.integers(-(2**31), 2**31 - 1), nanosec=st.integers(0, 2**32 - 1))
DURATIONS = st.builds(Duration, sec=st.integers(-(2**31), 2**31 - 1), nanosec=st.integers(0, 2**32 - 1))
POINTS = st.builds(Point, x=NUMBERS, y=NUMBERS, z=NUMBERS)
UNIT_QUATERNIONS = st.floats(-3.0, 3.0).map(lambda turn: Quaternion(z=math.sin(turn), w=math.cos(turn)))
QUATERNIONS = UNIT_QUATERNIONS | st.builds(Quaternion, x=NUMBERS, y=NUMBERS, z=NUMBERS, w=NUMBERS)
POSES = st.builds(Pose, position=POINTS, orientation=QUATERNIONS)
GOOD_IMAGE = array_to_image(picture(1))


def _stamped(kind, strategies: dict) -> st.SearchStrategy:
    def made(stamp, frame, **values):
        message = kind(**values)
        message.header.stamp, message.header.frame_id = stamp, frame
        return message

    frames = st.sampled_from(["panda_link0", "", "world"])
    return st.builds(made, stamp=TIMES, frame=frames, **strategies)


PLANS = _stamped(
    Plan,
    {
        "id": st.integers(0, 2**64 - 1), "kind": st.integers(0, 255), "observed_at": TIMES, "valid_for": DURATIONS,
        "time_step": DURATIONS, "poses": st.lists(POSES, max_size=3),
        "closure": st.lists(SINGLES, max_size=3),
    },
)  # fmt: skip
NAMES = st.lists(st.sampled_from([*KINEMATICS.joint_names, *FINGERS, "other"]), max_size=12)
JOINT_STATES = _stamped(JointState, {"name": NAMES, "position": st.lists(NUMBERS, max_size=12)})
WHOLE_STATES = _stamped(
    JointState,
    {"name": st.just([*KINEMATICS.joint_names, *FINGERS]), "position": st.lists(NUMBERS, min_size=9, max_size=9)},
)
IMAGES = st.one_of(
    st.just(GOOD_IMAGE),
    _stamped(
        Image,
        {
            "height": COUNTS, "width": COUNTS, "step": COUNTS, "data": st.binary(max_size=64),
            "encoding": st.sampled_from(["rgb8", "bgr8", "mono8", "16UC1", ""]),
        },
    ),
)  # fmt: skip
OURS = "ours"
"""Stands for the model of the nodes that are tried."""
LATENTS = _stamped(
    Latent,
    {
        "model": st.sampled_from(["", "other 1", OURS]), "tokens": COUNTS, "channels": COUNTS,
        "data": st.lists(SINGLES, max_size=12), "image_shape": st.lists(COUNTS, max_size=5),
        "images": st.lists(SINGLES, max_size=2),
    },
)  # fmt: skip
GOALS = st.builds(
    GoalImage, views=st.lists(IMAGES, max_size=3), step_budget=COUNTS, tolerance=SINGLES
)  # fmt: skip


@pytest.fixture(scope="module")
def nodes(ros, bundle):
    """One node of each kind, active, that nothing spins: the tests call what messages would."""
    made = {}
    for kind in (ArmNode, EncoderNode, PredictorNode, MpcNode):
        given = {"require_listener": False, "listener_timeout_s": 0.0} if kind is ArmNode else {"model": bundle}
        overrides = [Parameter(name, value=value) for name, value in given.items()]
        made[kind] = kind(namespace="/fuzz", parameter_overrides=overrides)
    start(made.values())
    yield made
    for node in made.values():
        node.trigger_shutdown()
        node.destroy_node()


class Listener:
    """Takes the place of a publisher."""

    def __init__(self) -> None:
        self.heard = []

    def publish(self, message) -> None:
        self.heard.append(message)


@FUZZ
@given(st.lists(st.one_of(PLANS, JOINT_STATES, WHOLE_STATES), min_size=1, max_size=6))
def test_the_arm_is_not_moved_by_nonsense(nodes, messages):
    arm = nodes[ArmNode]
    arm._arm._publisher, arm._gripper._publisher = output, gripper = Listener(), Listener()
    arm._gripper.told = None
    for message in messages:
        (arm._on_plan if isinstance(message, Plan) else arm._on_joint_state)(message)
        arm._tick()
    for command in output.heard:
        q = np.array(command.points[0].positions)
        assert np.all((q >= KINEMATICS.lower_rad - 1e-9) & (q <= KINEMATICS.upper_rad + 1e-9))
        assert LIMITS.inside_workspace(KINEMATICS.tcp_pose(q)[0], tolerance_m=2e-3)
    for command in gripper.heard:
        assert 0.0 <= command.points[0].positions[0] <= 0.04


@FUZZ
@given(st.lists(GOALS, max_size=3), COUNTS)
def test_a_goal_is_accepted_only_when_it_fits_the_model(nodes, goals, max_steps):
    answer = nodes[MpcNode]._goals._judge_goal(ReachGoalImage.Goal(goals=goals, max_steps=max_steps))
    if answer is GoalResponse.ACCEPT:
        assert goals and all(len(goal.views) == 2 for goal in goals)
        assert all(view == GOOD_IMAGE for goal in goals for view in goal.views)
        assert all(np.isfinite(goal.tolerance) and goal.tolerance >= 0 for goal in goals)


def labelled(latent: Latent, model: str) -> Latent:
    """With the name of the nodes' model where it is to be theirs."""
    if latent.model == OURS:
        latent.model = model
    return latent


@FUZZ
@given(LATENTS)
def test_a_latent_of_another_shape_or_model_is_no_observation(nodes, latent):
    planner = nodes[MpcNode]
    before = planner._buffer.observation
    planner._on_latent(labelled(latent, planner._model_id))
    fits = (latent.tokens, latent.channels, len(latent.data), len(latent.images)) == (3, 4, 12, 0)
    assert planner._buffer.observation is before or fits


@FUZZ
@given(st.integers(0, 255), POSES, POSES, SINGLES)
def test_an_arm_state_that_makes_no_sense_is_no_news(nodes, mode, pose, commanded_pose, closure):
    planner = nodes[MpcNode]
    message = ArmState(mode=mode, pose=pose, commanded_pose=commanded_pose, closure_commanded=closure)
    before = planner._buffer.arm
    planner._on_arm_state(message)
    if mode > ArmState.MODE_STOPPED:
        assert planner._buffer.arm is before


@FUZZ
@given(st.lists(IMAGES, max_size=3))
def test_pictures_are_encoded_or_refused_in_words(nodes, views):
    answer = nodes[EncoderNode]._on_encode(EncodeImages.Request(views=views), EncodeImages.Response())
    assert answer.success == (len(views) == 2 and all(view == GOOD_IMAGE for view in views))
    assert answer.message


@FUZZ
@given(
    st.lists(LATENTS, max_size=2), st.lists(SINGLES, max_size=20), st.lists(SINGLES, max_size=8), LATENTS, COUNTS,
    COUNTS, st.lists(SINGLES, max_size=30),
)  # fmt: skip
def test_a_rollout_that_makes_no_sense_is_refused_in_words(nodes, context, states, past, goal, count, horizon, actions):
    for latent in (*context, goal):
        labelled(latent, nodes[PredictorNode].model_id)
    request = Rollout.Request(
        context=context, states=states, past_actions=past, goal=goal, candidates=count, horizon=horizon, actions=actions
    )
    answer = nodes[PredictorNode]._on_rollout(request, Rollout.Response())
    assert not answer.success
    assert answer.message


VALUES = st.one_of(st.booleans(), st.integers(-(2**40), 2**40), st.floats(), st.text(max_size=8))


@FUZZ
@given(st.sampled_from([ArmNode, EncoderNode, PredictorNode, MpcNode]), st.data(), VALUES)
def test_a_parameter_is_set_within_its_range_or_refused_in_words(nodes, kind, data, value):
    node = nodes[kind]
    parameter = data.draw(st.sampled_from(kind.PARAMETERS))
    before = node.get_parameter(parameter.name).value
    (answer,) = node.set_parameters([Parameter(parameter.name, value=value)])
    after = node.get_parameter(parameter.name).value
    if not answer.successful:
        assert answer.reason and after == before
    elif parameter.minimum is not None:
        assert parameter.minimum <= after <= parameter.maximum
    node.set_parameters([Parameter(parameter.name, value=before)])


def test_sense_is_still_understood_after_all_that(nodes):
    answer = nodes[EncoderNode]._on_encode(
        EncodeImages.Request(views=[GOOD_IMAGE, GOOD_IMAGE]), EncodeImages.Response()
    )
    assert answer.success
