import io

import numpy as np
import pytest
from PIL import Image

from jepa_planner.cli.view import draft as module
from jepa_planner.cli.view.draft import Draft, uploaded_picture
from jepa_planner.core.picture_file import PictureError


def file_of(width: int = 64, height: int = 48) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 30)).save(data, "PNG")
    return data.getvalue()


def picture(shade: int = 0) -> np.ndarray:
    return np.full((48, 64, 3), shade, np.uint8)


def test_a_picture_that_is_uploaded_keeps_its_pixels():
    assert uploaded_picture("a.png", file_of(), (640, 480)).shape == (48, 64, 3)
    assert tuple(uploaded_picture("a.png", file_of(), None)[0, 0]) == (200, 30, 30)


@pytest.mark.parametrize(
    ("data", "camera", "words"),
    [
        (b"no picture", None, "cannot read the picture a.png"),
        (file_of()[:60], None, "cannot read the picture a.png"),
        (file_of(64, 64), (640, 480), "a.png: the image is 640 x 480 pixels and the goal 64 x 64"),
    ],
)
def test_what_cannot_be_a_goal_picture_is_refused_by_its_name(data, camera, words):
    with pytest.raises(PictureError, match=words):
        uploaded_picture("a.png", data, camera)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 2_000_000)
    with pytest.raises(PictureError, match=r"a\.png: too large; expected a picture file of at most 2 MB"):
        uploaded_picture("a.png", b"x" * 2_000_001, None)


def test_the_nth_pictures_of_all_views_are_the_nth_goal_image():
    draft = Draft(["front", "side"])
    for view, shade in (("front", 1), ("front", 2), ("side", 3), ("side", 4)):
        draft.add(view, picture(shade))
    first, second = draft.goals()
    assert first.view_names == ["front", "side"]
    assert [view.data[0] for view in first.views] == [1, 3] and [view.data[0] for view in second.views] == [2, 4]


def test_a_goal_image_that_lacks_a_view_is_not_sent():
    draft = Draft(["front", "side"])
    with pytest.raises(ValueError, match="there is no goal picture yet"):
        draft.goals()
    draft.add("front", picture())
    with pytest.raises(ValueError, match="front has 1, side has 0; expected as many pictures of each view"):
        draft.goals()
    assert [list(row) for row in draft.rows] == [["front"]]


def test_a_saved_goal_is_sent_by_its_name_and_takes_the_place_of_pictures():
    draft = Draft(["front", "side"])
    draft.add("front", picture())
    draft.choose("cube_on_plate", [(picture(1), picture(2))])
    (goal,) = draft.goals()
    assert goal.name == "cube_on_plate" and not goal.views and len(draft.rows) == 1
    draft.add("side", picture(5))
    assert draft.name == "" and draft.pictures["front"] == [] and len(draft.pictures["side"]) == 1
