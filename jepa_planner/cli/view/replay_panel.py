"""A recorded goal, played: pictures of its cameras, its goal pictures, its energies."""

from __future__ import annotations

from pathlib import Path

from nicegui import events, run, ui

from jepa_planner.cli.view.energy_chart import energy_options
from jepa_planner.cli.view.live_pictures import shown
from jepa_planner.cli.view.picture_row import picture_row
from jepa_planner.cli.view.recorded import RecordedGoal, recorded_goals

PERIOD_S = 0.2


class ReplayPanel:
    """folder: where recorded goals lie; None: none was given."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._goal: RecordedGoal | None = None
        self._images: dict[str, ui.image] = {}
        self._points = -1
        self._sub_goal = -1

    def build(self) -> None:
        """Puts it on the page."""
        if self._folder is None:
            ui.label("start with --goals DIR, a folder of goals that `jepa-planner run --record DIR` wrote")
            return
        names = list(recorded_goals(self._folder))
        with ui.row().classes("items-center w-full"):
            self._names = ui.select(names, label="recorded goal", on_change=self._open).classes("w-64")
            self._names.props("data-testid=recorded")
            ui.button("Look again", on_click=self._look_again).props("flat")
            self._play = ui.switch("play").props("data-testid=play")
        self._slider = ui.slider(min=0.0, max=1.0, step=0.1, value=0.0, on_change=self._show)
        self._slider.props("label data-testid=slider")
        self._row = ui.row().classes("w-full no-wrap")
        self._goals = ui.row().classes("w-full no-wrap").props("data-testid=recorded-goal")
        self._text = ui.label().props("data-testid=recorded-text")
        self._chart = ui.echart(energy_options(())).classes("w-full h-56")
        ui.timer(PERIOD_S, self._advance)

    def close(self) -> None:
        """Lets go of the file."""
        if self._goal is not None:
            self._goal.close()
            self._goal = None

    def _look_again(self) -> None:
        assert self._folder is not None, "there is a button only where there is a folder"
        self._names.set_options(list(recorded_goals(self._folder)))

    async def _open(self, event: events.ValueChangeEventArguments) -> None:
        if self._folder is None or not event.value:
            return
        self.close()
        try:
            path = recorded_goals(self._folder)[event.value]
            goal = await run.io_bound(RecordedGoal, path)
        except (KeyError, ValueError, OSError) as error:
            ui.notify(f"{event.value} cannot be played: {error}", type="negative", timeout=10_000)
            return
        if goal is None:  # the page's process goes down
            return
        self._goal, self._points, self._sub_goal = goal, -1, -1
        self._row.clear()
        with self._row:
            self._images = {}
            for topic in goal.topics:
                with ui.column().classes("grow basis-0 gap-0 max-w-md"):
                    self._images[topic] = ui.image().classes("w-full").props("no-transition")
                    ui.label(topic).classes("text-xs text-grey")
        self._slider.props(f"max={goal.length_s:.1f}")
        self._slider.set_value(0.0)
        self._show()

    def _advance(self) -> None:
        if self._goal is None or not self._play.value:
            return
        at_s = float(self._slider.value) + PERIOD_S
        if at_s >= self._goal.length_s:
            self._play.set_value(False)
        self._slider.set_value(min(at_s, self._goal.length_s))

    def _show(self) -> None:
        if (goal := self._goal) is None:
            return
        at_s = float(self._slider.value)
        try:
            for topic, image in self._images.items():
                if (pixels := goal.picture(topic, at_s)) is not None:
                    image.set_source(shown(pixels).url)
            points = goal.points(at_s)
            self._show_goal(goal, points[-1].sub_goal if points else 0)
        except ValueError as error:
            ui.notify(str(error), type="negative")
            return
        over = at_s >= goal.length_s - 1.5 * PERIOD_S
        now = f"goal picture {points[-1].sub_goal + 1}, {points[-1].verdict}" if points else "no plan yet"
        self._text.set_text(f"{at_s:.1f} of {goal.length_s:.1f} s: {goal.ended if over else now}")
        if len(points) != self._points:
            self._points = len(points)
            self._chart.options.update(energy_options(points))
            self._chart.update()

    def _show_goal(self, goal: RecordedGoal, sub_goal: int) -> None:
        if sub_goal == self._sub_goal:
            return
        self._sub_goal = sub_goal
        self._goals.clear()
        with self._goals:
            picture_row({f"goal, {view}": shown(pixels).url for view, pixels in goal.goal(sub_goal).items()})
