"""Tables for a terminal and for Markdown pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Rows of text under columns; notes are lines below it. Without rows the notes stand alone."""

    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.title}: a row has {len(row)} cells under {len(self.columns)} columns: {row}")

    def text(self) -> str:
        """Columns aligned; the first one to the left, numbers to the right."""
        lines = [self.title]
        if self.rows:
            widths = [max(len(row[i]) for row in (self.columns, *self.rows)) for i in range(len(self.columns))]
            lines += ["  " + "  ".join(_aligned(row, widths)).rstrip() for row in (self.columns, *self.rows)]
        return "\n".join(lines + [f"  {note}" for note in self.notes])

    def markdown(self) -> str:
        """The same for a page."""
        lines = [f"**{self.title}**", ""]
        if self.rows:
            lines += [_row(self.columns), "|---" * len(self.columns) + "|", *map(_row, self.rows), ""]
        return "\n".join(lines + [f"- {note}" for note in self.notes]) + "\n"


def milliseconds(seconds: float) -> str:
    """Three digits that mean something."""
    return f"{1e3 * seconds:.3g}" if seconds < 1.0 else f"{1e3 * seconds:.0f}"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
