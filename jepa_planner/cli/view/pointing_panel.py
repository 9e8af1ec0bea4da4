"""Where a goal is pointed at: click a thing, click its place, look at the picture that follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
from nicegui import run, ui

from jepa_planner.cli.view.pointing import Click, Pointing
from jepa_planner.nodes.client import PlannerClient, PlannerError
from jepa_planner.nodes.conversions import picture_to_array
from jepa_planner.nodes.watch.planner_watch import PlannerWatch
from jepa_planner.nodes.watch.views import Seen
from jepa_planner.pointing.pointed_goal import PointedGoal, pointed_goal
from jepa_planner.pointing.similarity import DENSE_MODEL, DenseEncoder

OFF = "without a goal picture: press Point, click a thing, then where it should be"
Take = Callable[[Mapping[str, np.ndarray]], None]


class PointingPanel:
    """One browser's clicks; take: is given the pictures that were composed, by view, to be looked at and sent."""

    def __init__(self, watch: PlannerWatch, client: PlannerClient, take: Take) -> None:
        self._watch, self._client, self._take = watch, client, take
        self._pointing: Pointing | None = None

    def build(self) -> None:
        """Puts it on the page."""
        with ui.row().classes("items-center"):
            ui.button("Point", on_click=self._begin).props("data-testid=point flat")
            self._said = ui.label(OFF).classes("text-sm").props("data-testid=pointing")

    async def clicked(self, click: Click) -> None:
        """Takes a click while somebody points; the last one makes the goal picture."""
        if (pointing := self._pointing) is None:
            self._said.set_text(f"{click}; {OFF}")
            return
        try:
            pointing.add(click)
            if pointing.wanted:
                self._said.set_text(pointing.wanted)
                return
            self._pointing = None
            self._said.set_text("looking for it")
            kept = {name: list(view.kept) for name, view in self._watch.views.items()}
            goal = await run.io_bound(composed, self._client, pointing, kept)
        except (PlannerError, ValueError) as error:
            self._pointing = None
            self._said.set_text(str(error))
            return
        if goal is not None:  # None: this process goes down
            self._take(goal.pictures)
            self._said.set_text("look at the goal picture, then send it")

    def _begin(self) -> None:
        self._pointing = Pointing(self._watch.views, self._watch.calibrations())
        self._said.set_text(self._pointing.wanted)


def composed(client: PlannerClient, pointing: Pointing, kept: Mapping[str, Sequence[Seen]]) -> PointedGoal:
    """The goal picture of what the cameras show now; kept: what they showed before, by view.

    Raises PlannerError or ValueError saying why none can be made.
    """
    seen = client.look()
    if not seen.success:
        raise ValueError(f"the planner shows no pictures: {seen.message}")
    pictures = {
        view: picture_to_array(one) for view, one in zip(seen.goal.view_names, seen.goal.compressed_views, strict=True)
    }
    earlier = {view: [picture_to_array(seen.message) for seen in pictures] for view, pictures in kept.items()}
    return pointed_goal(_finder(), pictures, pointing.clicks(), pointing.cameras, earlier)


@cache
def _finder() -> DenseEncoder:
    return DenseEncoder.load(DENSE_MODEL)
