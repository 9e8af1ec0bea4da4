"""The service `~/look`: what the cameras show now, as a goal image, kept under a name if asked to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from std_msgs.msg import Header

from jepa_planner.core.goal_library import GoalLibrary
from jepa_planner.msg import GoalImage
from jepa_planner.nodes.conversions import array_to_png, seconds
from jepa_planner.srv import Look


class Seen(NamedTuple):
    """A picture as its camera published it, uint8 RGB [H, W, 3], and the header that came with it."""

    pixels: np.ndarray
    header: Header


def look(
    views: Sequence[str],
    library: GoalLibrary,
    seen_now: Callable[[], Sequence[Seen]],
    request: Look.Request,
    response: Look.Response,
) -> Look.Response:
    """Answers a request; seen_now: the pictures of one moment, in the order of views, or ValueError."""
    try:
        seen = seen_now()
        response.message = "as the cameras show it"
        if request.save_as:
            pixels, frames = [one.pixels for one in seen], [one.header.frame_id for one in seen]
            taken_s = min(seconds(one.header.stamp) for one in seen)
            folder = library.save(request.save_as, pixels, frames, taken_s, request.append)
            count = len(library.notes(request.save_as).stamps_s)
            response.message = f"goal {request.save_as} has {count} goal image{'s' * (count > 1)} now: {folder}"
        elif request.append:
            raise ValueError("append is set without save_as; expected the name of a goal")
    except (ValueError, OSError) as error:
        response.message = str(error)
        return response
    compressed = [array_to_png(one.pixels, one.header.stamp, one.header.frame_id) for one in seen]
    response.goal = GoalImage(compressed_views=compressed, view_names=list(views))
    response.success = True
    return response
