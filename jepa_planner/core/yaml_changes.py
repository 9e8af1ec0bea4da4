"""Values changed within a YAML text that somebody may have written comments into; all else stays as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from jepa_planner.core.yaml_text import write_yaml

INDENT = "  "


class _Edit(NamedTuple):
    """Characters start to end of a text, and what takes their place."""

    start: int
    end: int
    new: str


def changed_yaml(text: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """The text of a mapping in which what differs between before and after is as after says; all else stays, comments
    included. What the text does not say yet goes before the first key of its place.

    before: what the text stands for, with what it leaves out. A text with aliases, of which one change would be many,
    is written anew.
    """
    root = yaml.compose(text, yaml.SafeLoader)
    if (
        not isinstance(root, yaml.MappingNode)
        or not root.value
        or any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text))
    ):
        return write_yaml(after)
    for edit in sorted(_edits(root, before, after), reverse=True):
        head = text[: edit.start]
        text = (head.rstrip(" ") if edit.new.startswith("\n") else head) + edit.new + text[edit.end :]
    return text


def changes(before: Mapping[str, Any], after: Mapping[str, Any], name: str = "") -> Iterator[str]:
    """A line for each value that differs: its dotted name, and what it was and is."""
    for key, now in after.items():
        was = before.get(key)
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            yield from changes(was, now, f"{name}{key}.")
        elif was != now:
            yield f"{name}{key}: {_in_short(was)}, now {_in_short(now)}"


def _in_short(value: Any) -> str:
    return "a section" if isinstance(value, Mapping) else _in_line(value)


def _edits(mapping: yaml.MappingNode, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[_Edit]:
    nodes, first = {key.value: value for key, value in mapping.value}, mapping.value[0][0].start_mark
    for key, value in after.items():
        if key in before and before[key] == value:
            continue
        node = nodes.get(key)
        if isinstance(value, Mapping) and isinstance(node, yaml.MappingNode) and node.value:
            yield from _edits(node, before.get(key) or {}, value)
            continue
        new = " " + _in_line(value) if mapping.flow_style else _below(value, first.column)
        if node is None:
            separator = ", " if mapping.flow_style else "\n" + " " * first.column
            yield _Edit(first.index, first.index, f"{key}:{new}{separator}")
        else:
            start, end = node.start_mark.index, _end(node)
            apart = start == end or node.start_mark.column <= first.column  # nothing, and items below their key
            yield _Edit(start, end, new if apart else new.removeprefix(" "))


def _end(node: yaml.Node) -> int:
    """Of the last thing that it says; a block itself ends where the next one begins, with the comments in between."""
    if isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return _end(last[1] if isinstance(node, yaml.MappingNode) else last)
    return node.end_mark.index


def _in_line(value: Any) -> str:
    return yaml.safe_dump([value], default_flow_style=True, sort_keys=False, width=10_000).strip()[1:-1]


def _below(value: Any, column: int) -> str:
    """What stands behind a key in such a column, and in lines below it."""
    if not isinstance(value, Mapping):
        return " " + _in_line(value)
    below = "\n" + INDENT + " " * column
    text = write_yaml(value).rstrip().replace("\n", below)
    return (" " if text.startswith("{") else below) + text
