"""Results of a sweep as a table in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from studies.sweep.sweep import Result

Row = Mapping[str, Result]
"""Results by the names of their columns."""


def rows_by(results: Iterable[Result], row: Callable[[Result], tuple[str, ...]]) -> dict[tuple[str, ...], Row]:
    """Results with the same names in a row of their own, by their tasks."""
    rows: dict[tuple[str, ...], dict[str, Result]] = {}
    for result in results:
        rows.setdefault(row(result), {})[result.cell.task] = result
    return rows


def table(
    heads: Sequence[str], rows: Mapping[tuple[str, ...], Row], seconds: bool = False,
    in_words: Callable[[Result], str] = Result.in_words,
) -> str:  # fmt: skip
    """A line for each row, a column for each name of its results, and one for each of heads before.

    seconds: and a last one with the slowest median plan of the row.
    """
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    lines = [_line([*heads, *columns, *(["s per plan"] if seconds else [])])]
    lines.append("|---" * (len(heads) + len(columns) + seconds) + "|")
    for names, row in rows.items():
        cells = [in_words(row[column]) if column in row else "" for column in columns]
        lines.append(_line([*names, *cells, *([_slowest(row.values())] if seconds else [])]))
    return "\n".join(lines)


def said(results: Iterable[Result]) -> Iterator[Result]:
    """The same results, each said on a line as soon as it is there."""
    for result in results:
        cell = result.cell
        print(f"{cell.policy}, {cell.scenes}, {cell.task}: {result.in_words()}", flush=True)
        yield result


def keep(text: str, file: Path) -> None:
    """Prints a table and writes it to a file."""
    print(text)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n")


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _slowest(results: Iterable[Result]) -> str:
    seconds = [result.plan_seconds for result in results if result.plan_seconds is not None]
    return f"{max(seconds):.2f}" if seconds else ""
