"""YAML as this package reads and writes it: nothing is said twice, and numbers stand in one line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml


def read_yaml(text: str) -> Any:
    """What a YAML text holds; raises ValueError where a key stands twice, and yaml.YAMLError where it is no YAML."""
    return yaml.load(text, _UniqueKeys)


def write_yaml(plain: Any) -> str:
    """The text of plain data, in the order in which it is given."""
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, width=110, default_flow_style=None)


class _Dumper(yaml.SafeDumper):
    """Numbers and names in one line, sentences one below the other."""

    def represent_sequence(
        self, tag: str, sequence: Iterable[Any], flow_style: bool | None = None
    ) -> yaml.SequenceNode:
        sentences = any(isinstance(item, str) and " " in item for item in sequence)
        return super().represent_sequence(tag, sequence, False if sentences else flow_style)


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key.value for key, _ in node.value]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise ValueError(f"{twice[0]} stands twice in one place, the second time in line {_line(node, twice[0])}")
        return super().construct_mapping(node, deep)


def _line(mapping: yaml.MappingNode, name: str) -> int:
    return [key.start_mark.line + 1 for key, _ in mapping.value if key.value == name][1]
