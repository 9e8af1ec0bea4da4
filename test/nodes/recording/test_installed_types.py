import pytest
from jepa_planner.msg import EpisodeMark, GoalEvent, GoalImages
from rclpy.serialization import serialize_message
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from sensor_msgs.msg import CameraInfo, JointState
from std_msgs.msg import Float64
from visualization_msgs.msg import MarkerArray

from jepa_planner.nodes.recording.installed_types import (
    SEPARATOR,
    UnknownTypeError,
    definition_of,
    has_header,
    message_class,
)


def name_of(kind) -> str:
    return f"{kind.__module__.partition('.')[0]}/msg/{kind.__name__}"


@pytest.mark.parametrize("kind", [EpisodeMark, JointState, CameraInfo, MarkerArray, GoalImages, GoalEvent, Float64])
def test_a_definition_tells_those_who_know_nothing_how_to_read(kind):
    text, *others = definition_of(name_of(kind)).split(f"{SEPARATOR}\n")
    types = get_types_from_msg(text, name_of(kind))
    for other in others:
        name, _, below = other.removeprefix("MSG: ").partition("\n")
        types |= get_types_from_msg(below, name.replace("/", "/msg/"))
    store = get_typestore(Stores.EMPTY)
    store.register(types)
    known = get_typestore(Stores.ROS2_JAZZY)
    if name_of(kind) in known.types:
        assert store.hash_rihs01(name_of(kind)) == known.hash_rihs01(name_of(kind))
    else:
        store.deserialize_cdr(serialize_message(kind()), name_of(kind))


def test_what_begins_with_a_header_is_told_from_the_rest():
    assert has_header("sensor_msgs/msg/JointState") and not has_header("std_msgs/msg/Float64")


@pytest.mark.parametrize("name", ["no_such_msgs/msg/Thing", "std_msgs/msg/NoSuchThing", "nonsense"])
def test_a_type_that_is_not_installed_is_refused_by_its_package(name):
    with pytest.raises(UnknownTypeError, match=name.partition("/")[0]):
        message_class(name)
