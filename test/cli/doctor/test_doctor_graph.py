from dataclasses import replace

import pytest
from made_up_system import BEST_EFFORT, RELIABLE, SETTINGS, USES, every, levels, planner, system, told, with_topic

from jepa_planner.cli.doctor import graph, planner_nodes
from jepa_planner.cli.doctor.findings import Level
from jepa_planner.cli.doctor.heard import Controller, Endpoint, RunningNode, Said, Topic
from jepa_planner.cli.doctor.names import as_run, full_name, uses

GREEN, YELLOW, RED = Level
PLAN = "jepa_planner/msg/Plan"
JOINTS, IMAGE, TRAJECTORY = "sensor_msgs/msg/JointState", "sensor_msgs/msg/Image", "trajectory_msgs/msg/JointTrajectory"


def end(node: str, kind: str, qos=RELIABLE) -> Endpoint:
    return Endpoint(node, kind, qos)


def published(*ends: Endpoint) -> Topic:
    return Topic(publishers=ends)


def heard_by(*ends: Endpoint) -> Topic:
    return Topic(listeners=ends)


def test_drivers_at_their_places_are_green():
    assert levels(graph.names(system())) == {GREEN}


@pytest.mark.parametrize(
    ("name", "topic", "others", "words"),
    [
        ("/joint_states", Topic(), {}, "nobody publishes /joint_states -> start the driver"),
        (
            "/joint_states", Topic(), {"/my_arm/joint_states": published(end("/arm", JOINTS))},
            "/my_arm/joint_states is published, /joint_states is not -> --remap joint_states:=/my_arm/joint_states",
        ),
        (
            "/front/image_raw", published(end("/camera", "sensor_msgs/msg/CompressedImage")), {},
            "/front/image_raw is sensor_msgs/msg/CompressedImage, published by /camera; the planner takes",
        ),
        ("/front/image_raw", published(end("/one", IMAGE), end("/two", IMAGE)), {}, "2 publishers: /one, /two"),
        ("/joint_trajectory", Topic(), {}, "nobody listens on /joint_trajectory -> start the controller"),
        (
            "/joint_trajectory", Topic(), {"/arm_controller/joint_trajectory": heard_by(end("/arm", TRAJECTORY))},
            "--remap joint_trajectory:=/arm_controller/joint_trajectory",
        ),
        (
            "/joint_trajectory", heard_by(end("/forward", "std_msgs/msg/Float64MultiArray")), {},
            "/forward listens on /joint_trajectory for std_msgs/msg/Float64MultiArray",
        ),
        ("/arm_state", published(end("/other/arm_node", "jepa_planner/msg/ArmState")), {}, "two masters of one arm"),
        (
            "/plan", published(end("/mpc_node", PLAN), end("/mpc_node", PLAN)), {},
            "2 nodes called /mpc_node publish /plan",
        ),
        (
            "/joint_states", Topic((end("/arm", JOINTS, BEST_EFFORT),), (end("/arm_node", JOINTS, RELIABLE),)), {},
            "/arm_node hears nothing of /arm on /joint_states",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_name_is_red_with_the_way_out(name, topic, others, words):
    heard = with_topic(name, topic)
    assert words in told(graph.names(replace(heard, topics={**heard.topics, **others})), RED)


def test_two_sources_of_joint_states_and_a_listener_that_hears_nothing_are_yellow():
    two = with_topic("/joint_states", published(end("/arm", JOINTS), end("/gripper", JOINTS)))
    assert "joint_state_publisher with source_list" in told(graph.names(two), YELLOW)
    deaf = Topic((end("/camera", IMAGE, BEST_EFFORT),), (end("/rviz", IMAGE, RELIABLE),))
    assert "/rviz hears nothing of /camera" in told(graph.names(with_topic("/front/image_raw", deaf)), YELLOW)


def test_pictures_that_come_by_another_transport_are_found():
    heard = with_topic("/front/image_raw", Topic())
    compressed = published(end("/camera", "sensor_msgs/msg/CompressedImage"))
    heard = replace(heard, topics={**heard.topics, "/front/image_raw/compressed": compressed})
    assert "set image_transport of encoder_node to compressed" in told(graph.names(heard), RED)


def test_compressed_pictures_under_another_name_are_remapped_without_the_ending():
    settings = {**SETTINGS, "encoder_node": {**SETTINGS["encoder_node"], "image_transport": "compressed"}}
    wanted = uses(settings, ("front",))
    assert (wanted[0].topic, wanted[0].type) == ("/front/image_raw/compressed", "sensor_msgs/msg/CompressedImage")
    topics = {"/cam/image/compressed": published(end("/camera", "sensor_msgs/msg/CompressedImage"))}
    findings = graph.names(system(uses=wanted[:1], topics=topics))
    assert "-> --remap front/image_raw:=/cam/image" in told(findings, RED).split("compressed")[-1]


def test_a_description_by_topic_is_one_of_the_names():
    assert "robot_description" not in [use.key for use in USES]
    keys = [use.key for use in uses(SETTINGS, ("front", "side"), described=False)]
    assert "robot_description" in keys


def test_a_gripper_or_an_arm_that_is_an_action_is_named_with_the_parameters_for_it():
    heard = with_topic("/gripper_command", Topic(), actions={"/hand/cmd": ("control_msgs/action/GripperCommand",)})
    assert "set gripper_output of arm_node to gripper_command, and gripper_action to /hand/cmd" in told(
        graph.names(heard), RED
    )
    follow = "control_msgs/action/FollowJointTrajectory"
    heard = with_topic("/joint_trajectory", Topic(), actions={"/arm/follow": (follow,)})
    assert "set output of arm_node to follow_joint_trajectory, and arm_action to /arm/follow" in told(
        graph.names(heard), RED
    )


@pytest.mark.parametrize(
    ("actions", "level", "words"),
    [
        ({"/hand/cmd": ["control_msgs/action/GripperCommand"]}, GREEN, "/hand/cmd has a server"),
        ({"/hand/cmd": ["control_msgs/action/ParallelGripperCommand"]}, RED, "choose the output"),
        ({"/claw": ["control_msgs/action/GripperCommand"]}, RED, "set gripper_action to /claw"),
        ({}, RED, "/hand/cmd has no server -> start the controller"),
    ],
)
def test_an_action_that_is_commanded_needs_a_server_of_its_type(actions, level, words):
    arm = {**SETTINGS["arm_node"], "gripper_output": "gripper_command", "gripper_action": "/hand/cmd"}
    heard = system(uses=uses({**SETTINGS, "arm_node": arm}, ("front", "side")), actions=actions)
    findings = [finding for finding in graph.names(heard) if finding.about == "gripper_action"]
    assert words in told(findings, level) and len(findings) == 1


@pytest.mark.parametrize(
    ("name", "remaps", "full"),
    [
        ("joint_states", [], "/left/joint_states"),
        ("joint_states", [("joint_states", "/arm/joints")], "/arm/joints"),
        ("joint_states", [("/left/joint_states", "joints")], "/left/joints"),
        ("joint_states", [("/joint_states", "/arm/joints")], "/left/joint_states"),
        ("joint_states", [("arm_node:joint_states", "/arm/joints")], "/arm/joints"),
        ("joint_states", [("mpc_node:joint_states", "/arm/joints")], "/left/joint_states"),
        ("joint_states", [("joint_states", "/one"), ("joint_states", "/two")], "/one"),
        ("/clock", [], "/clock"),
        ("~/stop", [], "/left/arm_node/stop"),
    ],
)
def test_names_are_remapped_as_ros_does(name, remaps, full):
    assert full_name(name, "arm_node", "left", remaps) == full


def test_image_topics_that_are_too_few_are_refused():
    settings = SETTINGS | {"encoder_node": SETTINGS["encoder_node"] | {"image_topics": ["/cam"]}}
    with pytest.raises(ValueError, match="names 1 topics; this model needs 2"):
        uses(settings, ("front", "side"))
    assert uses(settings, ("front",))[0].topic == "/cam"


def test_a_running_node_is_understood_by_the_names_that_it_uses():
    ends = {
        ("arm_node", False): {"/arm/joints": [JOINTS], "/plan": ["jepa_planner/msg/Plan"]},
        ("arm_node", True): {"/one": [TRAJECTORY], "/two": [TRAJECTORY], "/arm_state": ["jepa_planner/msg/ArmState"]},
        ("encoder_node", False): {"/cams/side": [IMAGE], "/cams/front": [IMAGE]},
    }
    found = {use.key: use.topic for use in as_run(USES, ends)}
    assert found["joint_states"] == "/arm/joints"
    assert (found["front/image_raw"], found["side/image_raw"]) == ("/cams/front", "/cams/side")
    assert found["joint_trajectory"] == "/joint_trajectory", "which of two is not clear"


def test_a_running_node_that_uses_other_names_is_told_where_they_cannot_be_guessed():
    heard = with_topic("/one", published(end("/arm_node", TRAJECTORY)), running=planner())
    assert "/arm_node sends not on /joint_trajectory but on /one -> give doctor the same --remap" in told(
        graph.names(heard), YELLOW
    )


def with_clock(publishers: int, ticks: int, simulated: bool) -> object:
    settings = {node: values | {"use_sim_time": simulated} for node, values in SETTINGS.items()}
    kind = "rosgraph_msgs/msg/Clock"
    heard = with_topic("/clock", published(*(end(f"/sim{number}", kind) for number in range(publishers))))
    return replace(heard, settings=settings, streams={"/clock": every(0.1, count=ticks)})


@pytest.mark.parametrize(
    ("clock", "level"),
    [
        ((0, 0, False), GREEN), ((1, 5, True), GREEN), ((0, 0, True), RED), ((1, 0, True), RED), ((2, 5, True), RED),
        ((1, 5, False), YELLOW),
    ],
)  # fmt: skip
def test_simulated_time_must_be_told_by_one_and_wanted(clock, level):
    (finding,) = graph.clock(with_clock(*clock))
    assert finding.level is level


def test_nodes_by_different_times_are_named():
    running = (*planner(use_sim_time=True)[:1], *planner(use_sim_time=False)[1:])
    assert "use_sim_time is true for /mpc_node alone" in told(graph.clock(system(running=running)), RED)


def test_an_inactive_controller_is_named_with_the_command_that_activates_it():
    heard = with_topic("/arm_controller/joint_trajectory", heard_by(end("/arm_controller", TRAJECTORY)))
    renamed = [
        replace(u, topic="/arm_controller/joint_trajectory") if u.key == "joint_trajectory" else u for u in heard.uses
    ]
    controller = Controller("/controller_manager", "arm_controller", "JointTrajectoryController", "inactive")
    heard = replace(heard, uses=tuple(renamed), managers=("/controller_manager",), controllers=(controller,))
    assert "ros2 control switch_controllers --activate arm_controller" in told(graph.controllers(heard, "x"), RED)
    active = replace(heard, controllers=(replace(controller, state="active"),))
    assert levels(graph.controllers(active, "x")) == {GREEN}
    assert "sudo apt install x" in told(graph.controllers(replace(heard, controllers=None), "x"), YELLOW)
    assert graph.controllers(system(), "x") == []


def test_nodes_that_are_missing_double_inactive_or_silent_are_named():
    assert levels(planner_nodes.nodes(system(running=planner()))) == {GREEN}
    assert "arm_node, predictor_node, encoder_node missing" in told(
        planner_nodes.nodes(system(running=planner()[:1])), RED
    )
    assert "mpc_node of / run more than once" in told(
        planner_nodes.nodes(system(running=(*planner(), planner()[0]))), RED
    )
    assert "ros2 lifecycle set /arm_node activate" in told(
        planner_nodes.nodes(system(running=planner("inactive"))), RED
    )
    silent = (*planner()[1:], RunningNode("/mpc_node"))
    assert "/mpc_node did not answer" in told(planner_nodes.nodes(system(running=silent)), YELLOW)


def test_a_machine_on_which_nothing_runs_is_yellow():
    assert "nothing runs" in told(planner_nodes.nodes(system(topics={})), YELLOW)


def test_parameters_that_differ_from_a_file_are_named_by_node():
    heard = system(running=planner(rate_hz=100.0))
    assert "rate_hz of /arm_node is 100.0, you gave 250.0" in told(
        planner_nodes.parameters(heard, {"arm_node": {"rate_hz": 250.0}}), YELLOW
    )
    assert planner_nodes.parameters(heard, {"arm_node": {"rate_hz": 100.0}, "mpc_node": {}}) == []


def test_what_nodes_say_of_themselves_is_passed_on():
    said = (
        Said("/arm_node", 1, "STOPPED", "~/stop was called"),
        Said("/mpc_node", 1, "LATE_ON_ARRIVAL", "late"),
        Said("/camera", 2, "", "USB is slow"),
        Said("/encoder_node", 0, "OK", "working"),
    )
    findings = planner_nodes.says(system(running=planner(), said=said))
    assert "/arm_node: ~/stop was called" in told(findings, RED)
    assert "/camera: USB is slow" in told(findings, YELLOW) and "late" in told(findings, YELLOW)
    assert len(findings) == 3
