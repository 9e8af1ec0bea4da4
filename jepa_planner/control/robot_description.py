"""Reads the arm of a robot description (URDF): the joints between its base and the tcp, each checked by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from jepa_planner.control.description_text import DescriptionText, RobotDescriptionError
from jepa_planner.control.joint_tree import Joint, JointTree

Offset = tuple[tuple[float, ...], tuple[float, ...]]
"""xyz (m) and rpy (rad) of one frame in another."""


@dataclass(frozen=True)
class ArmDescription:
    """The joints that turn between the base and the tcp, in order from the base (rad, rad/s).

    `urdf` is the description of them alone: a continuous joint is one that turns without limits (infinite here) and has
    one number for its position, like any other. It begins at the link where the ways from the root to the base and to
    the tcp part; `base_offsets` lead from there to the base. `base_links` are the base and what is fixed to it without
    an offset, `other_links` the rest of the file's. `loose_joints` turn behind the last of the joints and are nobody's
    mimic; `all_joints` are those of the whole description that move.
    """

    urdf: str
    base_offsets: tuple[Offset, ...]
    base_links: tuple[str, ...]
    other_links: tuple[str, ...]
    joint_names: tuple[str, ...]
    lower_rad: tuple[float, ...]
    upper_rad: tuple[float, ...]
    velocity_rad_s: tuple[float, ...]
    loose_joints: tuple[str, ...]
    all_joints: tuple[str, ...]

    def moves_as(self, other: ArmDescription) -> bool:
        """Whether another is the same arm with the same limits, whatever else stands in the two descriptions."""
        return self._arm() == other._arm()

    def _arm(self) -> tuple:
        limits = self.lower_rad, self.upper_rad, self.velocity_rad_s
        return self.urdf, self.base_offsets, self.joint_names, limits


def read_arm(
    source: DescriptionText, tcp_frame: str, joint_margin_rad: float, base_frame: str | None = None
) -> ArmDescription:
    """The arm that carries the link `tcp_frame`; joints beside the way to it, as fingers, are no part of it.

    base_frame: the link from which on it is the arm; joints before it, as wheels or a torso, are no part of it either.
    None: the root. Raises RobotDescriptionError for a text that is no URDF, a missing link, and joints on the way that
    cannot be driven: not turning, coupled by mimic, without a velocity limit, or with no room between limits and
    margins.
    """
    tree = JointTree(source)
    tree.check_link(tcp_frame, "tcp_frame")
    chain = tree.chain(tcp_frame)
    to_base: list[Joint] = []
    if base_frame is not None:
        tree.check_link(base_frame, "base_frame")
        chain, to_base = _parted(chain, tree.chain(base_frame))
        _check_base(base_frame, to_base)
    driven = [joint for joint in chain if joint.type != "fixed"]
    for joint in driven:
        _check_kind(joint, tree, tcp_frame)
    bounds = [_bounds(joint, joint_margin_rad) for joint in driven]
    root = base_frame or (chain[0].parent if chain else tcp_frame)
    base_links = [root, *(link for link in tree.links if _stands_on(root, tree.chain(link)))]
    behind = driven[-1].child if driven else tcp_frame
    loose = (
        joint.name
        for joint in tree.behind(behind)
        if joint.turns and joint.mimics is None and joint.name not in tree.mimicked
    )
    return ArmDescription(
        urdf=_alone(chain, tcp_frame),
        base_offsets=tuple((tuple(xyz), tuple(rpy)) for xyz, rpy in (joint.offset() for joint in to_base)),
        base_links=tuple(base_links),
        other_links=tuple(link for link in tree.links if link not in base_links),
        joint_names=tuple(joint.name for joint in driven),
        lower_rad=tuple(lower for lower, _, _ in bounds),
        upper_rad=tuple(upper for _, upper, _ in bounds),
        velocity_rad_s=tuple(velocity for _, _, velocity in bounds),
        loose_joints=tuple(loose),
        all_joints=tuple(joint.name for joint in tree.joints if joint.type != "fixed"),
    )


def _parted(one: list[Joint], other: list[Joint]) -> tuple[list[Joint], list[Joint]]:
    """What two ways from the root have not in common."""
    shared = 0
    while shared < min(len(one), len(other)) and one[shared] is other[shared]:
        shared += 1
    return one[shared:], other[shared:]


def _check_base(base_frame: str, to_base: Sequence[Joint]) -> None:
    for joint in to_base:
        if joint.type != "fixed":
            raise RobotDescriptionError(
                f"{joint.where} is {joint.type}, so base_frame {base_frame!r} moves against the arm: "
                "expected a link that the arm stands on"
            )


def _stands_on(root: str, chain: list[Joint]) -> bool:
    """Whether joints, from a root on, are fixed and without an offset."""
    above = next((number for number, joint in enumerate(chain) if joint.parent == root), None)
    if above is None or any(joint.type != "fixed" for joint in chain[above:]):
        return False
    return not any(any(numbers) for joint in chain[above:] for _, _, numbers in joint.geometry())


def _check_kind(joint: Joint, tree: JointTree, tcp_frame: str) -> None:
    if not joint.turns:
        raise RobotDescriptionError(
            f"{joint.where} before tcp_frame {tcp_frame!r} is {joint.type}; expected revolute or continuous joints: "
            "choose a tcp_frame that no finger carries, a base_frame behind joints that carry the whole arm, "
            "and make joints that are not driven here fixed"
        )
    if joint.mimics is not None or joint.name in tree.mimicked:
        raise RobotDescriptionError(
            f"{joint.where} before tcp_frame {tcp_frame!r} is coupled to another by mimic, as a gripper's; "
            "choose a tcp_frame that no finger carries"
        )


def _bounds(joint: Joint, margin_rad: float) -> tuple[float, float, float]:
    """Lower and upper limit and velocity of a joint that turns."""
    velocity = joint.velocity()
    lower, upper = joint.limits()
    if upper - lower <= 2.0 * margin_rad:
        raise RobotDescriptionError(
            f"{joint.where} has the limits {lower:g} to {upper:g} rad: no room between margins of {margin_rad:g} rad"
        )
    return lower, upper, velocity


def _alone(chain: list[Joint], tcp_frame: str) -> str:
    """A description of nothing but these joints."""
    robot = ElementTree.Element("robot", name="arm")
    robot.extend(ElementTree.Element("link", name=link) for link in [*(joint.parent for joint in chain), tcp_frame])
    for joint in chain:
        kind = "fixed" if joint.type == "fixed" else "revolute"
        alone = ElementTree.SubElement(robot, "joint", name=joint.name, type=kind)
        alone.extend(part for part in joint.element if part.tag in ("parent", "child"))
        for tag, name, numbers in joint.geometry():
            part = alone.find(tag)
            part = ElementTree.SubElement(alone, tag) if part is None else part
            part.set(name, " ".join(map(repr, numbers)))
        if kind == "revolute":
            ElementTree.SubElement(alone, "limit", lower="-1", upper="1", velocity="1", effort="1")  # only its form
    return ElementTree.tostring(robot, encoding="unicode")
