import numpy as np
import pytest
from PIL import Image

from jepa_planner.core.goal_folder import read_goal_folder
from jepa_planner.core.picture_file import PictureError


def put(folder, *names: str) -> None:
    """Pictures of one grey each, as bright as their place in the list."""
    for grey, name in enumerate(names):
        Image.fromarray(np.full((4, 6, 3), grey, np.uint8)).save(folder / name)


def greys(folder) -> list[list[int]]:
    return [[int(picture[0, 0, 0]) for picture in moment] for moment in read_goal_folder(folder).moments]


def test_one_picture_of_each_view_is_one_goal_image(tmp_path):
    put(tmp_path, "side.png", "front.png")
    found = read_goal_folder(tmp_path)
    assert found.views == ("front", "side") and greys(tmp_path) == [[1, 0]]
    assert found.moments[0][0].shape == (4, 6, 3) and found.moments[0][0].dtype == np.uint8


def test_numbers_order_goal_images_as_numbers_and_not_as_text(tmp_path):
    put(tmp_path, "10_front.png", "9_front.jpg", "1_front.PNG")
    (tmp_path / "goal.yaml").write_text("of somebody else")
    assert greys(tmp_path) == [[2], [1], [0]]


def test_a_view_may_have_numbers_and_lines_in_its_name(tmp_path):
    put(tmp_path, "1_wrist_2.png", "2_wrist_2.png")
    assert read_goal_folder(tmp_path).views == ("wrist_2",) and greys(tmp_path) == [[0], [1]]


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        ((), "holds no picture; expected VIEW.png"),
        (
            ("1_front.png", "1_side.png", "2_front.png"),
            "lacks 2_side.png: each goal image needs a picture of front, side",
        ),
        (("front.png", "2_front.png"), "holds front.png and 2_front.png: number all pictures"),
        (("1_front.png", "01_front.png"), "01_front.png and 1_front.png are of the same view and number"),
        (("front.png", "front.bmp"), "front.bmp and front.png are of the same view and number"),
    ],
)
def test_a_folder_that_is_not_clear_is_refused_by_name(tmp_path, names, complaint):
    put(tmp_path, *names)
    with pytest.raises(PictureError, match=complaint):
        read_goal_folder(tmp_path)


def test_a_damaged_picture_is_named(tmp_path):
    (tmp_path / "front.png").write_bytes(b"none")
    with pytest.raises(PictureError, match=r"front\.png"):
        read_goal_folder(tmp_path)
