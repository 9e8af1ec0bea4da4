"""What was made of bags and what was cut out: `report.json` for programs, `report.html` with pictures for people."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from jepa_planner.core.strict_fields import to_plain
from jepa_planner.learning.data.bags.made import Made, MadeEpisode
from jepa_planner.learning.data.bags.plan import BagPlan
from jepa_planner.learning.data.bags.steps import RULE

REPORT_JSON, REPORT_HTML = "report.json", "report.html"
MOST_SHOWN = 100
"""Episodes whose pictures stand on the page, spread over all."""
SUCCESS_IN_WORDS = {1: "done", 0: "failed", -1: "not told"}
STYLE = (
    "body{font-family:sans-serif;max-width:70em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}"
    "td,th{border:1px solid #ccc;padding:.2em .5em;text-align:left;vertical-align:top}img{image-rendering:pixelated;"
    "height:96px;margin:1px}"
)


def write_report(made: Made, folder: Path) -> dict[str, Any]:
    """Writes both into a folder; returns what the first holds."""
    plain = report(made)
    (folder / REPORT_JSON).write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    (folder / REPORT_HTML).write_text("\n".join(_page(made, plain)) + "\n", encoding="utf-8")
    return plain


def report(made: Made) -> dict[str, Any]:
    """Counts, times in seconds from the beginning of each bag."""
    kinds: dict[str, dict[str, float]] = {}
    for _, _, cut in made.cuts:
        of_kind = kinds.setdefault(cut.kind, {"count": 0, "seconds": 0.0})
        of_kind["count"] += 1
        of_kind["seconds"] = round(of_kind["seconds"] + (cut.end_ns - cut.begin_ns) * 1e-9, 3)
    step_s = made.recording.time_step_s
    sources = [one.planned.actions.source for one in made.episodes]
    return {
        "rule": RULE,
        "time_step_s": step_s,
        "picture_age_s": made.recording.picture_age_s,
        "recording": to_plain(made.recording),
        "episodes": len(made.episodes),
        "steps": sum(len(one.planned.piece) - 1 for one in made.episodes),
        "seconds": round(sum(len(one.planned.piece) - 1 for one in made.episodes) * step_s, 3),
        "actions_of": {source: sources.count(source) for source in sorted(set(sources))},
        "success": {
            words: sum(one.planned.success == told for one in made.episodes) for told, words in SUCCESS_IN_WORDS.items()
        },
        "cut_out": kinds,
        "bags": [_of_bag(made, plan) for plan in made.plans],
        "bags_left_out": made.left_out,
        "made": [_of_episode(one, *place) for one, place in zip(made.episodes, made.places, strict=True)],
    }


def _of_bag(made: Made, plan: BagPlan) -> dict[str, Any]:
    cuts = [(name, cut) for of_plan, name, cut in made.cuts if of_plan is plan]
    return {
        "path": str(plan.path),
        "begin_ns": plan.begin_ns,
        "seconds": round((plan.end_ns - plan.begin_ns) * 1e-9, 3),
        "recorded": len(plan.marked),
        "thrown_away": sum(one.is_thrown_away for one in plan.marked),
        "notes": [*plan.notes, *(f"{one.name}: {one.note}" for one in plan.marked if one.note)],
        "topics": {name: times.to_plain() for name, times in sorted(plan.topics.items())},
        "picture_px": {view.view: list(view.came_px) if view.came_px else None for view in plan.views},
        "cuts": [
            {
                "episode": name, "kind": cut.kind, "from_s": _seconds(plan, cut.begin_ns),
                "to_s": _seconds(plan, cut.end_ns), "why": cut.why,
            }
            for name, cut in cuts
        ],
    }  # fmt: skip


def _of_episode(one: MadeEpisode, shard: str, row: int) -> dict[str, Any]:
    piece, marked = one.planned.piece, one.planned.marked
    ages_s = (piece.steps_ns - piece.stamps_ns) * 1e-9
    return {
        "shard": shard,
        "row": row,
        "bag": str(one.bag.path),
        "name": marked.name,
        "task": marked.task,
        "success": SUCCESS_IN_WORDS[one.planned.success],
        "from_s": _seconds(one.bag, int(piece.steps_ns[0])),
        "to_s": _seconds(one.bag, int(piece.steps_ns[-1])),
        "steps": len(piece) - 1,
        "actions_of": one.planned.actions.source,
        "why": one.planned.actions.why,
        "oldest_picture_s": round(float(ages_s.max()), 4),
    }


def _seconds(plan: BagPlan, at_ns: int) -> float:
    return round((at_ns - plan.begin_ns) * 1e-9, 3)


def _page(made: Made, plain: dict[str, Any]) -> Iterator[str]:
    yield f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Episodes</title><style>{STYLE}</style>"
    yield "</head><body><h1>Episodes from bags</h1>"
    yield (
        f"<p>{plain['episodes']} episodes, {plain['steps']} steps of {plain['time_step_s']:g} s "
        f"({plain['seconds'] / 60:.1f} minutes). Actions of: {_counted(plain['actions_of'])}. Success: "
        f"{_counted(plain['success'])}.</p><p>Rule: {html.escape(RULE)}.</p>"
    )
    yield "<h2>What was cut out</h2>"
    rows = [[kind, one["count"], f"{one['seconds']:.1f}"] for kind, one in sorted(plain["cut_out"].items())]
    yield from _table(["kind", "times", "seconds"], rows)
    yield from (f"<p>Left out: {html.escape(line)}</p>" for line in plain["bags_left_out"])
    for bag in plain["bags"]:
        yield f"<h2>{html.escape(bag['path'])}</h2><p>{bag['seconds']:.1f} s, {bag['recorded']} recorded</p>"
        yield from (f"<p>{html.escape(note)}</p>" for note in bag["notes"])
        yield from _table(
            ["topic", "type", "messages", "clock", "delay s (middle, 5 %, 95 %)", "period s", "longest gap s", "notes"],
            [
                [
                    name, one["type"], one["messages"], one["clock"], one["delay_s"], one["period_s"],
                    one["longest_gap_s"], "; ".join(one["notes"]),
                ]
                for name, one in bag["topics"].items()
            ],
        )  # fmt: skip
        cuts = [[cut["episode"], cut["kind"], cut["from_s"], cut["to_s"], cut["why"]] for cut in bag["cuts"]]
        yield from _table(["episode", "cut", "from s", "to s", "why"], cuts)
    yield "<h2>Episodes</h2>"
    shown = np.unique(np.linspace(0, len(made.episodes) - 1, MOST_SHOWN).round().astype(int)) if made.episodes else []
    if len(made.episodes) > MOST_SHOWN:
        yield f"<p>{len(shown)} of {len(made.episodes)} are shown: first, middle and last step, all views.</p>"
    for number in shown:
        yield from _shown(made.episodes[number], plain["made"][number])


def _shown(one: MadeEpisode, told: dict[str, Any]) -> Iterator[str]:
    task = f", {html.escape(told['task'])}" if told["task"] else ""
    yield (
        f"<p>{html.escape(told['name'])} of {html.escape(told['bag'])}, {told['from_s']:.2f} to {told['to_s']:.2f} s: "
        f"{told['steps']} steps{task}, {told['success']}; actions of {told['actions_of']} "
        f"({html.escape(told['why'])})<br>"
    )
    for views in one.examples:
        yield "".join(f"<img alt='' src='data:image/png;base64,{_png(picture)}'>" for picture in views) + "&emsp;"
    yield "</p>"


def _png(picture: np.ndarray) -> str:
    return base64.b64encode(cv2.imencode(".png", picture[..., ::-1])[1].tobytes()).decode()


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"


def _table(heads: list[str], rows: list[list[Any]]) -> Iterator[str]:
    if not rows:
        yield "<p>Nothing.</p>"
        return
    yield "<table><tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
    yield "</table>"


def worst_cuts(plain: dict[str, Any]) -> list[str]:
    """What was cut out, a line for each kind, with the reason of its longest."""
    lines = []
    every: list[dict[str, Any]] = [cut for bag in plain["bags"] for cut in bag["cuts"]]
    for kind, counts in plain["cut_out"].items():
        longest: dict[str, Any] = max(
            (cut for cut in every if cut["kind"] == kind), key=lambda cut: cut["to_s"] - cut["from_s"]
        )
        where = f"{longest['from_s']:.2f} to {longest['to_s']:.2f} s"
        lines.append(f"{kind}: {counts['count']} times, {counts['seconds']:.1f} s; longest {where}: {longest['why']}")
    return lines
