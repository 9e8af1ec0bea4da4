"""What a goal image may hold: raw pictures, compressed ones, or a name; all become the same raw pictures."""

from io import BytesIO

import numpy as np
import pytest
from harness import picture
from jepa_planner.msg import GoalImage
from jepa_planner.srv import Look
from PIL import Image as Picture
from sensor_msgs.msg import CompressedImage
from small_models import small_contract

from jepa_planner.core.goal_library import GoalLibrary
from jepa_planner.nodes.client import MAX_RAW_BYTES, goal_image, named_goal
from jepa_planner.nodes.conversions import array_to_image, image_to_array, time_message
from jepa_planner.nodes.goal_pictures import raw_goals
from jepa_planner.nodes.looking import look

CONTRACT = small_contract()
VIEWS = CONTRACT.image.views


@pytest.fixture
def library(tmp_path) -> GoalLibrary:
    return GoalLibrary("small", "small 1", VIEWS, tmp_path)


def file_of(pixels: np.ndarray, kind: str, **options: object) -> CompressedImage:
    buffer = BytesIO()
    Picture.fromarray(pixels).save(buffer, kind, **options)
    return CompressedImage(format=kind.lower(), data=buffer.getvalue())


def shown(goal: GoalImage) -> list[np.ndarray]:
    return [image_to_array(view) for view in goal.views]


def test_large_pictures_travel_as_png_and_arrive_to_the_last_bit(library):
    for size, is_compressed in ((32, False), (300, True)):
        views = [picture(seed, size) for seed in (1, 2)]
        sent = goal_image(views, step_budget=3, tolerance=0.5)
        assert bool(sent.compressed_views) == is_compressed == (sum(view.nbytes for view in views) > MAX_RAW_BYTES)
        (raw,) = raw_goals([sent], CONTRACT, library)
        assert not raw.compressed_views and (raw.step_budget, raw.tolerance) == (3, 0.5)
        for given, back in zip(views, shown(raw), strict=True):
            np.testing.assert_array_equal(given, back)


def test_a_compressed_picture_keeps_its_stamp_and_frame(library):
    view = file_of(picture(1), "PNG")
    view.header.stamp, view.header.frame_id = time_message(7.5), "left_optical_frame"
    (raw,) = raw_goals([GoalImage(compressed_views=[view, view])], CONTRACT, library)
    assert raw.views[1].header == view.header


def test_16_bits_and_exif_are_what_they_are_in_files(library):
    deep = file_of(np.full((32, 32), 168 * 257, np.uint16), "PNG")
    turned = np.zeros((32, 64, 3), np.uint8)
    turned[:, 48:] = 255
    exif = Picture.Exif()
    exif[0x0112] = 6
    (raw,) = raw_goals([GoalImage(compressed_views=[deep, file_of(turned, "JPEG", exif=exif)])], CONTRACT, library)
    grey, upright = shown(raw)
    assert grey.shape == (32, 32, 3) and np.unique(grey).tolist() == [168]
    assert upright.shape == (64, 32, 3)
    np.testing.assert_allclose(upright, np.rot90(turned, -1), atol=3)


def test_pictures_that_name_their_views_are_put_in_the_models_order_and_others_left_out(library):
    front, side, wrist = (picture(seed) for seed in (1, 2, 3))
    (raw,) = raw_goals([goal_image([wrist, side, front], view_names=["wrist", "side", "front"])], CONTRACT, library)
    for expected, found in zip((front, side), shown(raw), strict=True):
        np.testing.assert_array_equal(expected, found)
    assert VIEWS == ("front", "side")


def test_a_name_stands_for_all_pictures_of_that_goal_in_order_without_stamps(library):
    moments = [[picture(2 * number), picture(2 * number + 1)] for number in range(3)]
    for number, moment in enumerate(moments):
        library.save("cup", moment, ["front", "side"], 100.0 + number, append=number > 0)
    raw = raw_goals([named_goal("cup", 4, 0.25), goal_image(moments[0])], CONTRACT, library)
    assert len(raw) == 4
    for moment, goal in zip([*moments, moments[0]], raw, strict=True):
        for given, back in zip(moment, shown(goal), strict=True):
            np.testing.assert_array_equal(given, back)
        assert all(view.header.stamp.sec == 0 for view in goal.views)
    assert [(goal.step_budget, goal.tolerance) for goal in raw] == [(4, 0.25)] * 3 + [(0, 0.0)]


RAW = [array_to_image(picture(seed)) for seed in (1, 2)]


@pytest.mark.parametrize(
    ("goal", "complaint"),
    [
        (GoalImage(views=RAW, name="cup"), "views and name are filled; expected one of views, compressed_views, name"),
        (GoalImage(views=RAW, compressed_views=[CompressedImage()] * 2), "views and compressed_views are filled"),
        (GoalImage(name="cup"), "no goal is called cup; saved for this model: none"),
        (GoalImage(name="../cup"), "a goal cannot be called '../cup'"),
        (GoalImage(compressed_views=[CompressedImage(format="png", data=b"none")] * 2), "of view 1 begins with bytes"),
        (GoalImage(compressed_views=[CompressedImage(format="16UC1; png", data=b"")] * 2), "'16UC1'"),
        (GoalImage(views=RAW, view_names=["front"]), r"1 views are named \(front\), and 2 pictures given"),
        (GoalImage(views=RAW, view_names=["front", "wrist"]), "'side' is needed; the cameras given are front, wrist"),
    ],
)
def test_a_goal_image_that_is_not_clear_is_refused_by_its_number(library, goal, complaint):
    with pytest.raises(ValueError, match=f"goal image 2: .*{complaint}"):
        raw_goals([GoalImage(views=RAW), goal], CONTRACT, library)


def test_a_look_at_compressed_topics_gives_and_keeps_what_they_show(library):
    seen = [file_of(picture(seed), "PNG") for seed in (1, 2)]
    for view in seen:
        view.header.frame_id = "somewhere"
    response = look(VIEWS, library, lambda: seen, Look.Request(save_as="cup"), Look.Response())
    assert response.success, response.message
    for given, back in zip((1, 2), library.load("cup").moments[0], strict=True):
        np.testing.assert_array_equal(picture(given), back)
    (raw,) = raw_goals([response.goal], CONTRACT, library)
    np.testing.assert_array_equal(shown(raw)[1], picture(2))


def test_a_look_at_what_cannot_be_decoded_names_the_view(library):
    seen = [file_of(picture(1), "PNG"), CompressedImage(format="png", data=b"none")]
    response = look(VIEWS, library, lambda: seen, Look.Request(save_as="cup"), Look.Response())
    assert not response.success and response.message.startswith("view side: ")
    assert library.names() == []


def test_a_look_that_finds_no_room_says_so(library, monkeypatch):
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(library, "save", full)
    response = look(VIEWS, library, lambda: RAW, Look.Request(save_as="cup"), Look.Response())
    assert (response.success, response.message) == (False, "no space left on device")
