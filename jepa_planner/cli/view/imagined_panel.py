"""What the model imagines that the plan leads to, drawn, beside what then came."""

from __future__ import annotations

from nicegui import ui

from jepa_planner.cli.view.live_pictures import shown
from jepa_planner.cli.view.picture_row import picture_row
from jepa_planner.nodes.watch.imagination import Imagined
from jepa_planner.nodes.watch.planner_watch import PlannerWatch

SAID = "drawings of the model's latents, made for people: nothing is planned with them"


def rows_of(imagined: Imagined, views: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """For each view the pictures of a row by what they are called, as a browser takes them."""
    came = "what came, drawn" if imagined.came_drawn else "what came"
    kinds = {
        "was imagined": imagined.expected, came: imagined.came, "after this step": imagined.next_step,
        "after the plan": imagined.at_end,
    }  # fmt: skip
    return {
        view: {kind: shown(pictures[number]).url for kind, pictures in kinds.items() if pictures is not None}
        for number, view in enumerate(views)
    }


def surprise_in_words(imagined: Imagined) -> str:
    """How far off the latest step was, beside taking nothing to change."""
    if imagined.expected_off is None or imagined.copied_off is None:
        return ""
    off, copied_off = imagined.expected_off, imagined.copied_off
    return f"the last step came {off:.3g} off what was imagined; from no change, {copied_off:.3g}"


class ImaginedPanel:
    """Kept new while a goal is pursued; the last plan's stays."""

    def __init__(self, watch: PlannerWatch) -> None:
        self._watch = watch
        self._drawn: Imagined | None = None
        self._images: dict[str, dict[str, ui.image]] = {}

    def build(self) -> None:
        """Puts it on the page."""
        with ui.card().classes("w-full gap-1"):
            ui.label("Imagined").classes("font-bold")
            ui.label(SAID).classes("text-xs text-grey")
            self._why = ui.label().classes("text-sm").props("data-testid=imagined-why")
            self._rows = ui.column().classes("gap-1").props("data-testid=imagined")

    def refresh(self) -> None:
        """Shows the newest plan's."""
        plans, told = self._watch.plans, self._watch.described
        if plans is None or told is None:
            return
        newest = plans.newest
        self._why.set_text(plans.trouble or ("" if newest is None else surprise_in_words(newest)))
        if newest is None or newest is self._drawn:
            return
        self._drawn = newest
        self._show(rows_of(newest, told.contract.image.views))

    def _show(self, rows: dict[str, dict[str, str]]) -> None:
        if {view: list(row) for view, row in rows.items()} != {view: list(row) for view, row in self._images.items()}:
            self._rows.clear()
            with self._rows:
                self._images = {view: picture_row(row) for view, row in rows.items()}
            return
        for view, row in rows.items():
            for kind, url in row.items():
                self._images[view][kind].set_source(url)
