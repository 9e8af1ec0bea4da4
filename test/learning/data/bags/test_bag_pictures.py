"""Pictures of bags are seen as encoder_node sees them, and made small as the model does."""

import cv2
import numpy as np
import pytest
import torch
from bag_scenes import COMPRESSED, IMAGE, STORE, TYPES, header

from jepa_planner.core.rectification import Lens
from jepa_planner.core.seen_picture import SeenPicture
from jepa_planner.learning.data.bags.message import BagError
from jepa_planner.learning.data.bags.pictures import ViewPictures
from jepa_planner.learning.data.recording import ViewSource
from jepa_planner.model.preprocess import preprocess

WIDTH_PX, HEIGHT_PX = 64, 48
K = (60.0, 0.0, 31.5, 0.0, 60.0, 23.5, 0.0, 0.0, 1.0)
D = (-0.3, 0.1, 0.001, -0.002, 0.0)


@pytest.fixture
def picture() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    return cv2.GaussianBlur(noise, (5, 5), 0)


def data_of(picture: np.ndarray, kind: str = IMAGE) -> bytes:
    if kind == COMPRESSED:
        file = cv2.imencode(".png", picture[..., ::-1])[1].reshape(-1)
        message = TYPES[COMPRESSED](header(0.0), "png", file)
    else:
        height, width = picture.shape[:2]
        message = TYPES[IMAGE](header(0.0), height, width, "bgr8", 0, 3 * width, picture[..., ::-1].reshape(-1).copy())
    return bytes(STORE.serialize_cdr(message, kind))


def seen(picture: np.ndarray, size_px=(32, 32), resize: str = "linear", kind: str = IMAGE, info=None, **source):
    return ViewPictures("front", "/front", kind, ViewSource("/front", **source), size_px, resize, info).pixels(
        data_of(picture, kind), {}
    )


@pytest.mark.parametrize("size_px", [(32, 32), (20, 12), (64, 48), (48, 48)])
@pytest.mark.parametrize("kind", [IMAGE, COMPRESSED])
def test_pictures_are_cut_and_made_small_as_the_model_does(picture, size_px, kind):
    expected = (
        preprocess(torch.from_numpy(picture), size_px[::-1], (0.0,) * 3, (1.0,) * 3).permute(1, 2, 0).numpy() * 255
    )
    found = seen(picture, size_px, kind=kind)
    assert found.shape == (size_px[1], size_px[0], 3)
    np.testing.assert_allclose(found, expected, atol=1.01)


def test_an_area_is_the_mean_of_its_pixels(picture):
    found = seen(picture, (16, 12), "area")
    np.testing.assert_allclose(found, picture.reshape(12, 4, 16, 4, 3).mean(axis=(1, 3)), atol=0.51)


def test_pictures_are_turned_and_then_cropped(picture):
    found = seen(picture, (20, 20), rotation=90, crop=(4, 6, 20, 20))
    np.testing.assert_array_equal(found, np.rot90(picture, -1)[6:26, 4:24])


def camera_info():
    roi = TYPES["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    return TYPES["sensor_msgs/msg/CameraInfo"](
        header(0.0),
        HEIGHT_PX,
        WIDTH_PX,
        "plumb_bob",
        np.array(D),
        np.array(K),
        np.eye(3).ravel(),
        np.zeros(12),
        0,
        0,
        roi,
    )


def test_pictures_are_rectified_by_their_camera_info(picture):
    straight = SeenPicture(ViewSource("/front").framing)
    straight.lens = Lens(WIDTH_PX, HEIGHT_PX, "plumb_bob", D, K)
    found = seen(picture, (WIDTH_PX, HEIGHT_PX), info=camera_info(), rectify=True)
    np.testing.assert_array_equal(found, straight.of(picture))
    assert np.abs(found.astype(int) - picture).max() > 20


def test_a_crop_that_reaches_outside_is_told_with_its_topic(picture):
    with pytest.raises(
        BagError, match=r"topic /front: crop \[60, 0, 20, 20\].* reaches outside of the picture, which is 64 x 48"
    ):
        seen(picture, crop=(60, 0, 20, 20))
