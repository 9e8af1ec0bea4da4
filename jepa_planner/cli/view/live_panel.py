"""The cameras of the model as they show the scene now, with the planned path drawn where that can be."""

from __future__ import annotations

from functools import partial

from nicegui import events, ui

from jepa_planner.cli.view.live_pictures import LivePictures, ShownPicture
from jepa_planner.cli.view.overlay import candidates_svg, path_svg
from jepa_planner.cli.view.pointing import Click, OnClick
from jepa_planner.nodes.watch.planner_watch import PlannerWatch
from jepa_planner.nodes.watch.views import View

LEGEND = "the planned path: green is done next, orange later; blue: some of what was tried, the better the stronger"


class LivePanel:
    """A picture for each view; on_click: what is told where a person clicks."""

    def __init__(self, watch: PlannerWatch, live: LivePictures, on_click: OnClick) -> None:
        self._watch, self._live, self._on_click = watch, live, on_click
        self._cards: dict[str, _Card] = {}

    def build(self) -> None:
        """Puts it on the page."""
        self._row = ui.row().classes("w-full no-wrap items-start")
        ui.label(LEGEND).classes("text-xs text-grey")

    def refresh(self) -> None:
        """Shows the newest pictures."""
        views = self._watch.views
        if list(views) != list(self._cards):
            self._row.clear()
            with self._row:
                self._cards = {name: _Card(name, self._on_click) for name in views}
        for name, card in self._cards.items():
            if (view := views.get(name)) is not None:
                card.show(view, self._live.newest(name), self._watch)


class _Card:
    def __init__(self, name: str, on_click: OnClick) -> None:
        self._shown: ShownPicture | None = None
        self._drawn: tuple[int, int] | None = None
        with ui.card().classes("grow basis-0 p-2 gap-1"):
            with ui.row().classes("w-full justify-between"):
                ui.label(name).classes("font-bold")
                self._age = ui.label().classes("text-xs").props(f"data-testid=age-{name}")
            self._image = ui.interactive_image(
                on_mouse=partial(self._clicked, name, on_click), events=["click"], sanitize=False
            )
            self._image.classes("w-full").props(f"data-testid=live-{name}")
            self._why = ui.label().classes("text-xs text-grey").props(f"data-testid=path-{name}")

    def show(self, view: View, picture: ShownPicture | str | None, watch: PlannerWatch) -> None:
        """The newest picture, its age, and the path."""
        silence = view.silence()
        self._age.set_text(silence or (picture if isinstance(picture, str) else _age(view)))
        self._age.classes(replace="text-xs text-red" if silence or isinstance(picture, str) else "text-xs text-grey")
        if not isinstance(picture, ShownPicture):
            return
        if self._shown is None or self._shown.url != picture.url:
            self._image.set_source(picture.url)
        self._shown = picture
        self._draw(view, picture, watch)

    def _draw(self, view: View, picture: ShownPicture, watch: PlannerWatch) -> None:
        if (path := watch.path) is None:
            if self._drawn is not None:
                self._image.set_content("")
                self._drawn = None
            return
        if self._drawn == (key := (path.number, picture.width_px)):
            return
        self._drawn = key
        try:
            pixels, tried = watch.path_pixels(view, path, (picture.width_px, picture.height_px))
        except ValueError as error:
            self._image.set_content("")
            self._why.set_text(f"the path cannot be drawn: {error}")
            return
        self._why.set_text("")
        behind = candidates_svg(tried, path.weights, picture.scale, picture.width_px)
        self._image.set_content(behind + path_svg(pixels, picture.scale, picture.width_px))

    async def _clicked(self, name: str, on_click: OnClick, event: events.MouseEventArguments) -> None:
        if (shown := self._shown) is not None:
            x_px, y_px = event.image_x * shown.scale, event.image_y * shown.scale
            await on_click(Click(name, x_px, y_px, shown.width_px, shown.height_px))


def _age(view: View) -> str:
    """In whole seconds, so that a browser is told of it seldom."""
    age_s = 0.0 if view.newest is None else view.newest.age_s
    return "now" if age_s < 1.0 else f"{age_s:.0f} s old"
