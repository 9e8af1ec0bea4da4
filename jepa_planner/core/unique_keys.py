"""Reads YAML in which nothing is said twice."""

from __future__ import annotations

from typing import Any

import yaml


def read_yaml(text: str) -> Any:
    """What a YAML text holds; raises ValueError where a key stands twice, and yaml.YAMLError where it is no YAML."""
    return yaml.load(text, _UniqueKeys)


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key.value for key, _ in node.value]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise ValueError(f"{twice[0]} stands twice in one place, the second time in line {_line(node, twice[0])}")
        return super().construct_mapping(node, deep)


def _line(mapping: yaml.MappingNode, name: str) -> int:
    return [key.start_mark.line + 1 for key, _ in mapping.value if key.value == name][1]
