"""How the goal goes: energies, verdict, how unfamiliar the scene is; and how goals before it ended."""

from __future__ import annotations

import time

from nicegui import ui

from jepa_planner.cli.view.energy_chart import energy_options
from jepa_planner.cli.view.live_pictures import shown
from jepa_planner.cli.view.picture_row import picture_row
from jepa_planner.nodes.conversions import picture_to_array
from jepa_planner.nodes.watch.goal_log import EndedGoal, GoalLog
from jepa_planner.nodes.watch.planner_watch import PlannerWatch

CHART_PERIOD_S = 1.0
"""A chart is dearer to a browser than all else on the page."""
NOT_TOLD = "how unfamiliar the scene is, is not told: no goal was pursued yet, or the model has no measure of it"


def unfamiliar_in_words(share: float | None) -> str:
    """share: 1 at the limit at which the planner ends goals."""
    if share is None:
        return NOT_TOLD
    return f"how unfamiliar the scene is: {share:.2f}; beyond 1 the planner stops"


def goal_in_words(log: GoalLog) -> str:
    """Which goal picture is pursued, at which step, with what energy."""
    points = log.points
    if not points:
        return "a goal is prepared" if log.pursued else "no goal is pursued"
    now = points[-1]
    which = f"goal picture {now.sub_goal + 1} of {now.sub_goals}, step {now.step}"
    numbers = f"energy {now.energy:.3g}, reached at {now.tolerance:.3g}"
    return f"{which}: {numbers}" if log.pursued else f"ended at {which}: {numbers}"


class ProgressPanel:
    """Everybody's goals, whoever sent them."""

    def __init__(self, watch: PlannerWatch) -> None:
        self._watch = watch
        self._drawn: tuple[int, int] | None = None
        self._drawn_s = 0.0
        self._aimed: tuple[int, int] | None = None
        self._listed: tuple[EndedGoal, ...] = ()

    def build(self) -> None:
        """Puts it on the page."""
        with ui.card().classes("w-full gap-1"):
            self._goal = ui.label().classes("font-bold").props("data-testid=goal")
            self._verdict = ui.label().props("data-testid=verdict")
            self._aim = ui.row().props("data-testid=aim")
            self._unfamiliar = ui.label().classes("text-sm").props("data-testid=unfamiliar")
            self._chart = ui.echart(energy_options(())).classes("w-full h-56")
        with ui.card().classes("w-full gap-1"):
            ui.label("Goals that ended").classes("font-bold")
            self._past = ui.column().classes("w-full gap-1 text-sm").props("data-testid=past")

    def refresh(self) -> None:
        """Shows what is so now."""
        log = self._watch.goals
        points = log.points
        self._goal.set_text(goal_in_words(log))
        self._verdict.set_text(points[-1].verdict if points else "")
        self._unfamiliar.set_text(unfamiliar_in_words(self._watch.unfamiliarity))
        self._show_aim(log.began, points[-1].sub_goal if points else 0)
        now = log.began, len(points)
        if self._drawn != now and time.monotonic() - self._drawn_s >= CHART_PERIOD_S:
            self._drawn, self._drawn_s = now, time.monotonic()
            self._chart.options.update(energy_options(points))
            self._chart.update()
        if self._listed != (ended := log.ended):
            self._listed = ended
            self._list(ended)

    def _show_aim(self, began: int, sub_goal: int) -> None:
        """The goal picture that is pursued, as it was asked for."""
        if self._aimed == (began, sub_goal) or not (goals := self._watch.goal_images):
            return
        self._aimed = began, sub_goal
        goal = goals[min(sub_goal, len(goals) - 1)]
        views = goal.view_names or self._watch.views
        self._aim.clear()
        with self._aim:
            pictures = zip(views, goal.views or goal.compressed_views, strict=False)
            picture_row({f"goal, {view}": shown(picture_to_array(one)).url for view, one in pictures})

    def _list(self, ended: tuple[EndedGoal, ...]) -> None:
        self._past.clear()
        with self._past:
            for goal in ended:
                at = time.strftime("%H:%M:%S", time.localtime(goal.time_s))
                ui.label(f"{at}  {goal.outcome} ({goal.code}), {goal.steps} steps: {goal.message}")
