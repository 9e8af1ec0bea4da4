"""What is always in reach: stop and reset, and what the arm does and why."""

from __future__ import annotations

import time
from collections.abc import Callable

from nicegui import run, ui

from jepa_planner.control.arm_executive import Mode
from jepa_planner.msg import ArmState
from jepa_planner.nodes.client import PlannerClient, PlannerError
from jepa_planner.nodes.watch.planner_watch import PlannerWatch

SILENT_S = 2.0
NO_ARM = "nothing came on arm_state: is arm_node there? start it with `jepa-planner run`"
COLOURS = {
    Mode.WAITING: "grey",
    Mode.HOLDING: "green",
    Mode.MOVING: "blue",
    Mode.BRAKING: "orange",
    Mode.STOPPED: "red",
}


def arm_in_words(state: ArmState | None, age_s: float) -> tuple[str, str, str]:
    """Mode, its colour, and the reason."""
    if state is None:
        return "unknown", "grey", NO_ARM
    if age_s > SILENT_S:
        return "unknown", "grey", f"nothing came on arm_state for {age_s:.0f} s: is arm_node there?"
    if state.mode not in set(Mode):
        return "unknown", "grey", f"arm_node tells a mode {state.mode} that this program does not know"
    mode = Mode(state.mode)
    reason = "; ".join(dict.fromkeys(filter(None, (state.reason, state.fault_reason))))
    return mode.name.lower(), COLOURS[mode], reason


class CommandBar:
    """Stop and reset reach arm_node alone, whatever else goes on; Escape stops, too."""

    def __init__(self, watch: PlannerWatch, client: PlannerClient) -> None:
        self._watch, self._client = watch, client

    def build(self) -> None:
        """Puts the header on the page."""
        with ui.header().classes("items-center gap-4 bg-white text-black border-b"):
            ui.button("STOP (Esc)", color="red", on_click=self.stop).props("size=lg data-testid=stop")
            ui.button("Reset", color="grey", on_click=self.reset).props("data-testid=reset")
            self._mode = ui.badge("", color="grey").classes("text-base").props("data-testid=mode")
            self._reason = ui.label().classes("text-sm grow").props("data-testid=reason")
            ui.label("no emergency stop: keep that of the robot in reach").classes("text-xs text-grey")
        with ui.row().classes("w-full") as self._troubles:
            self._trouble = ui.label().classes("text-orange-9 whitespace-pre-line").props("data-testid=trouble")
        ui.keyboard(self._on_key, repeating=False, ignore=[])

    def refresh(self) -> None:
        """Shows what is so now."""
        state = self._client.arm_state
        mode, colour, reason = arm_in_words(state, time.monotonic() - self._client.arm_state_came_s)
        self._mode.set_text(mode)
        self._mode.props(f"color={colour}") if self._mode.props.get("color") != colour else None
        self._reason.set_text(reason)
        troubles = [self._watch.trouble] if self._watch.trouble else []
        troubles += [f"{node}: {status.text}" for node, status in self._watch.said.items() if not status.ok]
        self._trouble.set_text("\n".join(troubles))
        self._troubles.set_visibility(bool(troubles))

    async def stop(self) -> None:
        """Brakes the arm until it is reset."""
        await self._ask(self._client.stop_arm, "the arm is stopped until it is reset")

    async def reset(self) -> None:
        """Releases the stop."""
        await self._ask(self._client.reset_arm, "the arm takes goals again")

    async def _ask(self, what: Callable[[], None], done: str) -> None:
        try:
            await run.io_bound(what)
        except PlannerError as error:
            ui.notify(str(error), type="negative", timeout=10_000)
        else:
            ui.notify(done, type="info")

    async def _on_key(self, event) -> None:
        if event.key == "Escape" and event.action.keydown:
            await self.stop()
