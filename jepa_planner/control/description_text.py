"""The text of a robot description (URDF): of a file, of a xacro file that is expanded here, or from a topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from xml.etree import ElementTree
from xml.parsers import expat

FROM_TOPIC = "topic"
"""What a limits file calls a description that comes by the topic robot_description."""
_NONE: Mapping[str, str] = MappingProxyType({})


class RobotDescriptionError(ValueError):
    """A robot description that cannot be used; the message names the file, and the joint and number at fault."""


@dataclass(frozen=True)
class DescriptionText:
    """A URDF, and what messages call the place it is from."""

    text: str | bytes
    source: str

    def __str__(self) -> str:
        return self.source

    def robot(self) -> ElementTree.Element:
        """Its element `robot`; raises RobotDescriptionError where it has none."""
        robot = self._parsed()
        if _is_xacro(robot):
            raise RobotDescriptionError(
                f"{self} is a xacro file: expand it first, as `xacro arm.urdf.xacro > arm.urdf` does"
            )
        if robot.tag != "robot":
            raise RobotDescriptionError(f"{self} holds <{robot.tag}>, expected a robot description (URDF)")
        return robot

    def _parsed(self) -> ElementTree.Element:
        """Its elements, prefixes as part of their names: many files have some that they declare nowhere."""
        builder, parser = ElementTree.TreeBuilder(), expat.ParserCreate()
        parser.StartElementHandler = builder.start
        parser.EndElementHandler = builder.end
        try:
            parser.Parse(self.text, True)
        except (expat.ExpatError, ValueError) as error:
            raise RobotDescriptionError(f"cannot read the robot description {self}: {error}") from error
        return builder.close()

    @classmethod
    def read(cls, path: str | Path, xacro_arguments: Mapping[str, str] = _NONE) -> DescriptionText:
        """That of a file; a xacro file, by its name or by what it holds, is expanded with the arguments.

        Raises RobotDescriptionError for a file that cannot be read or expanded, and for arguments of a file that takes
        none.
        """
        path = Path(path)
        try:
            plain = cls(path.read_bytes(), str(path))
        except (OSError, ValueError) as error:
            raise RobotDescriptionError(f"cannot read the robot description {path}: {error}") from error
        if path.suffix == ".xacro" or _is_xacro(plain._parsed()):
            return cls(_expanded(path, xacro_arguments), str(path))
        if xacro_arguments:
            raise RobotDescriptionError(f"{path} is no xacro file: it takes no {', '.join(xacro_arguments)}")
        return plain


def xacro_arguments(typed: Sequence[str]) -> dict[str, str]:
    """NAME:=VALUE, each, as names and values; raises ValueError for anything else."""
    pairs = [text.split(":=", 1) for text in typed]
    for text, pair in zip(typed, pairs, strict=True):
        if len(pair) != 2 or not pair[0]:
            raise ValueError(f"{text}: expected NAME:=VALUE, an argument of the xacro file")
    return {name: value for name, value in pairs}


def _is_xacro(robot: ElementTree.Element) -> bool:
    return any(element.tag.startswith("xacro:") for element in robot.iter())


def _expanded(path: Path, arguments: Mapping[str, str]) -> str:
    """The URDF that a xacro file makes; it may name packages of a sourced workspace."""
    try:
        import xacro
    except ModuleNotFoundError:
        raise RobotDescriptionError(
            f"{path} is a xacro file, and the Python package that expands it is missing: "
            "`sudo apt install ros-$ROS_DISTRO-xacro`, or `pip install xacro`; "
            f"or expand it elsewhere, `xacro {path.name} > arm.urdf`"
        ) from None
    try:
        return xacro.process_file(str(path), mappings=dict(arguments)).toxml()
    except Exception as error:  # xacro evaluates expressions: whatever they raise is the file's fault
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise RobotDescriptionError(
            f"{path} cannot be expanded with {_typed(arguments)}: {said}; name its arguments, "
            "and source the workspace of the packages that it finds"
        ) from error


def _typed(arguments: Mapping[str, str]) -> str:
    return " ".join(f"{name}:={value}" for name, value in arguments.items()) or "no arguments"
