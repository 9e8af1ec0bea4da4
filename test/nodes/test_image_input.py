"""Pictures on their way from a camera's topic to the model, over real DDS: what is taken, what is refused by name."""

import array
from contextlib import nullcontext

import cv2
import numpy as np
import pytest
import rclpy
from harness import ENDLESS, FAR, STALE_S, Rig, goal_of, picture
from rclpy.context import Context
from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from jepa_planner.nodes import qos
from jepa_planner.nodes.conversions import ConversionError, array_to_image, numbers
from jepa_planner.nodes.encoder_node import EncoderNode
from jepa_planner.nodes.goal_executor import Outcome
from jepa_planner.nodes.image_input import check_frames

VIEWS = ("front", "side")
SIZE = (64, 48)
START = {"start_timeout_s": STALE_S}
Message = Image | CompressedImage


class Cameras:
    """Two cameras that publish what they are told, as often as they are asked to."""

    def __init__(self, rig: Rig, kind: type[Message] = Image, ending: str = "", base: str = "{}/image_raw") -> None:
        rig.robot.images_on = False
        self._node = rig.robot
        topics = [base.format(view) + ending for view in VIEWS]
        self._pictures = [rig.robot.create_publisher(kind, topic, qos.STREAM) for topic in topics]
        infos = [topic.removesuffix(ending).rpartition("/")[0] + "/camera_info" for topic in topics]
        self._infos = [rig.robot.create_publisher(CameraInfo, topic, qos.STREAM) for topic in infos]
        self.messages: list[Message] = []
        self.infos: list[CameraInfo] = []
        rig.robot.create_timer(0.04, self._publish)

    def _publish(self) -> None:
        stamp = self._node.get_clock().now().to_msg()
        for publishers, messages in ((self._infos, self.infos), (self._pictures, self.messages)):
            for publisher, message in zip(publishers, messages):  # noqa: B905, there may be none
                message.header.stamp = stamp
                publisher.publish(message)


def views(seed: int = 0) -> list[np.ndarray]:
    """Smooth pictures, which no compression harms much."""
    noise = [np.random.default_rng(seed + view).integers(0, 255, (*SIZE[::-1], 3), dtype=np.uint8) for view in (0, 1)]
    return [cv2.normalize(cv2.GaussianBlur(pixels, (0, 0), 5), None, 0, 255, cv2.NORM_MINMAX) for pixels in noise]


def jpeg(pixels: np.ndarray) -> CompressedImage:
    data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    return CompressedImage(format="rgb8; jpeg compressed bgr8", data=array.array("B", data.tobytes()))


def calibration(distortion: float = 0.0, model: str = "plumb_bob") -> CameraInfo:
    width, height = SIZE
    k = [60.0, 0.0, width / 2 - 0.5, 0.0, 60.0, height / 2 - 0.5, 0.0, 0.0, 1.0]
    numbers = [distortion, 0.0, 0.0, 0.0, 0.0]
    return CameraInfo(width=width, height=height, distortion_model=model, d=numbers, k=k)


def encoder_of(rig: Rig, **parameters: object) -> tuple[EncoderNode, list[np.ndarray]]:
    """An encoder alone, and the pictures that its model was given, uint8 [V, H, W, 3] each."""
    encoder, given = EncoderNode(**rig.options(model=rig.bundle, **parameters)), []
    pictures = encoder._pictures

    def noted(images: list[Message]):
        given.append(pictures(images))
        return given[-1]

    encoder._pictures = noted
    encoder.listen(lambda observation: None, lambda taken_s: True)
    rig.run(encoder)
    return encoder, given


def test_compressed_topics_are_heard_by_the_names_of_image_transport_after_remapping(rig):
    seen = views()
    cameras = Cameras(rig, CompressedImage, "/compressed", base="cell/{}/color")
    cameras.messages = [jpeg(pixels) for pixels in seen]
    topics = [f"cell/{view}/color" for view in VIEWS]
    encoder, given = encoder_of(rig, image_topics=topics, image_transport="compressed")
    rig.until(lambda: given and encoder.health()[0].ok)
    np.testing.assert_allclose(given[-1][0].astype(int), seen, atol=20)
    assert given[-1][1] == [SIZE, SIZE]


def test_a_picture_that_nobody_waits_for_is_not_even_decoded(rig):
    cameras = Cameras(rig, CompressedImage, "/compressed")
    cameras.messages = [CompressedImage(format="png", data=array.array("B", b"nothing to decode"))] * 2
    encoder = EncoderNode(**rig.options(model=rig.bundle, image_transport="compressed"))
    wanted = []
    encoder.listen(lambda observation: None, lambda taken_s: bool(wanted))
    rig.run(encoder)
    rig.until(lambda: encoder.health()[0].ok)
    wanted.append(True)
    rig.until(lambda: "expected a JPEG or a PNG" in encoder.health()[0].text)


def test_pictures_arrive_as_arrays_that_are_no_lists(rig):
    kinds = []
    heard: Subscription = rig.robot.create_subscription(
        Image, "front/image_raw", lambda message: kinds.append(type(message.data)), qos.SENSOR
    )
    rig.until(lambda: kinds)
    assert kinds[0] is array.array
    rig.robot.destroy_subscription(heard)


def test_rectified_turned_and_cropped_in_this_order_for_live_pictures_and_for_goals_alike(rig):
    seen, info = views(), calibration(-0.3)
    cameras = Cameras(rig)
    cameras.messages, cameras.infos = [array_to_image(pixels) for pixels in seen], [info, calibration()]
    encoder, given = encoder_of(rig, rectify=True, rotation=[90, 0], crop=[2, 10, 40, 40, 20, 4, 40, 40])
    rig.until(lambda: given)
    matrix = np.reshape(info.k, (3, 3))
    straight = cv2.undistort(seen[0], matrix, np.array(info.d), newCameraMatrix=matrix)
    live = given[-1][0].astype(int)
    np.testing.assert_allclose(live[0], np.rot90(straight, -1)[10:50, 2:42], atol=2)
    np.testing.assert_array_equal(live[1], seen[1][4:44, 20:60])
    assert np.abs(live[0] - np.rot90(seen[0], -1)[10:50, 2:42]).max() > 20
    encoder.encode_goal(cameras.messages)
    np.testing.assert_array_equal(given[-1][0], live)


def damaged(cameras: Cameras) -> None:
    for message in cameras.messages:
        message.data = message.data[: len(message.data) // 2]


def no_picture(cameras: Cameras) -> None:
    for message in cameras.messages:
        message.data = array.array("B", b"\x00\x00\x00\x01gB")


def depths(cameras: Cameras) -> None:
    for message in cameras.messages:
        message.format = "16UC1; compressedDepth png"


def plan_around(rig: Rig, composed: bool, **parameters: object) -> None:
    rig.encoder_parameters = parameters
    rig.planner(composed, **START)


@pytest.mark.parametrize("composed", [True, False], ids=["composed", "apart"])
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (damaged, "view front: the picture of a CompressedImage, "),
        (no_picture, "begins with bytes 00 00 00 01, expected a JPEG or a PNG"),
        (depths, "image encoding is '16UC1', expected one of rgb8"),
    ],
)
def test_compressed_pictures_that_cannot_be_read_end_the_goal_by_name_and_the_node_lives(rig, composed, fault, words):
    cameras = Cameras(rig, CompressedImage, "/compressed")
    good = [jpeg(picture(seed)) for seed in (1, 2)]
    cameras.messages = [CompressedImage(format=message.format, data=message.data) for message in good]
    fault(cameras)
    plan_around(rig, composed, image_transport="compressed")
    result = rig.result(rig.send_goals(ENDLESS))
    assert result.outcome is Outcome.STALE_IMAGE and words in result.message
    assert rig.commands_settle() == 0
    cameras.messages = good
    again = goal_of(*FAR, budget=1, tolerance=1e-9)
    rig.until(lambda: rig.result(rig.send_goals(again)).outcome is Outcome.BUDGET_SPENT)


@pytest.mark.parametrize(
    ("parameters", "infos", "words"),
    [
        ({"rectify": True}, [], "view front: nothing came on {ns}/front/camera_info, which rectify needs"),
        ({"rectify": True}, [CameraInfo(width=64, height=48)] * 2, "camera_info holds no calibration"),
        ({"rectify": True}, [calibration(0.1, "odd")] * 2, "distortion_model 'odd', expected one of plumb_bob"),
        ({"crop": [0, 0, 65, 48]}, [], "view front: crop [0, 0, 65, 48] (x, y, width, height) reaches outside"),
        ({"crop": [0, 0, 64, 64], "rotation": [90]}, [], "outside of the picture, which is 48 x 64 px, turned"),
        ({"crop": [0, 0, 32, 32, 0, 0, 40, 40]}, [], "views are [[32, 32, 3], [40, 40, 3]]; expected one image of the"),
    ],
    ids=["no camera_info", "no calibration", "distortion", "crop", "turned crop", "two sizes"],
)
def test_what_keeps_pictures_from_being_rectified_or_cropped_ends_the_goal_by_name(rig, parameters, infos, words):
    cameras = Cameras(rig)
    cameras.messages, cameras.infos = [array_to_image(pixels) for pixels in views()], infos
    plan_around(rig, True, **parameters)
    result = rig.result(rig.send_goals(goal_of(*views(3), tolerance=1e-9)))
    assert result.outcome in (Outcome.STALE_IMAGE, Outcome.INVALID_GOAL)
    assert words.format(ns=rig.namespace) in result.message
    assert rig.commands_settle() == 0


def test_a_cropped_goal_must_have_the_size_of_the_cameras_pictures(rig):
    cameras = Cameras(rig)
    cameras.messages = [array_to_image(pixels) for pixels in views()]
    encoder, given = encoder_of(rig, crop=[8, 0, 48, 48])
    rig.until(lambda: given)
    larger = [array_to_image(cv2.resize(pixels, (128, 96))) for pixels in views(3)]
    with pytest.raises(ValueError, match="the image is 64 x 48 pixels and the goal 128 x 96: what is rectified or"):
        encoder.encode_goal(larger)
    encoder.encode_goal([array_to_image(pixels) for pixels in views(3)])


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"rotation": [45]}, "rotation is 45; expected one of 0, 90, 180, 270 degrees"),
        ({"crop": [1, 2, 3]}, "crop has 3 numbers; expected x, y, width, height"),
    ],
)
def test_parameters_that_make_no_picture_are_refused_at_configure(rig, parameters, says):
    encoder = EncoderNode(**rig.options(model=rig.bundle, autostart=False, **parameters))
    encoder.trigger_configure()
    assert says in encoder.failure
    encoder.destroy_node()


def test_a_topic_that_carries_another_kind_of_message_is_named_with_what_was_expected(rig):
    rig.robot.images_on = False
    plan_around(rig, True, image_topics=["cell/front", "cell/side"])
    another = Context()  # a process has one type for each name
    rclpy.init(args=[], context=another)
    camera = Node("camera", namespace=rig.namespace, context=another)
    for view in VIEWS:
        camera.create_publisher(CompressedImage, f"cell/{view}", qos.STREAM)
    rig.until(lambda: all(rig.robot.count_publishers(f"cell/{view}") for view in VIEWS))
    result = rig.result(rig.send_goals(ENDLESS))
    camera.destroy_node()
    rclpy.shutdown(context=another)
    assert result.outcome is Outcome.STALE_IMAGE
    carries = f"{rig.namespace}/cell/front carries sensor_msgs/msg/CompressedImage, expected sensor_msgs/msg/Image"
    assert carries in result.message


class Suspicion:
    """Stands for the judge of moments, whose own tests are test/model/test_view_mixups.py."""

    def __init__(self) -> None:
        self.tcps_m: list[np.ndarray] = []
        self.says = "front and side look swapped"

    def judge(self, pictures: np.ndarray, latent: object, tcp_m: np.ndarray) -> str:
        self.tcps_m.append(tcp_m)
        return self.says


@pytest.mark.parametrize("composed", [True, False], ids=["composed", "apart"])
def test_views_that_look_mixed_up_end_the_goal_by_name_and_the_arm_is_judged_where_it_rests(rig, monkeypatch, composed):
    suspicion = Suspicion()
    monkeypatch.setattr(EncoderNode, "_mixup_check", lambda node: suspicion)
    _, encoder, _ = rig.planner(composed, **START)
    rig.until(lambda: composed or encoder._rest is not None)
    result = rig.result(rig.send_goals(ENDLESS))
    assert result.outcome is Outcome.STALE_IMAGE
    assert "encoder_node: front and side look swapped" in result.message
    assert rig.commands_settle() == 0
    np.testing.assert_allclose(suspicion.tcps_m[0], numbers(rig.state().pose.position), atol=1e-3)


def test_views_that_are_put_right_while_the_arm_rests_are_planned_on_and_judged_once(rig, monkeypatch):
    suspicion = Suspicion()
    monkeypatch.setattr(EncoderNode, "_mixup_check", lambda node: suspicion)
    rig.planner(**START)
    goal = goal_of(*rig.robot.views)
    assert rig.result(rig.send_goals(goal)).outcome is Outcome.STALE_IMAGE
    suspicion.says, judged_before = "", len(suspicion.tcps_m)
    for _ in range(2):
        assert rig.result(rig.send_goals(goal)).outcome is Outcome.REACHED
    assert len(suspicion.tcps_m) == judged_before + 1


def test_without_statistics_or_when_told_so_views_are_not_judged(rig):
    encoder, given = encoder_of(rig)
    rig.until(lambda: given)
    assert encoder._mixups is None


@pytest.mark.parametrize(
    ("frames", "of_goal", "is_refused"),
    [
        (["b", "a"], ["a", "b"], True),
        (["a", "b"], ["a", "b"], False),
        (["c", "a"], ["a", "b"], False),
        (["b", "a"], [], False),
        (["", ""], ["a", "b"], False),
    ],
)
def test_views_whose_frames_the_goal_has_in_another_order_are_mixed_up(frames, of_goal, is_refused):
    says = "the cameras show front in b, side in a, and the goal pictures front in a, side in b: correct image_topics"
    with pytest.raises(ConversionError, match=says) if is_refused else nullcontext():
        check_frames(VIEWS, frames, of_goal)


def test_cameras_whose_topics_were_swapped_since_the_goal_was_seen_end_it_by_name(rig):
    cameras = Cameras(rig)
    cameras.messages = [array_to_image(picture(seed), None, f"{view}_frame") for seed, view in enumerate(VIEWS)]
    plan_around(rig, True)
    goal = goal_of(*FAR, budget=1, tolerance=1e-9)
    for view, name in zip(goal.views, reversed(VIEWS), strict=True):
        view.header.frame_id = f"{name}_frame"
    result = rig.result(rig.send_goals(goal))
    assert result.outcome is Outcome.STALE_IMAGE
    assert "views are mixed up: the cameras show front in front_frame" in result.message
    assert rig.commands_settle() == 0
