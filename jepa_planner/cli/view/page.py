"""The page of one browser, put together from its panels."""

from __future__ import annotations

from pathlib import Path

from nicegui import ui

from jepa_planner.cli.view.command_bar import CommandBar
from jepa_planner.cli.view.goal_panel import GoalPanel
from jepa_planner.cli.view.imagined_panel import ImaginedPanel
from jepa_planner.cli.view.live_panel import LivePanel
from jepa_planner.cli.view.live_pictures import LivePictures
from jepa_planner.cli.view.pointing_panel import PointingPanel
from jepa_planner.cli.view.progress_panel import ProgressPanel
from jepa_planner.cli.view.replay_panel import ReplayPanel
from jepa_planner.cli.view.sender import Sender
from jepa_planner.nodes.client import PlannerClient
from jepa_planner.nodes.watch.planner_watch import PlannerWatch

PERIOD_S = 0.25
"""So often, at most, a browser gets new pictures."""


class Page:
    """What one browser shows; what it shares with others is passed in. recorded: folder of recorded goals."""

    def __init__(
        self, watch: PlannerWatch, client: PlannerClient, live: LivePictures, sender: Sender, recorded: Path | None
    ) -> None:
        self._live = live
        self._bar = CommandBar(watch, client)
        self._goal = GoalPanel(watch, client, live, sender)
        self._pointing = PointingPanel(watch, client, self._goal.take)
        self._cameras = LivePanel(watch, live, self._pointing.clicked)
        self._progress = ProgressPanel(watch)
        self._imagined = ImaginedPanel(watch)
        self._replay = ReplayPanel(recorded)

    def build(self) -> None:
        """Makes its elements and keeps them new while the browser is there."""
        self._bar.build()
        with ui.tabs() as tabs:
            now, before = ui.tab("now"), ui.tab("recorded goals")
        with ui.tab_panels(tabs, value=now).classes("w-full"):
            with ui.tab_panel(now), ui.row().classes("w-full no-wrap items-start"):
                with ui.column().classes("grow basis-0 min-w-0"):
                    self._cameras.build()
                    self._pointing.build()
                    self._progress.build()
                with ui.column().classes("grow basis-0 min-w-0"):
                    self._goal.build()
                    self._imagined.build()
            with ui.tab_panel(before):
                self._replay.build()
        browser = ui.context.client
        browser.on_connect(lambda: self._live.opened(browser.id))
        browser.on_disconnect(lambda: self._live.closed(browser.id))
        browser.on_delete(self._replay.close)
        ui.timer(PERIOD_S, self._refresh)

    def _refresh(self) -> None:
        for panel in (self._bar, self._cameras, self._goal, self._progress, self._imagined):
            panel.refresh()
