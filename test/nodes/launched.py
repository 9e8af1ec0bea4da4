"""Carries out a launch file as `ros2 launch` does, and says which processes it starts.

With `launch` and `launch_ros` of a ROS 2 installation where there are any: it then starts the processes, of programs
that end at once. PyPI has neither, so elsewhere the stand-ins of launch_stand_ins/ say which command lines it would
start.
"""

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

STAND_INS = Path(__file__).parent / "launch_stand_ins"
INSTALLED = importlib.util.find_spec("launch_ros") is not None  # the folder launch/ of this package looks like one
if not INSTALLED:
    sys.path.insert(0, str(STAND_INS))
    sys.modules.pop("launch", None)

import launch_ros.actions  # noqa: E402

import launch  # noqa: E402


@dataclass(frozen=True)
class Process:
    """A command line, taken apart; parameters are those of its one file, by node."""

    command: tuple[str, ...]
    package: str
    executable: str
    arguments: tuple[str, ...]
    log_level: str = ""
    name: str = ""
    namespace: str = "/"
    remappings: list[tuple[str, str]] = field(default_factory=list)
    parameters: dict[str, dict[str, object]] = field(default_factory=dict)

    @classmethod
    def of(cls, command: list[str]) -> "Process":
        program = Path(command[0])
        first = command.index("--ros-args")
        rest = iter(word for word in command[first:] if word != "--ros-args")
        said, remappings, files = {}, [], []
        for option in rest:
            value = next(rest)
            if option == "--log-level":
                said["log_level"] = value
            elif option == "--params-file":
                files.append(yaml.safe_load(Path(value).read_text()))
            elif option == "-r" and value.startswith("__node:="):
                said["name"] = value.removeprefix("__node:=")
            elif option == "-r" and value.startswith("__ns:="):
                said["namespace"] = value.removeprefix("__ns:=")
            elif option == "-r":
                remappings.append(tuple(value.split(":=")))
            else:
                raise AssertionError(f"{option} {value} of {command}")
        [parameters] = files
        by_node = {node.removeprefix("/**/"): values["ros__parameters"] for node, values in parameters.items()}
        words = tuple(command[1:first])
        return cls(
            tuple(command), program.parent.name, program.name, words, **said, remappings=remappings, parameters=by_node
        )


def installed(prefix: Path, packages: Mapping[str, Iterable[str]]) -> None:
    """Makes an install space in which executables end at once: names by package."""
    for package, executables in packages.items():
        index, programs = prefix / "share/ament_index/resource_index/packages", prefix / "lib" / package
        for folder in (index, programs):
            folder.mkdir(parents=True, exist_ok=True)
        (index / package).touch()
        for executable in executables:
            (programs / executable).write_text("#!/bin/sh\n")
            (programs / executable).chmod(0o755)


def carried_out(file: Path, typed: tuple[str, ...], within: str = "") -> list[Process]:
    """The processes, for arguments NAME:=VALUE below a namespace that others pushed; raises as the launch file does."""
    context = launch.LaunchContext(argv=list(typed))
    context.launch_configurations.update(dict(word.split(":=", 1) for word in typed))
    if within:
        context.launch_configurations["ros_namespace"] = within
    spec = importlib.util.spec_from_file_location("launch_file", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    nodes = list(_nodes(module.generate_launch_description(), context))
    commands = _started(nodes, within) if INSTALLED else [node.command(context) for node in nodes]
    return [Process.of(command) for command in commands]


def _nodes(entity: object, context: launch.LaunchContext) -> Iterator[launch_ros.actions.Node]:
    if isinstance(entity, launch_ros.actions.Node):
        yield entity
        return
    for made in entity.visit(context) or []:
        yield from _nodes(made, context)


def _started(nodes: list[launch_ros.actions.Node], within: str) -> list[list[str]]:
    """Command lines of the processes that launch itself starts, in their order."""
    actions, handlers = importlib.import_module("launch.actions"), importlib.import_module("launch.event_handlers")
    commands: list[list[str]] = []
    started = handlers.OnProcessStart(on_start=lambda event, _: commands.append(list(event.cmd)))
    pushed = [actions.SetLaunchConfiguration("ros_namespace", within)] if within else []
    service = launch.LaunchService(noninteractive=True)
    service.include_launch_description(
        launch.LaunchDescription([actions.RegisterEventHandler(started), *pushed, *nodes])
    )
    assert service.run() == 0
    order = [node.node_executable for node in nodes]
    return sorted(commands, key=lambda command: order.index(Path(command[0]).name))
