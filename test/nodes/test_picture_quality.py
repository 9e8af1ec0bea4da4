"""Pictures are heard as reliably as all who publish them offer."""

import pytest
from harness import STALE_S
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import Image

from jepa_planner.nodes import qos
from jepa_planner.nodes.encoder_node import EncoderNode

BEST_EFFORT, RELIABLE = ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE


def heard(rig) -> set[ReliabilityPolicy]:
    found = rig.robot.get_subscriptions_info_by_topic(f"{rig.namespace}/cell/image")
    return {one.qos_profile.reliability for one in found}


@pytest.mark.parametrize(
    ("offers", "expected"),
    [((RELIABLE,), RELIABLE), ((BEST_EFFORT,), BEST_EFFORT), ((RELIABLE, BEST_EFFORT), BEST_EFFORT)],
)
def test_pictures_that_are_offered_reliably_are_heard_so_and_others_still_are(rig, offers, expected):
    profiles = {RELIABLE: qos.STREAM, BEST_EFFORT: qos.SENSOR}
    cameras = [rig.robot.create_publisher(Image, "cell/image", profiles[offer]) for offer in offers]
    rig.run(EncoderNode(**rig.options(model=rig.bundle, image_topics=["cell/image", "side/image_raw"])))
    rig.until(lambda: heard(rig) == {expected} and all(camera.get_subscription_count() for camera in cameras))


def test_a_camera_driver_that_comes_back_with_another_quality_is_heard_again(rig):
    rig.run(EncoderNode(**rig.options(model=rig.bundle, image_topics=["cell/image", "side/image_raw"])))
    for profile in (qos.STREAM, qos.SENSOR, qos.STREAM):
        camera = rig.robot.create_publisher(Image, "cell/image", profile)
        rig.until(lambda camera=camera, profile=profile: heard(rig) == {profile.reliability}, 3 * STALE_S + 30.0)
        assert rig.thread(rig.robot).call(lambda camera=camera: rig.robot.destroy_publisher(camera))
