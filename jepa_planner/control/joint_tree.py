"""The links and joints of a robot description as a tree, with every number in it checked where it is read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from xml.etree import ElementTree

from jepa_planner.control.description_text import DescriptionText, RobotDescriptionError

TURNING = ("revolute", "continuous")
MOVING = (*TURNING, "prismatic")


class JointTree:
    """Joints by the links that they carry; raises RobotDescriptionError for a text that describes no robot."""

    def __init__(self, source: DescriptionText) -> None:
        robot = source.robot()
        self.source = source
        self.joints = [Joint(source, element) for element in robot.findall("joint")]
        self.links = [link.get("name", "") for link in robot.findall("link")]
        self._above = {joint.child: joint for joint in self.joints}
        self.mimicked = {joint.mimics for joint in self.joints if joint.mimics}
        """Names of joints that others follow."""

    def check_link(self, name: str, what: str) -> None:
        """Raises RobotDescriptionError unless there is such a link; `what` it is to be stands in the message."""
        if name in self.links:
            return
        for joint in self.joints:
            if joint.name == name:
                text = f"{what} {name!r} is a joint; expected a link, as {joint.child!r}"
                raise RobotDescriptionError(f"{self.source}: {text}")
        raise RobotDescriptionError(
            f"{self.source} has no frame {name!r}; its frames are {', '.join(self.links)}: choose another {what}"
        )

    def chain(self, link: str) -> list[Joint]:
        """The joints on the way from the root to a link."""
        chain: list[Joint] = []
        while link in self._above:
            if self._above[link] in chain:
                raise RobotDescriptionError(f"{self.source}: joint {self._above[link].name} hangs on itself")
            chain.append(self._above[link])
            link = self._above[link].parent
        return chain[::-1]

    def behind(self, link: str) -> Iterator[Joint]:
        """The joints that a link carries, directly or not."""
        for joint in self.joints:
            if link in (up.child for up in self.chain(joint.parent)):
                yield joint


class Joint:
    """One joint of a description."""

    def __init__(self, source: DescriptionText, element: ElementTree.Element) -> None:
        self._source, self.element = source, element
        self.name, self.type = element.get("name", ""), element.get("type")
        self.parent, self.child = self._link("parent"), self._link("child")
        mimic = element.find("mimic")
        self.mimics = None if mimic is None else mimic.get("joint", "")
        """The name of the joint that this one follows; None where it follows none."""

    @property
    def where(self) -> str:
        """How messages call it."""
        return f"{self._source}: joint {self.name}"

    @property
    def turns(self) -> bool:
        """Whether it is a revolute or a continuous joint."""
        return self.type in TURNING

    def limits(self) -> tuple[float, float]:
        """Lower and upper limit (rad or m), infinite for a continuous joint; the soft ones where they are narrower.

        Raises RobotDescriptionError where they bound nothing.
        """
        if self.type == "continuous":
            return -math.inf, math.inf
        lower, upper = (self._number("limit", name, "0") for name in ("lower", "upper"))
        if not -math.inf < lower < upper < math.inf:
            unit = "rad" if self.turns else "m"
            raise RobotDescriptionError(
                f"{self.where} has the limits {lower:g} to {upper:g} {unit}, expected lower < upper"
            )
        if self.element.find("safety_controller") is not None:
            soft_lower, soft_upper = (
                self._number("safety_controller", f"soft_{name}_limit", "0") for name in ("lower", "upper")
            )
            if soft_lower < soft_upper:  # both are 0 where they are not meant
                lower, upper = max(lower, soft_lower), min(upper, soft_upper)
        return lower, upper

    def velocity(self) -> float:
        """Its velocity limit (rad/s or m/s); raises RobotDescriptionError where it bounds nothing or is 0."""
        if self.element.find("limit") is None:
            raise RobotDescriptionError(f"{self.where} has no <limit>; expected at least its velocity (rad/s)")
        velocity = self._number("limit", "velocity", None)
        if not 0.0 < velocity < math.inf:
            raise RobotDescriptionError(
                f"{self.where} has the velocity limit {velocity:g} rad/s, expected a number above 0"
            )
        return velocity

    def geometry(self) -> list[tuple[str, str, list[float]]]:
        """Tag, attribute and three numbers of its origin and axis, as far as they are given."""
        geometry = []
        places = [("origin", "xyz"), ("origin", "rpy")]
        for tag, name in places if self.type == "fixed" else [*places, ("axis", "xyz")]:
            if (part := self.element.find(tag)) is None or (text := part.get(name)) is None:
                continue
            try:
                numbers = [float(number) for number in text.split()]
            except ValueError:
                numbers = []
            if len(numbers) != 3 or not all(map(math.isfinite, numbers)) or (tag == "axis" and not any(numbers)):
                raise RobotDescriptionError(f"{self.where} has {name}={text!r} in its <{tag}>, expected three numbers")
            geometry.append((tag, name, numbers))
        return geometry

    def offset(self) -> tuple[list[float], list[float]]:
        """Its origin: xyz (m) and rpy (rad) [3]."""
        given = {name: numbers for tag, name, numbers in self.geometry() if tag == "origin"}
        return given.get("xyz", [0.0] * 3), given.get("rpy", [0.0] * 3)

    def _link(self, end: str) -> str:
        part = self.element.find(end)
        return "" if part is None else part.get("link", "")

    def _number(self, tag: str, name: str, default: str | None) -> float:
        part = self.element.find(tag)
        text = default if part is None else part.get(name, default)
        if text is None:
            raise RobotDescriptionError(f"{self.where} has no {name} in its <{tag}>")
        try:
            return float(text)
        except ValueError:
            raise RobotDescriptionError(f"{self.where} has {name}={text!r} in its <{tag}>, expected a number") from None
