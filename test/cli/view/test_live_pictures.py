import time

import numpy as np
from sensor_msgs.msg import Image

from jepa_planner.cli.view.live_pictures import LivePictures, ShownPicture
from jepa_planner.nodes.conversions import array_to_image
from jepa_planner.nodes.watch.views import Seen


class Watch:
    """Says what was asked of it; has one view."""

    def __init__(self) -> None:
        self.asked: list[bool] = []
        self.views = {"front": self}
        self.newest: Seen | None = None

    def watch(self, watched: bool) -> None:
        self.asked.append(watched)


def seen(message: Image, number: int = 0) -> Seen:
    return Seen(number, message, time.monotonic())


def test_the_planner_is_heard_until_the_last_browser_is_closed():
    watch = Watch()
    live = LivePictures(watch)
    live.opened("a")
    live.opened("b")
    live.closed("a")
    assert False not in watch.asked
    live.closed("b")
    assert watch.asked[-1] is False
    live.closed("b")
    live.opened("c")
    assert watch.asked[-1] is True


def test_a_picture_is_made_once_for_all_browsers():
    watch = Watch()
    live = LivePictures(watch)
    assert live.newest("front") is None and live.newest("side") is None
    watch.newest = seen(array_to_image(np.zeros((8, 8, 3), np.uint8)))
    first = live.newest("front")
    assert isinstance(first, ShownPicture) and live.newest("front") is first
    watch.newest = seen(array_to_image(np.zeros((8, 8, 3), np.uint8)), 1)
    assert live.newest("front").number == 1


def test_a_picture_that_cannot_be_shown_says_why():
    watch = Watch()
    watch.newest = seen(Image(height=8, width=8, encoding="32FC1", step=32))
    assert "image encoding is '32FC1'" in LivePictures(watch).newest("front")
