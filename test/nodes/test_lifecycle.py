import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from harness import TIMEOUT_S, picture, small_bundle
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState

from jepa_planner.nodes import qos
from jepa_planner.nodes.arm_node import ArmNode
from jepa_planner.nodes.conversions import ConversionError, array_to_image
from jepa_planner.nodes.encoder_node import EncoderNode
from jepa_planner.nodes.mpc_node import MpcNode
from jepa_planner.nodes.planner_node import diagnostic_statuses, start
from jepa_planner.nodes.predictor_node import PredictorNode

NODES = {"encoder_node": EncoderNode, "predictor_node": PredictorNode, "mpc_node": MpcNode, "arm_node": ArmNode}


class Manager:
    """A lifecycle manager for one node."""

    def __init__(self, rig, node: str) -> None:
        self._rig = rig
        self._change = rig.robot.create_client(ChangeState, f"{node}/change_state")
        self._state = rig.robot.create_client(GetState, f"{node}/get_state")

    def _call(self, client, request):
        self._rig.until(client.service_is_ready)
        answer = client.call_async(request)
        self._rig.until(answer.done, TIMEOUT_S)
        return answer.result()

    def change(self, transition: int) -> bool:
        return self._call(self._change, ChangeState.Request(transition=Transition(id=transition))).success

    def state(self) -> str:
        return self._call(self._state, GetState.Request()).current_state.label


def parameters(rig, name: str, **others: object) -> dict:
    model = {} if name == "arm_node" else {"model": rig.bundle}
    return rig.options(autostart=False, **{**model, **others})


@pytest.mark.parametrize("name", NODES)
def test_a_lifecycle_manager_can_take_a_node_up_and_down_twice(rig, name):
    node = NODES[name](**parameters(rig, name))
    rig.run(node)
    manager = Manager(rig, name)
    assert manager.state() == "unconfigured"
    for _ in range(2):
        assert manager.change(Transition.TRANSITION_CONFIGURE)
        assert manager.change(Transition.TRANSITION_ACTIVATE)
        assert manager.state() == "active"
        assert manager.change(Transition.TRANSITION_DEACTIVATE)
        assert manager.change(Transition.TRANSITION_CLEANUP)
    assert manager.state() == "unconfigured"


def test_a_node_that_a_manager_has_shut_down_is_let_alone_when_its_process_ends(rig):
    node = ArmNode(**parameters(rig, "arm_node"))
    rig.run(node)
    assert Manager(rig, "arm_node").change(Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
    assert rig.thread(node).call(node.trigger_shutdown)
    assert Manager(rig, "arm_node").state() == "finalized"


def test_what_fails_in_a_nodes_thread_is_told_to_who_asked_for_it(rig):
    with pytest.raises(ZeroDivisionError):
        rig.thread(rig.robot).call(lambda: 1 / 0)
    assert rig.thread(rig.robot).call(lambda: None)


@pytest.mark.parametrize("name", ["encoder_node", "predictor_node", "mpc_node"])
def test_a_node_whose_model_is_not_there_stays_unconfigured(rig, name, tmp_path):
    rig.run(NODES[name](**parameters(rig, name, model=str(tmp_path))))
    manager = Manager(rig, name)
    assert not manager.change(Transition.TRANSITION_CONFIGURE)
    assert manager.state() == "unconfigured"


@pytest.mark.parametrize("name", ["encoder_node", "predictor_node"])
def test_a_node_whose_model_has_no_onnx_files_works_in_torch_and_says_so(rig, name):
    node = NODES[name](**parameters(rig, name, backend="onnx"))
    rig.run(node)
    assert Manager(rig, name).change(Transition.TRANSITION_CONFIGURE)
    assert node.health()[1]["backend"] == "torch"


def test_a_planner_for_another_base_frame_than_the_models_stays_unconfigured(rig):
    rig.run(MpcNode(**parameters(rig, "mpc_node", base_frame="world")))
    assert not Manager(rig, "mpc_node").change(Transition.TRANSITION_CONFIGURE)


def test_a_gradient_search_with_the_predictor_elsewhere_stays_unconfigured(rig):
    rig.run(MpcNode(**parameters(rig, "mpc_node", solver="gradient")))
    assert not Manager(rig, "mpc_node").change(Transition.TRANSITION_CONFIGURE)


def test_an_unknown_solver_is_refused_with_the_known_ones(rig):
    with pytest.raises(ValueError, match=r"solver is 'anneal'; choose one of cem, icem"):
        MpcNode(**parameters(rig, "mpc_node", solver="anneal"))


def test_a_wrong_number_of_image_topics_stays_unconfigured(rig):
    rig.run(EncoderNode(**parameters(rig, "encoder_node", image_topics=["image"])))
    assert not Manager(rig, "encoder_node").change(Transition.TRANSITION_CONFIGURE)


@pytest.mark.parametrize("name", ["encoder_node", "predictor_node", "mpc_node"])
def test_a_model_that_needs_all_its_cameras_stays_unconfigured_with_one(rig, name):
    rig.run(NODES[name](**parameters(rig, name, views=["side"])))
    assert not Manager(rig, name).change(Transition.TRANSITION_CONFIGURE)


def test_a_model_for_any_camera_looks_through_the_one_that_is_there(rig, tmp_path):
    model = small_bundle(tmp_path, any_view=True)
    for name in NODES.keys() - {"arm_node"}:
        rig.run(NODES[name](**parameters(rig, name, model=model, views=["side"])))
        assert Manager(rig, name).change(Transition.TRANSITION_CONFIGURE), name
    encoder = next(thread.node for thread in rig.threads if isinstance(thread.node, EncoderNode))
    topics = [topic.topic_name for topic in encoder.subscriptions if topic.topic_name.endswith("image_raw")]
    assert topics == [f"{rig.namespace}/side/image_raw"]
    latents = [encoder.encode_goal([array_to_image(picture(seed))]).latent for seed in (2, 3)]
    assert latents[0].shape == latents[1].shape
    with pytest.raises(ConversionError, match="2 images came; expected one for each of the model's views: side"):
        encoder.encode_goal([array_to_image(picture(1)), array_to_image(picture(2))])


def test_starting_a_node_that_cannot_start_names_it(rig, tmp_path):
    node = EncoderNode(**rig.options(model=str(tmp_path)))
    with pytest.raises(RuntimeError, match="encoder_node could not start"):
        start([node])
    node.destroy_node()


@pytest.mark.parametrize(("parameter", "value"), [("output", "telepathy"), ("rate_hz", 1e9)])
def test_a_parameter_that_makes_no_sense_stops_the_node_at_birth(rig, parameter, value):
    with pytest.raises(Exception, match=parameter):
        ArmNode(**rig.options(**{parameter: value}))


def ours(rig, message: DiagnosticArray) -> dict[str, DiagnosticStatus]:
    """What the rig's nodes say: all robots share the topic."""
    return diagnostic_statuses(message, rig.namespace)


def test_every_node_tells_how_it_is(rig):
    heard: dict[str, DiagnosticStatus] = {}
    rig.robot.create_subscription(
        DiagnosticArray, "/diagnostics", lambda message: heard.update(ours(rig, message)), qos.STATE
    )
    rig.planner()
    rig.until(lambda: set(heard) == set(NODES))
    assert all(status.message and status.values for status in heard.values())


def test_diagnostics_name_what_is_wrong(rig):
    heard: list[DiagnosticStatus] = []
    rig.robot.create_subscription(
        DiagnosticArray, "/diagnostics", lambda message: heard.extend(ours(rig, message).values()), qos.STATE
    )
    rig.robot.joint_states_on = False
    rig.arm()
    rig.until(lambda: heard)
    assert heard[-1].name == f"{rig.namespace.lstrip('/')}/arm_node"
    assert heard[-1].level == DiagnosticStatus.WARN
    assert heard[-1].message.startswith(f"nothing came on {rig.namespace}/joint_states")
    rig.robot.joint_states_on = True
    rig.until(lambda: heard[-1].level == DiagnosticStatus.OK)
