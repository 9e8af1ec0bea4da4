"""Whether two pictures can be whole pictures of the same camera: a model sees others squeezed or cut off."""

from jepa_planner.core.picture_file import PictureError

ASPECT_SLACK = 0.01
"""Relative; a picture that is made smaller keeps its aspect but for whole pixels."""


def same_aspect(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether sizes, (width, height) in pixels, have the same aspect."""
    return abs(size[0] * other[1] - other[0] * size[1]) <= ASPECT_SLACK * other[0] * size[1]


def check_same_aspect(image_size: tuple[int, int], goal_size: tuple[int, int]) -> None:
    """Raises PictureError where the camera's picture and the goal's, (width, height) in pixels, differ in aspect."""
    if not same_aspect(image_size, goal_size):
        (now_width, now_height), (goal_width, goal_height) = image_size, goal_size
        raise PictureError(
            f"the image is {now_width} x {now_height} pixels and the goal {goal_width} x {goal_height}: "
            "both must be whole pictures of the same camera"
        )
