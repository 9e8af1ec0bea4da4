"""Stands in for `launch` where no ROS 2 is installed: what launch files of this package use, and nothing else.

An entity is visited with a context, does its part, and answers with the entities that come of it.
"""

from collections.abc import Iterable

__all__ = ["LaunchContext", "LaunchDescription"]


class LaunchContext:
    """What was typed, as it was typed (NAME:=VALUE) and by name."""

    def __init__(self, *, argv: Iterable[str] = ()) -> None:
        self.argv = list(argv)
        self.launch_configurations: dict[str, str] = {}


class LaunchDescription:
    def __init__(self, initial_entities: Iterable[object] = ()) -> None:
        self.entities = list(initial_entities)

    def visit(self, context: LaunchContext) -> list[object]:
        return self.entities
