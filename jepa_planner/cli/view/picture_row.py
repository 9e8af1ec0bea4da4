"""Small pictures side by side."""

from __future__ import annotations

from collections.abc import Mapping

from nicegui import ui


def picture_row(urls: Mapping[str, str]) -> dict[str, ui.image]:
    """Small pictures side by side, each above what it is called, by which they are returned."""
    images = {}
    with ui.row().classes("gap-1 no-wrap"):
        for name, url in urls.items():
            with ui.column().classes("gap-0"):
                images[name] = ui.image(url).classes("w-24").props("no-transition")
                ui.label(name).classes("text-xs text-grey")
    return images
