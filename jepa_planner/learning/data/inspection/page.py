"""An inspection as a page for a browser: what was found, and pictures of it beside the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from matplotlib.figure import Figure

from jepa_planner.learning.data.inspection.judgement import Judgement

STYLE = """
body { font: 15px/1.45 sans-serif; max-width: 1000px; margin: 2em auto; color: #222 }
td { padding: .35em .7em; vertical-align: top; border-top: 1px solid #ddd } img { max-width: 100% }
.good { color: #2a7d3f } .warning { color: #b26a00 } .wrong { color: #c0261c } figure { margin: 2em 0 }
"""


def write_page(
    folder: Path, title: str, judgements: Sequence[Judgement], figures: Iterable[tuple[str, str, Figure]]
) -> Path:
    """Writes index.html and its pictures into a folder, which is made; returns the page.

    figures: name, caption and figure of each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for name, caption, figure in figures:
        figure.savefig(folder / f"{name}.png", dpi=110)
        caption = escape(caption)
        parts.append(f'<figure><img src="{name}.png" alt="{name}"><figcaption>{caption}</figcaption></figure>')
    worst_first = sorted(judgements, key=lambda judgement: -judgement.level)
    rows = "\n".join(_row(judgement) for judgement in worst_first)
    page = folder / "index.html"
    page.write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"</head><body><h1>{title}</h1><table>{rows}</table>{''.join(parts)}</body></html>\n",
        encoding="utf-8",
    )
    return page


def _row(judgement: Judgement) -> str:
    level = judgement.level.name.lower()
    advice = f"<br><i>{escape(judgement.advice)}</i>" if judgement.advice else ""
    topic, says = escape(judgement.topic), escape(judgement.says)
    return f'<tr><td class="{level}">{level}</td><td>{topic}</td><td>{says}{advice}</td></tr>'
