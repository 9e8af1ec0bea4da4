import sys

import pytest
from geometry_msgs.msg import TwistStamped
from harness import Rig
from moveit_msgs.srv import ServoCommandType
from rclpy.node import Node
from std_srvs.srv import SetBool

from jepa_planner.nodes.running import NodeThread


class Servo(Node):
    """MoveIt Servo's two services, and the topic that it listens to."""

    def __init__(self, rig: Rig) -> None:
        super().__init__("servo_node", namespace=rig.namespace)
        self.asked: list = []
        self.answer = True
        self.twists: list[TwistStamped] = []
        self.create_service(ServoCommandType, "~/switch_command_type", self._on_request)
        self.create_service(SetBool, "~/pause_servo", self._on_request)
        self.create_subscription(TwistStamped, "twist_command", self.twists.append, 50)

    def _on_request(self, request, response):
        self.asked.append(request)
        response.success = self.answer
        return response


@pytest.fixture
def servo(rig) -> Servo:
    node = Servo(rig)
    rig.threads.append(NodeThread(node, lambda: None))
    return node


def test_servo_is_switched_and_unpaused_and_its_twists_end_with_zeros(rig, servo):
    rig.arm(output="twist", servo="servo_node")
    assert servo.asked[0].command_type == ServoCommandType.Request.TWIST
    assert servo.asked[1].data is False
    rig.until(rig.holding)
    rig.send_plan(1, (0.05, 0.0, 0.0))
    rig.until(lambda: rig.state().plan_id == 1 and not rig.state().moving)
    rig.until(lambda: len(servo.twists) > 5 and servo.twists[-1].twist == TwistStamped().twist)
    assert max(twist.twist.linear.x for twist in servo.twists) > 0.0


def test_a_servo_that_refuses_is_named(rig, servo, capfd):
    servo.answer = False
    with pytest.raises(RuntimeError):
        rig.arm(output="twist", servo="servo_node")
    assert f"service {rig.namespace}/servo_node/switch_command_type refused" in capfd.readouterr().err


def test_a_servo_that_is_not_there_is_named(rig, servo, capfd):
    with pytest.raises(RuntimeError):
        rig.arm(output="twist", servo="other_servo", listener_timeout_s=0.3)
    assert "other_servo/switch_command_type is not there after 0.3 s" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("twist", "moveit_msgs is not installed"),
        ("joint_trajectory", "output joint_trajectory is not for MoveIt Servo"),
    ],
)
def test_what_servo_needs_is_named_at_configure(rig, monkeypatch, capfd, output, words):
    monkeypatch.setitem(sys.modules, "moveit_msgs.srv", None)
    with pytest.raises(RuntimeError):
        rig.arm(output=output, servo="servo_node")
    assert words in capfd.readouterr().err
