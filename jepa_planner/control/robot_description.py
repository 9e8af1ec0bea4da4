"""Reads the arm of a robot description (URDF): the joints between its root and the tcp, each checked by name."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

TURNING = ("revolute", "continuous")
XACRO = "ros.org/wiki/xacro"


class RobotDescriptionError(ValueError):
    """A robot description that cannot be used; the message names the file, and the joint and number at fault."""


@dataclass(frozen=True)
class ArmDescription:
    """The joints that turn between the root link and the tcp, in order from the root (rad, rad/s).

    `urdf` is the description of them alone: a continuous joint is one that turns without limits (infinite here) and has
    one number for its position, like any other. `base_links` are the root and what is fixed to it without an offset,
    `other_links` the rest of the file's. `loose_joints` turn behind the last of the joints and are nobody's mimic.
    """

    urdf: str
    base_links: tuple[str, ...]
    other_links: tuple[str, ...]
    joint_names: tuple[str, ...]
    lower_rad: tuple[float, ...]
    upper_rad: tuple[float, ...]
    velocity_rad_s: tuple[float, ...]
    loose_joints: tuple[str, ...]


def read_arm(path: Path, tcp_frame: str, joint_margin_rad: float) -> ArmDescription:
    """The arm that carries the link `tcp_frame`; joints beside the way to it, as fingers, are no part of it.

    Raises RobotDescriptionError for a file that is no URDF, a missing link, and joints on the way that cannot be
    driven: not turning, coupled by mimic, without a velocity limit, or with no room between limits and margins.
    """
    robot = _parse(path)
    joints, links = robot.findall("joint"), [link.get("name", "") for link in robot.findall("link")]
    if tcp_frame not in links:
        for joint in joints:
            if joint.get("name") == tcp_frame:
                link = _link(joint, "child")
                raise RobotDescriptionError(f"{path}: tcp_frame {tcp_frame!r} is a joint; expected a link, as {link!r}")
        raise RobotDescriptionError(f"{path} has no frame {tcp_frame!r}; its frames are {', '.join(links)}")
    above = {_link(joint, "child"): joint for joint in joints}
    chain = _chain(path, above, tcp_frame)
    mimics = {mimic.get("joint") for mimic in robot.iterfind("joint/mimic")}
    driven = [joint for joint in chain if joint.get("type") != "fixed"]
    for joint in driven:
        _check_kind(path, joint, mimics, tcp_frame)
    bounds = [_bounds(path, joint, joint_margin_rad) for joint in driven]
    root = _link(chain[0], "parent") if chain else tcp_frame
    base_links = [root, *(link for link in links if _stands_on(path, root, _chain(path, above, link)))]
    behind = _link(driven[-1], "child") if driven else tcp_frame
    loose = (
        joint.get("name", "")
        for joint in joints
        if joint.get("type") in TURNING and joint.find("mimic") is None and joint.get("name") not in mimics
        and behind in (_link(up, "child") for up in _chain(path, above, _link(joint, "parent")))
    )  # fmt: skip
    return ArmDescription(
        urdf=_alone(path, chain, tcp_frame),
        base_links=tuple(base_links),
        other_links=tuple(link for link in links if link not in base_links),
        joint_names=tuple(joint.get("name", "") for joint in driven),
        lower_rad=tuple(lower for lower, _, _ in bounds),
        upper_rad=tuple(upper for _, upper, _ in bounds),
        velocity_rad_s=tuple(velocity for _, _, velocity in bounds),
        loose_joints=tuple(loose),
    )


def _parse(path: Path) -> ElementTree.Element:
    try:
        robot = ElementTree.fromstring(path.read_bytes())
    except (OSError, ElementTree.ParseError, ValueError) as error:
        raise RobotDescriptionError(f"cannot read the robot description {path}: {error}") from error
    if any(XACRO in element.tag for element in robot.iter()):
        raise RobotDescriptionError(f"{path} is a xacro file: expand it first, `xacro {path.name} > arm.urdf`")
    if robot.tag != "robot":
        raise RobotDescriptionError(f"{path} holds <{robot.tag}>, expected a robot description (URDF)")
    return robot


def _chain(path: Path, above: dict[str, ElementTree.Element], link: str) -> list[ElementTree.Element]:
    """The joints on the way from the root to a link."""
    chain: list[ElementTree.Element] = []
    while link in above:
        if above[link] in chain:
            raise RobotDescriptionError(f"{path}: joint {above[link].get('name')} hangs on itself")
        chain.append(above[link])
        link = _link(above[link], "parent")
    return chain[::-1]


def _stands_on(path: Path, root: str, chain: list[ElementTree.Element]) -> bool:
    """Whether joints, from a root on, are fixed and without an offset."""
    if not chain or _link(chain[0], "parent") != root or any(joint.get("type") != "fixed" for joint in chain):
        return False
    return not any(any(numbers) for joint in chain for _, _, numbers in _geometry(path, joint))


def _check_kind(path: Path, joint: ElementTree.Element, mimics: set[str | None], tcp_frame: str) -> None:
    name, kind = joint.get("name"), joint.get("type")
    if kind not in TURNING:
        raise RobotDescriptionError(
            f"{path}: joint {name} before tcp_frame {tcp_frame!r} is {kind}; expected revolute or continuous joints: "
            "choose a tcp_frame that no finger carries, and make joints that are not driven here fixed"
        )
    if joint.find("mimic") is not None or name in mimics:
        raise RobotDescriptionError(
            f"{path}: joint {name} before tcp_frame {tcp_frame!r} is coupled to another by mimic, as a gripper's; "
            "choose a tcp_frame that no finger carries"
        )


def _bounds(path: Path, joint: ElementTree.Element, margin_rad: float) -> tuple[float, float, float]:
    """Lower and upper limit and velocity of a joint that turns."""
    where, limit = f"{path}: joint {joint.get('name')}", joint.find("limit")
    if limit is None:
        raise RobotDescriptionError(f"{where} has no <limit>; expected at least its velocity (rad/s)")
    velocity = _number(where, limit, "velocity", None)
    if not 0.0 < velocity < math.inf:
        raise RobotDescriptionError(f"{where} has the velocity limit {velocity:g} rad/s, expected a number above 0")
    if joint.get("type") == "continuous":
        return -math.inf, math.inf, velocity
    lower, upper = (_number(where, limit, name, "0") for name in ("lower", "upper"))
    if not -math.inf < lower < upper < math.inf:
        raise RobotDescriptionError(f"{where} has the limits {lower:g} to {upper:g} rad, expected lower < upper")
    if upper - lower <= 2.0 * margin_rad:
        raise RobotDescriptionError(
            f"{where} has the limits {lower:g} to {upper:g} rad: no room between margins of {margin_rad:g} rad"
        )
    return lower, upper, velocity


def _number(where: str, element: ElementTree.Element, name: str, default: str | None) -> float:
    text = element.get(name, default)
    if text is None:
        raise RobotDescriptionError(f"{where} has no {name} in its <{element.tag}>")
    try:
        return float(text)
    except ValueError:
        raise RobotDescriptionError(f"{where} has {name}={text!r} in its <{element.tag}>, expected a number") from None


def _alone(path: Path, chain: list[ElementTree.Element], tcp_frame: str) -> str:
    """A description of nothing but these joints."""
    robot = ElementTree.Element("robot", name="arm")
    links = [*(_link(joint, "parent") for joint in chain), tcp_frame]
    robot.extend(ElementTree.Element("link", name=link) for link in links)
    for joint in chain:
        kind = "fixed" if joint.get("type") == "fixed" else "revolute"
        alone = ElementTree.SubElement(robot, "joint", name=joint.get("name", ""), type=kind)
        alone.extend(part for part in joint if part.tag in ("parent", "child"))
        for tag, name, numbers in _geometry(path, joint):
            part = alone.find(tag)
            part = ElementTree.SubElement(alone, tag) if part is None else part
            part.set(name, " ".join(map(repr, numbers)))
        if kind == "revolute":
            ElementTree.SubElement(alone, "limit", lower="-1", upper="1", velocity="1", effort="1")  # only its form
    return ElementTree.tostring(robot, encoding="unicode")


def _geometry(path: Path, joint: ElementTree.Element) -> list[tuple[str, str, list[float]]]:
    """Tag, attribute and numbers of a joint's origin and axis, as far as they are given."""
    geometry = []
    places = [("origin", "xyz"), ("origin", "rpy")]
    for tag, name in places if joint.get("type") == "fixed" else [*places, ("axis", "xyz")]:
        if (part := joint.find(tag)) is None or (text := part.get(name)) is None:
            continue
        try:
            numbers = [float(number) for number in text.split()]
        except ValueError:
            numbers = []
        if len(numbers) != 3 or not all(map(math.isfinite, numbers)) or (tag == "axis" and not any(numbers)):
            where = f"{path}: joint {joint.get('name')}"
            raise RobotDescriptionError(f"{where} has {name}={text!r} in its <{tag}>, expected three numbers")
        geometry.append((tag, name, numbers))
    return geometry


def _link(joint: ElementTree.Element, end: str) -> str:
    part = joint.find(end)
    return "" if part is None else part.get("link", "")
