"""Goal images as they are sent, compressed or by name, to raw pictures of the model's views."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sensor_msgs.msg import Image

from jepa_planner.core.goal_library import GoalLibrary
from jepa_planner.model.contract import Contract
from jepa_planner.msg import GoalImage
from jepa_planner.nodes.conversions import array_to_image, compressed_to_array

PICTURES = ("views", "compressed_views", "name")
"""Fields of which a goal image has one."""


def raw_goals(goals: Iterable[GoalImage], contract: Contract, library: GoalLibrary) -> list[GoalImage]:
    """Goal images with `views` alone, in the contract's order; a name becomes all pictures of that goal.

    Raises ValueError naming the goal image at fault, counted from 1.
    """
    return [raw for number, goal in enumerate(goals, 1) for raw in _raw(goal, number, contract, library)]


def picked(pictures: Sequence[Image], names: Sequence[str], contract: Contract) -> list[Image]:
    """The pictures of the model's views, in its order; no names: they are that already.

    Raises ValueError where names and pictures differ in number, and ContractError for a view that is not there.
    """
    if not names:
        return list(pictures)
    if len(names) != len(pictures):
        raise ValueError(f"{len(names)} views are named ({', '.join(names)}), and {len(pictures)} pictures given")
    return [pictures[place] for place in contract.pick_views(names)]


def _raw(goal: GoalImage, number: int, contract: Contract, library: GoalLibrary) -> Iterator[GoalImage]:
    filled = [field for field in PICTURES if getattr(goal, field)]
    try:
        if len(filled) > 1:
            raise ValueError(f"{' and '.join(filled)} are filled; expected one of {', '.join(PICTURES)}")
        if not goal.name:
            yield _with(goal, picked(_pictures(goal), goal.view_names, contract))
            return
        frames = [view.frame for view in library.notes(goal.name).views]
        for moment in library.load(goal.name).moments:
            views = [array_to_image(pixels, None, frame) for pixels, frame in zip(moment, frames, strict=True)]
            yield _with(goal, views)
    except ValueError as error:
        raise ValueError(f"goal image {number}: {error}") from error


def _pictures(goal: GoalImage) -> list[Image]:
    if not goal.compressed_views:
        return list(goal.views)
    return [
        array_to_image(compressed_to_array(view, f"of view {place}"), view.header.stamp, view.header.frame_id)
        for place, view in enumerate(goal.compressed_views, 1)
    ]


def _with(goal: GoalImage, views: list[Image]) -> GoalImage:
    return GoalImage(views=views, step_budget=goal.step_budget, tolerance=goal.tolerance)
