"""What is said about each node's parameters before it runs: shipped, by default, in files, on a command line.

ROS passes over a section for a node that does not exist and a parameter that is misspelt: what was meant to slow an arm
down would do nothing. Here both are refused, and the values are checked with the nodes' own tables, which
`config/parameters.yaml` holds for who has not loaded the nodes. Sections of other packages' nodes, and those for a
second planner in another namespace, may stand beside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from jepa_planner.core.shipped import shipped
from jepa_planner.core.yaml_text import read_yaml
from jepa_planner.nodes.parameters import Parameter, Value, misspelt, nearest

Settings = dict[str, dict[str, Value]]
"""Values of parameters by name, by node."""
_BELOW = "ros__parameters"
_OF_EVERY_NODE = (
    Parameter("use_sim_time", False, "Take the time from /clock."),
    Parameter("start_type_description_service", True, "A service of every ROS 2 node."),
)


class ParameterFileError(ValueError):
    """A file that is none, or that says something of which nothing would come; the message names the place."""


@cache
def known() -> Mapping[str, Mapping[str, Parameter]]:
    """Each parameter of each node of the package, those of every ROS 2 node included."""
    tables = yaml.safe_load(shipped("config/parameters.yaml").read_text())
    return {
        node: {parameter.name: parameter for parameter in (*map(_parameter, table.items()), *_OF_EVERY_NODE)}
        for node, table in tables.items()
    }


def _parameter(item: tuple[str, dict[str, Any]]) -> Parameter:
    name, stands = item
    return Parameter(name, description="", **{**stands, "choices": tuple(stands.get("choices", ()))})


def spread(values: Mapping[str, object], nodes: Iterable[str]) -> Settings:
    """Gives values to those of the nodes that have such parameters; raises ValueError where none has or may have it."""
    names = {name: None for node in nodes for name in known()[node]}
    if unknown := [name for name in values if name not in names]:
        raise ValueError(f"no parameter is called {unknown[0]}; {nearest(unknown[0], names)}")
    return {
        node: {name: known()[node][name].accept(value) for name, value in values.items() if name in known()[node]}
        for node in nodes
    }


def resolve(nodes: Iterable[str], layers: Iterable[Settings]) -> Settings:
    """Each node's parameters: those that ship, and over them the layers, the last one above all."""
    resolved: Settings = {}
    for node in nodes:
        resolved[node] = read(shipped(f"config/{node}.yaml"))[node]
        for layer in layers:
            resolved[node] |= layer.get(node, {})
    return resolved


def write(settings: Settings, path: Path) -> None:
    """Writes one file for nodes in any namespace; with one section for each node no order of sections matters."""
    sections = {f"/**/{node}": {_BELOW: values} for node, values in settings.items()}
    path.write_text(yaml.safe_dump(sections, sort_keys=False, width=100_000))


def read(path: str | Path, namespace: str = "") -> Settings:
    """What a parameter file says for the package's nodes in a namespace; in it the later section wins, as in ROS.

    Raises ParameterFileError where there is no such file or it is not of YAML, and where a section or a parameter in it
    is for nothing that exists there or a value is out of bounds.
    """
    path = Path(path).expanduser()
    try:
        sections = _sections(read_yaml(path.read_text(encoding="utf-8")))
        ours = [(section, values) for section, values in sections if not _is_foreign(section, values)]
        here = [(_nodes_of(section, namespace), section, values) for section, values in ours]
        settings: Settings = {node: {} for node in known()}
        for nodes, section, values in here:
            meant = _last(section) if _last(section) in known() else ""
            if not any(found and (meant in found or not meant) for found, _, _ in here):
                raise ValueError(_for_nobody(section, namespace))
            for node, name, value in _read_section(section, values, nodes):
                settings[node][name] = value
        if not here:
            others = ", ".join(_last(section) for section, _ in sections)
            raise ValueError(f"it is for {others}; expected something for {', '.join(known())}")
        return settings
    except OSError as error:
        raise ParameterFileError(f"parameter file {path}: {error.strerror}") from error
    except RecursionError as error:
        raise ParameterFileError(f"parameter file {path}: nested too deeply") from error
    except (ValueError, yaml.YAMLError) as error:  # text that is not UTF-8 is a ValueError as well
        raise ParameterFileError(f"parameter file {path}: {error}") from error


def _read_section(section: str, values: dict[str, Any], nodes: Sequence[str]) -> Iterable[tuple[str, str, Value]]:
    if not nodes:
        return
    names = {name: None for node in nodes for name in known()[node]}
    for name, value in values.items():
        if name not in names:
            raise ValueError(f"{section} has no parameter {name}; {nearest(str(name), names)}")
        for node in nodes:
            if name in known()[node]:
                try:
                    yield node, name, known()[node][name].accept(value)
                except ValueError as error:
                    raise ValueError(f"{section}: {error}") from error


def _last(section: str) -> str:
    return section.rsplit("/", 1)[-1]


def _is_foreign(section: str, values: dict[str, Any]) -> bool:
    """Whether a section is for another package's node; raises ValueError where it was probably meant for one of ours:
    by its name, or because nothing but parameters of ours stand in it.
    """
    last, names = _last(section), {name: None for table in known().values() for name in table}
    if "*" in last or last in known():
        return False
    if misspelt(last, known()) or all(name in names for name in values):
        raise ValueError(f"{section}: no node is called {last}; {nearest(last, known())}")
    return True


def _nodes_of(section: str, namespace: str) -> list[str]:
    """The nodes whose full name a section's fits; * stands for one part of it, ** for any number of them."""
    parts = section.strip("/").split("/")
    pattern = "".join({"*": r"/\w+", "**": r"(/\w+)*"}.get(part, "/" + re.escape(part)) for part in parts)
    prefix = f"/{namespace}" if namespace else ""
    return [node for node in known() if re.fullmatch(pattern, f"{prefix}/{node}")]


def _for_nobody(section: str, namespace: str) -> str:
    prefix, example = f"/{namespace}" if namespace else "", _last(section) if _last(section) in known() else "arm_node"
    return f"{section} is for no node here: write {prefix}/{example}, or /**/{example} for any namespace"


def _sections(content: object, name: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Full names with what stands below ros__parameters; namespaces may be nested."""
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{name or 'the file'} holds {content!r}; expected NODE:, {_BELOW}: below it, and then values")
    found = []
    for key, below in content.items():
        if key == _BELOW:
            if not name or not isinstance(below, dict | None):
                raise ValueError(f"{name or 'the file'}: {_BELOW} holds {below!r}; expected values, below a node")
            found.append((name, below or {}))
        else:
            found += _sections(below, f"{name}/{key}".replace("//", "/") if name else str(key))
    return found
