from builtin_interfaces.msg import Time
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState

from jepa_planner.core.message_types import header_stamp_ns


def test_the_stamp_of_a_serialized_message_is_read():
    message = JointState(name=["a"])
    message.header.stamp = Time(sec=1_796_022_613, nanosec=170_539_361)
    assert header_stamp_ns(serialize_message(message)) == 1_796_022_613_170_539_361


def test_a_stamp_of_the_other_byte_order_is_read_and_one_cut_short_is_none():
    assert header_stamp_ns(b"\0\0\0\0" + (5).to_bytes(4, "big") + (7).to_bytes(4, "big")) == 5_000_000_007
    assert header_stamp_ns(b"\0\1\0\0abc") is None
