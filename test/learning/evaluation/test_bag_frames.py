"""Bags written for the purpose: a camera at 10 Hz whose grey level tells the time, and an arm that moves along x."""

import json
import re
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore
from scipy.spatial.transform import Rotation
from small_models import small_contract
from tiny_vjepa2_ac import import_tiny

from jepa_planner.cli.main import main
from jepa_planner.core.message_types import ARM_STATE, COMPRESSED_IMAGE, IMAGE
from jepa_planner.learning.evaluation.bag_frames import BagMoments, pair_from_bag, pictures_from_bag
from jepa_planner.learning.evaluation.picture_pair import PictureError, PicturePair
from jepa_planner.model.contract import ContractError

HEIGHT_PX, WIDTH_PX = 64, 80
START_NS = 1_700_000_000_000_000_000
DEFINITION = (Path(__file__).parents[3] / "msg" / "ArmState.msg").read_text()
ANGLES = (
    "geometry_msgs/Point position\ngeometry_msgs/Vector3 rpy\ngeometry_msgs/Point commanded_position\n"
    "geometry_msgs/Vector3 commanded_rpy\n"
)
OLDER_DEFINITION = "".join(
    (ANGLES if line.startswith("geometry_msgs/Pose pose") else line).replace("closure_", "closedness_")
    for line in DEFINITION.splitlines(keepends=True)
    if not line.startswith(("geometry_msgs/Pose commanded_pose", "uint8 fault", "string fault_reason"))
)
"""As bags were recorded whose arm states told angles, and of no fault."""


def store_of(definition: str) -> Typestore:
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg(definition, ARM_STATE))
    return store


STORE, OLDER_STORE = store_of(DEFINITION), store_of(OLDER_DEFINITION)
TYPES = STORE.types


def header(frame: str = "panda_link0"):
    stamp = TYPES["builtin_interfaces/msg/Time"](sec=0, nanosec=0)
    return TYPES["std_msgs/msg/Header"](stamp=stamp, frame_id=frame)


def image(level: int):
    data = np.full(HEIGHT_PX * WIDTH_PX * 3, level, np.uint8)
    data[::3] = 0  # no red
    return TYPES["sensor_msgs/msg/Image"](header(), HEIGHT_PX, WIDTH_PX, "rgb8", 0, WIDTH_PX * 3, data)


def compressed(level: int):
    file = BytesIO()
    Image.new("RGB", (WIDTH_PX, HEIGHT_PX), (0, level, level)).save(file, "PNG")
    return TYPES["sensor_msgs/msg/CompressedImage"](header(), "png", np.frombuffer(file.getvalue(), np.uint8))


def arm_state(x_m: float, frame: str = "panda_link0", store: Typestore = STORE):
    types, place, turn = store.types, (x_m, 0.1, 0.2), (3.0, 0.0, 0.5)
    point = types["geometry_msgs/msg/Point"](*place)
    if store is STORE:
        turned = types["geometry_msgs/msg/Quaternion"](*Rotation.from_euler("xyz", turn).as_quat())
        where, fault = [types["geometry_msgs/msg/Pose"](point, turned)] * 2, (0, "")
    else:
        where, fault = [point, types["geometry_msgs/msg/Vector3"](*turn)] * 2, ()
    never = types["builtin_interfaces/msg/Time"](0, 0)
    return types[ARM_STATE](header(frame), *where, 0.25, 0.75, 1, False, never, 0, 0, "", *fault)


def write_bag(
    folder: Path,
    storage: StoragePlugin = StoragePlugin.SQLITE3,
    frame: str = "panda_link0",
    store: Typestore = STORE,
) -> Path:
    with Writer(folder, version=9, storage_plugin=storage) as bag:
        front = bag.add_connection("/front", "sensor_msgs/msg/Image", typestore=STORE)
        side = bag.add_connection("/side", "sensor_msgs/msg/CompressedImage", typestore=STORE)
        arm = bag.add_connection("/arm_state", ARM_STATE, typestore=store)
        for tick in range(20):
            at_ns = START_NS + tick * 100_000_000
            for connection, message in ((front, image(10 * tick)), (side, compressed(10 * tick + 5))):
                bag.write(connection, at_ns, STORE.serialize_cdr(message, connection.msgtype))
            bag.write(arm, at_ns, store.serialize_cdr(arm_state(0.4 + 0.01 * tick, frame, store), ARM_STATE))
    return folder


@pytest.fixture(scope="module")
def bag(tmp_path_factory) -> Path:
    return write_bag(tmp_path_factory.mktemp("bags") / "bag")


def read(
    bag: Path, topics: tuple[str, ...] = ("/front",), at: tuple[float, float] = (0.5, 0.8), **options
) -> PicturePair:
    state_topic = None if "state" in options else options.pop("state_topic", "/arm_state")
    return pair_from_bag(bag, BagMoments(topics, *at, state_topic), small_contract(), **options)


def test_pictures_are_given_of_any_number_of_times(bag):
    moments = pictures_from_bag(bag, ("/front", "/side"), (0.2, 0.7, 0.4))
    assert [[int(picture[0, 0, 1]) for picture in moment] for moment in moments] == [[20, 25], [70, 75], [40, 45]]


@pytest.mark.parametrize(
    ("topic", "at_s", "words"),
    [("/top", 0.2, "the bag has no topic /top"), ("/front", 9.0, r"the bag is 1\.90 s long")],
)
def test_a_picture_that_the_bag_has_not_is_named(bag, topic, at_s, words):
    with pytest.raises(PictureError, match=words):
        pictures_from_bag(bag, (topic,), (0.2, at_s))


@pytest.mark.parametrize(
    ("storage", "store"),
    [(StoragePlugin.SQLITE3, STORE), (StoragePlugin.MCAP, STORE), (StoragePlugin.MCAP, OLDER_STORE)],
    ids=["sqlite3", "mcap", "older-messages"],
)
def test_pictures_and_states_are_those_of_the_times_asked_for(storage, store, tmp_path):
    pair = read(write_bag(tmp_path / "bag", storage, store=store), ("/front", "/side"))
    assert pair.image.shape == pair.goal.shape == (2, HEIGHT_PX, WIDTH_PX, 3)
    assert [pair.image[view, 0, 0].tolist() for view in (0, 1)] == [[0, 50, 50], [0, 55, 55]]
    assert pair.goal[0, 0, 0].tolist() == [0, 80, 80]
    np.testing.assert_allclose(pair.state, [0.45, 0.1, 0.2, 3.0, 0.0, 0.5, 0.25, 0.75], atol=1e-6)
    np.testing.assert_allclose(pair.true_action, [0.03, 0, 0, 0, 0, 0, 0], atol=1e-6)


def test_between_two_messages_the_nearest_counts(bag):
    assert read(bag, at=(0.54, 0.56)).image.max() == 50
    assert read(bag, at=(0.54, 0.56)).goal.max() == 60


def test_a_state_may_be_given_instead(bag):
    pair = read(bag, state=[0.1] * 8)
    assert pair.true_action is None and pair.state.tolist() == pytest.approx([0.1] * 8)
    assert read(bag, state=[0.1] * 8, goal_state=[0.2, *[0.1] * 7]).true_action[0] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"topics": ("/top",)}, "no topic /top; it has /arm_state, /front, /side"),
        ({"topics": ("/arm_state",)}, "/arm_state is of jepa_planner/msg/ArmState; expected sensor_msgs"),
        ({"state_topic": "/front"}, "/front is of sensor_msgs/msg/Image; expected jepa_planner/msg/ArmState"),
        ({"at": (0.5, 9.0)}, "/front has no message within 1 s of 9 s; the bag is 1.90 s long"),
        ({"state_topic": None}, "tell one of the two"),
    ],
)
def test_what_the_bag_does_not_hold_is_refused_by_name(options, says, bag):
    with pytest.raises(PictureError, match=says):
        read(bag, **options)


@pytest.mark.parametrize("at_s", [float("nan"), float("inf"), -0.5, 3.0, 1e300])
def test_a_time_that_the_bag_does_not_have_is_refused_by_name(at_s, bag):
    for at in ((at_s, 0.5), (0.5, at_s)):
        with pytest.raises(PictureError, match=re.escape(f"within 1 s of {at_s:g} s; the bag is 1.90 s long")):
            read(bag, at=at)


def write_pictures(folder: Path, *messages) -> Path:
    """Pictures on the topic /camera, one every second."""
    with Writer(folder, version=9) as bag:
        camera = bag.add_connection("/camera", messages[0].__msgtype__, typestore=STORE)
        for second, message in enumerate(messages):
            bag.write(camera, START_NS + second * 10**9, STORE.serialize_cdr(message, camera.msgtype))
    return folder


def pictures(bag: Path) -> np.ndarray:
    return read(bag, ("/camera",), (0.0, 0.0), state=[0.1] * 8).image[0]


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_sixteen_bits_in_a_bag_are_scaled_in_the_order_of_bytes_that_the_message_tells(order, tmp_path):
    values = np.array([[127 * 257 + 5, 0x8001]], order)
    message = TYPES[IMAGE](header(), 1, 2, "mono16", int(order[0] == ">"), 4, values.view(np.uint8)[0])
    assert pictures(write_pictures(tmp_path / "bag", message))[0].tolist() == [[127] * 3, [128] * 3]


def compressed_file(made: Image.Image, form: str = "PNG", says: str = "", **options):
    file = BytesIO()
    made.save(file, form, **options)
    return TYPES[COMPRESSED_IMAGE](header(), says or form.lower(), np.frombuffer(file.getvalue(), np.uint8))


def test_compressed_pictures_in_a_bag_are_read_as_picture_files_are(tmp_path):
    deep = Image.fromarray(np.full((3, 4), 168 * 257, np.uint16))
    found = pictures(write_pictures(tmp_path / "deep", compressed_file(deep, says="mono16; png compressed ")))
    assert found.shape == (3, 4, 3) and found.min() == found.max() == 168
    turned = Image.Exif()
    turned[0x0112] = 6
    made = compressed_file(Image.new("RGB", (64, 32)), "JPEG", exif=turned)
    assert pictures(write_pictures(tmp_path / "turned", made)).shape == (64, 32, 3)


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (TYPES[IMAGE](header(), 1, 1, "16UC1", 0, 2, np.zeros(2, np.uint8)), "topic /camera: .*'16UC1'"),
        (compressed_file(Image.new("L", (4, 3)), says="16UC1; compressedDepth png"), "topic /camera: .*'16UC1'"),
        (TYPES[COMPRESSED_IMAGE](header(), "jpeg", np.zeros(9, np.uint8)), "on /camera at 0 s"),
    ],
)
def test_pictures_in_a_bag_that_show_no_colours_are_refused_by_topic(message, says, tmp_path):
    with pytest.raises(PictureError, match=says):
        pictures(write_pictures(tmp_path / "bag", message))


def test_a_bag_that_was_cut_short_is_refused(bag, tmp_path):
    folder = shutil.copytree(bag, tmp_path / "bag")
    (file,) = folder.glob("*.db3")
    file.write_bytes(file.read_bytes()[:9000])
    with pytest.raises(PictureError, match="cannot be read as a bag"):
        read(folder)


def test_a_folder_that_is_no_bag_is_refused(tmp_path):
    with pytest.raises(PictureError, match="nowhere cannot be read as a bag"):
        read(tmp_path / "nowhere")


def test_states_of_another_frame_are_refused(tmp_path):
    with pytest.raises(ContractError, match=r"state\.frame: 'world' given; this model was trained in 'panda_link0'"):
        read(write_bag(tmp_path / "bag", frame="world"))


def test_a_landscape_is_drawn_from_a_bag_with_the_channels_of_its_model(bag, tmp_path, capsys):
    arguments = ["--model", str(import_tiny(tmp_path / "tiny")), "--bag", str(bag), "--image-topic", "/front"]
    times = ["--at", "0.5", "--goal-at", "0.8", "--points", "3", "--out", str(tmp_path / "out")]
    assert main(["check", "landscape", *arguments, "--state-topic", "/arm_state", *times]) == 0
    found = json.loads((tmp_path / "out" / "landscape.json").read_text())
    assert found["state"] == pytest.approx([0.45, 0.1, 0.2, 3.0, 0.0, 0.5, 0.75])  # the measured closure alone
    assert found["true_action"]["action"][0] == pytest.approx(0.03, abs=1e-6)
    assert main(["check", "landscape", *arguments, *times]) == 2
    assert "tell one of the two" in capsys.readouterr().err
    assert main(["check", "landscape", *arguments, "--state-topic", "/arm_state"]) == 2
    assert "--at, --goal-at missing; --bag needs them" in capsys.readouterr().err
