"""Whether two pictures can be whole pictures of the same camera: a model sees others squeezed or cut off."""

from collections.abc import Sequence

from jepa_planner.core.picture_file import PictureError

ASPECT_SLACK = 0.01
"""Relative; a picture that is made smaller keeps its aspect but for whole pixels."""
Size = tuple[int, int]
"""Width and height in pixels."""


def same_aspect(size: Size, other: Size) -> bool:
    """Whether sizes have the same aspect."""
    return abs(size[0] * other[1] - other[0] * size[1]) <= ASPECT_SLACK * other[0] * size[1]


def check_same_aspect(image_size: Size, goal_size: Size) -> None:
    """Raises PictureError where the camera's picture and the goal's differ in aspect."""
    if not same_aspect(image_size, goal_size):
        raise PictureError(_differ(image_size, goal_size, "both must be whole pictures of the same camera"))


def check_same_cameras(image_sizes: Sequence[Size], goal_sizes: Sequence[Size], exactly: Sequence[bool]) -> None:
    """`check_same_aspect` for each view; exactly: of which views both must have one size, for they are rectified or
    cropped by pixels of it.
    """
    for image_size, goal_size, exact in zip(image_sizes, goal_sizes, exactly, strict=True):
        check_same_aspect(image_size, goal_size)
        if exact and image_size != goal_size:
            raise PictureError(_differ(image_size, goal_size, "what is rectified or cropped must have one size"))


def _differ(image_size: Size, goal_size: Size, why: str) -> str:
    (now_width, now_height), (goal_width, goal_height) = image_size, goal_size
    return f"the image is {now_width} x {now_height} pixels and the goal {goal_width} x {goal_height}: {why}"
