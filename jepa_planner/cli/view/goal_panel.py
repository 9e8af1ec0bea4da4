"""Where a goal is put together, looked at, sent and cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from nicegui import events, run, ui

from jepa_planner.cli.view.draft import MOST_BYTES, Draft, too_large, uploaded_picture
from jepa_planner.cli.view.live_pictures import LivePictures, ShownPicture, shown
from jepa_planner.cli.view.picture_row import picture_row
from jepa_planner.cli.view.sender import Sender
from jepa_planner.model.contract import Contract
from jepa_planner.msg import GoalImage
from jepa_planner.nodes.client import PlannerClient, PlannerError
from jepa_planner.nodes.conversions import picture_to_array
from jepa_planner.nodes.models import goal_library
from jepa_planner.nodes.watch.planner_watch import PlannerWatch

GOES_ON = "A goal goes on when this page is closed: cancel it, or stop the arm, if it should not."


class GoalPanel:
    """One browser's draft of a goal; what is sent is everybody's."""

    def __init__(self, watch: PlannerWatch, client: PlannerClient, live: LivePictures, sender: Sender) -> None:
        self._watch, self._client, self._live, self._sender = watch, client, live, sender
        self._contract: Contract | None = None
        self._draft = Draft(())
        self._told_refusals = sender.refused

    def build(self) -> None:
        """Puts it on the page."""
        with ui.card().classes("w-full gap-2"):
            ui.label("Goal").classes("text-lg font-bold")
            self._sources = ui.column().classes("w-full gap-2")
            with ui.row().classes("items-center"):
                self._steps = ui.number("most steps (0: no limit)", value=0, min=0, precision=0).classes("w-40")
                ui.button("Send", on_click=self._send).props("data-testid=send")
                ui.button("Cancel the goal", color="orange", on_click=self._cancel).props("data-testid=cancel")
                ui.button("Clear", color="grey", on_click=self._clear).props("flat")
            self._said = ui.label().classes("text-sm").props("data-testid=sent")
            ui.label(GOES_ON).classes("text-xs text-grey")
            self._preview = ui.row().classes("w-full gap-3").props("data-testid=preview")

    def refresh(self) -> None:
        """Follows the planner's model, and says what became of what was sent."""
        told = self._watch.described
        if told is not None and told.contract is not self._contract:
            self._contract, self._draft = told.contract, Draft(told.contract.image.views)
            self._offer_sources()
            self._show()
        sender = self._sender
        self._said.set_text("; ".join(filter(None, (sender.said, sender.status, sender.missing))))
        if sender.refused > self._told_refusals:
            self._told_refusals = sender.refused
            _complain(sender.said)
        if self._watch.offered is not None:
            self._simulator.set_visibility(True) if self._contract is not None else None

    def _offer_sources(self) -> None:
        self._sources.clear()
        with self._sources:
            with ui.row().classes("w-full no-wrap"):
                for view in self._draft.pictures:
                    uploader = ui.upload(
                        multiple=True, auto_upload=True, max_file_size=MOST_BYTES, label=f"pictures of {view}",
                        on_upload=partial(self._uploaded, view), on_rejected=lambda: _complain(too_large("upload")),
                    )  # fmt: skip
                    uploader.props("flat bordered").classes(f"grow basis-0 min-w-0 upload-{view.replace('/', '-')}")
            with ui.row().classes("items-center"):
                ui.button("Take the present pictures", on_click=self._take_present).props("data-testid=take flat")
                self._simulator = ui.button("The simulator's goal", on_click=self._take_offered)
                self._simulator.props("data-testid=simulator flat").set_visibility(False)
                self._names = ui.select(
                    self._saved(), label="saved goal", with_input=True, new_value_mode="add", clearable=True,
                    on_change=self._chosen,
                )  # fmt: skip
                self._names.classes("w-48").props("data-testid=saved").on("focus", self._look_for_saved)

    def _saved(self) -> list[str]:
        return [] if self._contract is None else goal_library(self._contract).names()

    def _look_for_saved(self) -> None:
        """Goals may have been saved meanwhile; a name that was typed stays."""
        value = self._names.value
        self._names.set_options(sorted({*self._saved(), *([value] if value else [])}), value=value)

    async def _uploaded(self, view: str, event: events.UploadEventArguments) -> None:
        newest = self._live.newest(view)
        camera = (newest.width_px, newest.height_px) if isinstance(newest, ShownPicture) else None
        try:
            self._draft.add(view, uploaded_picture(event.file.name, await event.file.read(), camera))
        except ValueError as error:
            _complain(str(error))
        self._show()

    def take(self, pictures: Mapping[str, np.ndarray]) -> None:
        """A goal picture of each view, instead of what was there."""
        self._clear()
        for view in self._draft.pictures:
            self._draft.add(view, pictures[view])
        self._show()

    async def _take_present(self) -> None:
        try:
            if (answer := await run.io_bound(self._client.look)) is not None:  # None: this process goes down
                self._add(answer.goal)
        except (PlannerError, ValueError) as error:
            _complain(str(error))

    def _take_offered(self) -> None:
        offered = self._watch.offered
        if offered is not None:
            self._clear()
            try:
                for goal in offered.goals:
                    self._add(goal)
            except ValueError as error:
                _complain(str(error))
            self._steps.set_value(offered.max_steps)

    def _add(self, goal: GoalImage) -> None:
        """One goal image that names its views; those that the model does not have are passed over."""
        pictures: dict[str, np.ndarray] = {
            view: picture_to_array(one)
            for view, one in zip(goal.view_names, goal.views or goal.compressed_views, strict=True)
        }
        for view in self._draft.pictures:
            if view not in pictures:
                raise ValueError(f"the goal has pictures of {', '.join(pictures)}; the model needs one of {view}")
            self._draft.add(view, pictures[view])
        self._show()

    def _chosen(self, event: events.ValueChangeEventArguments) -> None:
        if not event.value:
            return
        assert self._contract is not None, "names are offered once the model is known"
        try:
            library = goal_library(self._contract)
            is_here = event.value in library.names()
            self._draft.choose(event.value, library.load(event.value).moments if is_here else ())
        except ValueError as error:
            _complain(str(error))
        self._show()

    def _show(self) -> None:
        self._preview.clear()
        with self._preview:
            if self._draft.name and not self._draft.rows:
                ui.label(f"{self._draft.name}: not kept on this computer; the planner's own library is asked for it")
            for number, row in enumerate(self._draft.rows, 1):
                with ui.column().classes("gap-0"):
                    ui.label(f"{self._draft.name or 'goal picture'} {number}").classes("text-xs font-bold")
                    picture_row({view: shown(picture).url for view, picture in row.items()})

    async def _send(self) -> None:
        try:
            goals = self._draft.goals()
            steps = int(self._steps.value or 0)
        except ValueError as error:
            _complain(str(error))
            return
        self._sender.send(goals, steps)

    async def _cancel(self) -> None:
        try:
            count = await run.io_bound(self._client.cancel_goals)
            ui.notify(f"{count} cancelled" if count else "no goal is pursued", type="info")
        except PlannerError as error:
            _complain(str(error))

    def _clear(self) -> None:
        self._draft.clear()
        if self._contract is not None:
            self._names.set_value(None)
        self._show()


def _complain(text: str) -> None:
    ui.notify(text, type="negative", timeout=10_000, multi_line=True)
