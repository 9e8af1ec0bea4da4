"""The service `~/look`: what the cameras show now, as a goal image, kept under a name if asked to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from jepa_planner.core.goal_library import GoalLibrary
from jepa_planner.msg import GoalImage
from jepa_planner.nodes.conversions import ConversionError, array_to_png, picture_to_array, seconds
from jepa_planner.srv import Look


def look(
    views: Sequence[str],
    library: GoalLibrary,
    seen_now: Callable[[], Sequence[Image | CompressedImage]],
    request: Look.Request,
    response: Look.Response,
) -> Look.Response:
    """Answers a request; seen_now: pictures of one moment as they were published, in the order of views.

    Whatever seen_now raises as ValueError is the answer.
    """
    try:
        seen = seen_now()
        pictures = [_pixels(view, one) for view, one in zip(views, seen, strict=True)]
        response.message = "as the cameras show it"
        if request.save_as:
            frames, taken_s = [one.header.frame_id for one in seen], min(seconds(one.header.stamp) for one in seen)
            folder = library.save(request.save_as, pictures, frames, taken_s, request.append)
            count = len(library.notes(request.save_as).stamps_s)
            response.message = f"goal {request.save_as} has {count} goal image{'s' * (count > 1)} now: {folder}"
        elif request.append:
            raise ValueError("append is set without save_as; expected the name of a goal")
    except (ValueError, OSError) as error:
        response.message = str(error)
        return response
    compressed = [
        array_to_png(pixels, one.header.stamp, one.header.frame_id) for pixels, one in zip(pictures, seen, strict=True)
    ]
    response.goal = GoalImage(compressed_views=compressed, view_names=list(views))
    response.success = True
    return response


def _pixels(view: str, message: Image | CompressedImage) -> np.ndarray:
    try:
        return picture_to_array(message)
    except ConversionError as error:
        raise ConversionError(f"view {view}: {error}") from error
