"""Guesses what a robot description does not say: which links are the base and the tcp, and which joints are fingers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from jepa_planner.control.description_text import DescriptionText, RobotDescriptionError
from jepa_planner.control.gripper import Gripper
from jepa_planner.control.joint_tree import MOVING, Joint, JointTree
from jepa_planner.control.kinematics import FEWEST_JOINTS, MOST_JOINTS

TCP_NAMES = (
    r"(.*_)?tcp(_link|_frame)?", r"(.*_)?grasp_?(target|frame|link)(_hand)?",
    r"(.*_)?tool0", r"(.*_)?tool_(frame|link)",
    r"(.*_)?(link_eef|end_effector(_link|_frame)?|link_ee|ee_link|eef|ee)", r"(.*_)?(flange|link8)",
)  # fmt: skip
"""What links between the fingers, or at the flange, are called; the first that fits is taken."""
BASE_NAMES = r"(.*_)?(base_link|link_?base|link_?0|base)"
NO_TCP = r".*(camera|optical|lens|sensor|ft_|screw|cable|marker).*"
FINGER_NAMES = r".*(finger|knuckle|gripper|jaw|thumb|drive_joint).*"


@dataclass(frozen=True)
class Survey:
    """An arm in a robot description; `guesses` are sentences on what was taken for granted, `unknown` on what is not
    there at all.
    """

    base_frame: str
    tcp_frame: str
    between_fingers: bool
    """Whether the tcp is, by its name, where objects are grasped; else a tool may reach beyond it."""
    gripper: Gripper
    mimic: tuple[str, ...]
    guesses: tuple[str, ...]
    unknown: tuple[str, ...]


def survey(source: DescriptionText, tcp_frame: str | None = None, base_frame: str | None = None) -> Survey:
    """Finds the arm; frames that are given are taken as they are.

    Raises RobotDescriptionError where there is no arm of 5 to 7 turning joints.
    """
    tree = JointTree(source)
    guesses: list[str] = []
    if tcp_frame is None:
        tcp_frame, words = _guessed_tcp(tree, base_frame)
        guesses.append(words)
    tree.check_link(tcp_frame, "tcp")
    arm = _turning_end(tree.chain(tcp_frame))
    if not arm:
        raise RobotDescriptionError(f"{source}: no joint turns before {tcp_frame!r}: choose another link as tcp")
    if base_frame is None:
        base_frame, words = _guessed_base(tree, arm[-min(len(arm), MOST_JOINTS)])
        guesses.append(words)
    found = _found_gripper(tree, arm[-1])
    grasps = any(re.fullmatch(pattern, tcp_frame, re.IGNORECASE) for pattern in TCP_NAMES[:2])
    return replace(
        found, base_frame=base_frame, tcp_frame=tcp_frame, between_fingers=grasps, guesses=(*guesses, *found.guesses)
    )


def _turning_end(chain: Sequence[Joint]) -> list[Joint]:
    """The joints that turn at the end of a chain, fixed ones between them left out."""
    arm: list[Joint] = []
    for joint in reversed(chain):
        if joint.turns:
            arm.append(joint)
        elif joint.type != "fixed":
            break
    return arm[::-1]


def _guessed_tcp(tree: JointTree, base_frame: str | None) -> tuple[str, str]:
    tips: dict[str, list[Joint]] = {}
    for joint in tree.joints:
        chain = tree.chain(joint.child)
        if base_frame is not None:
            carried = set(map(id, tree.chain(base_frame)))
            chain = [part for part in chain if id(part) not in carried]
        arm = _turning_end(chain)
        if (
            arm
            and arm[-1] is joint
            and FEWEST_JOINTS <= len(arm) <= MOST_JOINTS
            and not any(_is_finger(tree, part) for part in arm)
        ):
            tips[joint.child] = arm
    if not tips:
        raise RobotDescriptionError(
            f"{tree.source}: found no chain of {FEWEST_JOINTS} to {MOST_JOINTS} joints that turn; name its end with "
            "--tcp, and where it begins with --base"
        )
    most = max(map(len, tips.values()))
    ends = [link for link, arm in tips.items() if len(arm) == most]
    rigid = [ends[0], *(link for link in tree.links if _is_fixed_to(tree, link, ends[0]))]
    named = [
        link
        for pattern in TCP_NAMES
        for link in rigid
        if re.fullmatch(pattern, link, re.IGNORECASE) and not re.fullmatch(NO_TCP, link, re.IGNORECASE)
    ]
    plain = [link for link in rigid if not re.fullmatch(NO_TCP, link, re.IGNORECASE)] or rigid
    chosen = named[0] if named else max(plain, key=lambda link: len(tree.chain(link)))
    others = [link for link in dict.fromkeys((*named, *plain)) if link != chosen]
    words = f"the tcp is {chosen}, by its name" if named else f"the tcp is {chosen}, the last link of the arm"
    if others:
        words += f"; --tcp takes another: {', '.join(others)}"
    if len(ends) > 1:
        words += f"; the description has {len(ends)} arms, the others end at {', '.join(ends[1:])}"
    return chosen, words


def _is_finger(tree: JointTree, joint: Joint) -> bool:
    """Whether a joint is coupled to another, called a finger, or has another beside it that moves."""
    coupled = joint.mimics is not None or joint.name in tree.mimicked
    if coupled or re.fullmatch(FINGER_NAMES, joint.name, re.IGNORECASE):
        return True
    link = _rigid_root(tree, joint.parent)
    beside = [other for other in tree.joints if other.type in MOVING and other is not joint]
    return any(_rigid_root(tree, other.parent) == link and other.type == joint.type for other in beside) and bool(
        _turning_end(tree.chain(joint.parent))
    )


def _rigid_root(tree: JointTree, link: str) -> str:
    """The link, nearest to the root, that moves together with another."""
    for joint in reversed(tree.chain(link)):
        if joint.type != "fixed":
            break
        link = joint.parent
    return link


def _is_fixed_to(tree: JointTree, link: str, root: str) -> bool:
    return link != root and _rigid_root(tree, link) == root


def _guessed_base(tree: JointTree, first: Joint) -> tuple[str, str]:
    """The link that carries the first joint, or the nearest one below it that is called a base."""
    links = [first.parent]
    for joint in reversed(tree.chain(first.parent)):
        if joint.type != "fixed":
            break
        links.append(joint.parent)
    named = [link for link in links if re.fullmatch(BASE_NAMES, link, re.IGNORECASE)]
    chosen = (named or links)[0]
    others = [link for link in links if link != chosen]
    return chosen, f"poses and the box are in {chosen}" + (
        f"; --base takes another: {', '.join(others)}" if others else ""
    )


def _found_gripper(tree: JointTree, last: Joint) -> Survey:
    moving = [joint for joint in tree.behind(last.child) if joint.type in MOVING]
    drivers = [joint for joint in moving if joint.mimics is None]
    mimic = tuple(joint.name for joint in moving if joint.mimics is not None)
    none = Survey("", "", False, Gripper(), (), (), ("the gripper: no finger joint lies behind the tcp",))
    if not drivers:
        return none
    try:
        ends = {joint.name: joint.limits() for joint in drivers if joint.type != "continuous"}
    except RobotDescriptionError as error:
        return replace(none, unknown=(f"the gripper: {error}",))
    if not ends:
        names = ", ".join(joint.name for joint in drivers)
        return replace(none, unknown=(f"the gripper: {names} turn without limits",))
    first = next(joint for joint in drivers if joint.name in ends)
    alike = [joint.name for joint in drivers if ends.get(joint.name) == ends[first.name] and joint.type == first.type]
    opened, closed = sorted(ends[first.name], key=abs, reverse=not first.turns)
    unit = "rad" if first.turns else "m"
    guesses = [f"the gripper is open at {opened:g} {unit} of {', '.join(alike)}, closed at {closed:g}"]
    if rest := [joint.name for joint in drivers if joint.name not in alike]:
        guesses.append(f"{', '.join(rest)} are no part of the gripper")
    return Survey("", "", False, Gripper(opened, closed, tuple(alike)), mimic, tuple(guesses), _which_end(alike))


def _which_end(joints: Iterable[str]) -> tuple[str, ...]:
    return (f"which end of {', '.join(joints)} is the open one; exchange gripper_open and gripper_closed if need be",)
