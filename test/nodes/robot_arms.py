"""Robot descriptions of six families of arms: files of other packages where wheels have them, else the maker's numbers.

The Panda and the iiwa are PyBullet's, the UR5e is airo-models'. No small wheel has the others: joint frames and limits
of the Franka Research 3, the xArm7 and the Kinova Gen3 stand here as their makers publish them.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from math import pi
from pathlib import Path
from xml.etree import ElementTree

TURN = 2 * pi
Joint = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float] | None, float]
"""xyz (m) and rpy (rad) in the link before, limits (rad; None: continuous), velocity (rad/s)."""


@dataclass(frozen=True)
class Family:
    """joints: names of the driven ones, as the description has them; fingers: of its gripper."""

    name: str
    joints: tuple[str, ...]
    fingers: tuple[str, ...] = ()


FAMILIES = (
    Family("panda", tuple(f"panda_joint{i}" for i in range(1, 8)), ("panda_finger_joint1",)),
    Family("fr3", tuple(f"fr3_joint{i}" for i in range(1, 8)), ("fr3_finger_joint1",)),
    Family(
        "ur5e",
        ("shoulder_pan_joint", "shoulder_lift_joint", "elbow_joint", "wrist_1_joint", "wrist_2_joint", "wrist_3_joint"),
    ),
    Family("xarm7", tuple(f"joint{i}" for i in range(1, 8)), ("drive_joint",)),
    Family("gen3", tuple(f"joint_{i}" for i in range(1, 8))),
    Family("iiwa", tuple(f"lbr_iiwa_joint_{i}" for i in range(1, 8))),
)
FR3: tuple[Joint, ...] = (
    ((0, 0, 0.333), (0, 0, 0), (-2.7437, 2.7437), 2.62),
    ((0, 0, 0), (-pi / 2, 0, 0), (-1.7837, 1.7837), 2.62),
    ((0, -0.316, 0), (pi / 2, 0, 0), (-2.9007, 2.9007), 2.62),
    ((0.0825, 0, 0), (pi / 2, 0, 0), (-3.0421, -0.1518), 2.62),
    ((-0.0825, 0.384, 0), (-pi / 2, 0, 0), (-2.8065, 2.8065), 5.26),
    ((0, 0, 0), (pi / 2, 0, 0), (0.5445, 4.5169), 4.18),
    ((0.088, 0, 0), (pi / 2, 0, 0), (-3.0159, 3.0159), 5.26),
)
XARM7: tuple[Joint, ...] = (
    ((0, 0, 0.267), (0, 0, 0), (-TURN, TURN), 3.14),
    ((0, 0, 0), (-pi / 2, 0, 0), (-2.059, 2.0944), 3.14),
    ((0, -0.293, 0), (pi / 2, 0, 0), (-TURN, TURN), 3.14),
    ((0.0525, 0, 0), (pi / 2, 0, 0), (-0.19198, 3.927), 3.14),
    ((0.0775, -0.3425, 0), (pi / 2, 0, 0), (-TURN, TURN), 3.14),
    ((0, 0, 0), (pi / 2, 0, 0), (-1.69297, pi), 3.14),
    ((0.076, 0.097, 0), (-pi / 2, 0, 0), (-TURN, TURN), 3.14),
)
GEN3: tuple[Joint, ...] = (
    ((0, 0, 0.15643), (pi, 0, 0), None, 1.3963),
    ((0, 0.005375, -0.12838), (pi / 2, 0, 0), (-2.41, 2.41), 1.3963),
    ((0, -0.21038, -0.006375), (-pi / 2, 0, 0), None, 1.3963),
    ((0, 0.006375, -0.21038), (pi / 2, 0, 0), (-2.66, 2.66), 1.3963),
    ((0, -0.20843, -0.006375), (-pi / 2, 0, 0), None, 1.2218),
    ((0, 0.00017505, -0.10593), (pi / 2, 0, 0), (-2.23, 2.23), 1.2218),
    ((0, -0.10593, -0.00017505), (-pi / 2, 0, 0), None, 1.2218),
)


def urdf(name: str) -> str:
    """The robot description of a family."""
    if name == "panda":
        return _file_of("pybullet_data", "franka_panda/panda.urdf").read_text()
    if name == "iiwa":
        return _file_of("pybullet_data", "kuka_iiwa/model.urdf").read_text()
    if name == "ur5e":
        return _file_of("airo_models", "arms/ur5e/ur5e.urdf").read_text()
    return ElementTree.tostring({"fr3": _fr3, "xarm7": _xarm7, "gen3": _gen3}[name](), encoding="unicode")


def _file_of(package: str, path: str) -> Path:
    [folder] = find_spec(package).submodule_search_locations
    return Path(folder) / path


def _fr3() -> ElementTree.Element:
    robot = _chain("fr3", ["base", "fr3_link0"], FR3, "fr3_joint{}", "fr3_link{}")
    _fixed(robot, "fr3_link7", "fr3_link8", (0, 0, 0.107))
    _fixed(robot, "fr3_link8", "fr3_hand", (0, 0, 0), (0, 0, -pi / 4))
    _fixed(robot, "fr3_hand", "fr3_hand_tcp", (0, 0, 0.1034))
    for number, side in ((1, 1), (2, -1)):
        finger = _joint(
            robot, f"fr3_finger_joint{number}", "prismatic", "fr3_hand", f"fr3_finger{number}", (0, 0, 0.0584)
        )
        ElementTree.SubElement(finger, "axis", xyz=f"0 {side} 0")
        ElementTree.SubElement(finger, "limit", lower="0.0", upper="0.04", velocity="0.2", effort="100")
        if number == 2:
            ElementTree.SubElement(finger, "mimic", joint="fr3_finger_joint1")
    return robot


def _xarm7() -> ElementTree.Element:
    robot = _chain("xarm7", ["world", "link_base"], XARM7, "joint{}", "link{}")
    _fixed(robot, "link7", "link_eef", (0, 0, 0))
    _fixed(robot, "link_eef", "xarm_gripper_base_link", (0, 0, 0))
    _fixed(robot, "xarm_gripper_base_link", "link_tcp", (0, 0, 0.172))
    for name, side in (("drive_joint", 1), ("right_outer_knuckle_joint", -1)):
        parent, at = "xarm_gripper_base_link", (0.0, side * 0.035, 0.059098)
        knuckle = _joint(robot, name, "revolute", parent, name.replace("_joint", "_link"), at)
        ElementTree.SubElement(knuckle, "axis", xyz=f"{side} 0 0")
        ElementTree.SubElement(knuckle, "limit", lower="0", upper="0.85", velocity="2", effort="50")
        if side < 0:
            ElementTree.SubElement(knuckle, "mimic", joint="drive_joint", multiplier="1", offset="0")
    return robot


def _gen3() -> ElementTree.Element:
    robot = _chain("gen3", ["world", "base_link"], GEN3, "joint_{}", "arm_link_{}")
    _fixed(robot, "arm_link_7", "end_effector_link", (0, 0, -0.061525), (pi, 0, 0))
    _fixed(robot, "end_effector_link", "camera_link", (0, 0.05639, -0.00305), (pi, pi, 0))
    _fixed(robot, "end_effector_link", "tool_frame", (0, 0, 0))
    return robot


def _chain(name: str, roots: list[str], joints: tuple[Joint, ...], called: str, links: str) -> ElementTree.Element:
    robot = ElementTree.Element("robot", name=name)
    ElementTree.SubElement(robot, "link", name=roots[0])
    for parent, child in pairwise(roots):
        _fixed(robot, parent, child, (0, 0, 0))
    parent = roots[-1]
    for number, (xyz, rpy, limits, velocity) in enumerate(joints, start=1):
        kind, child = "continuous" if limits is None else "revolute", links.format(number)
        joint = _joint(robot, called.format(number), kind, parent, child, xyz, rpy)
        ElementTree.SubElement(joint, "axis", xyz="0 0 1")
        bounds = {} if limits is None else {"lower": repr(limits[0]), "upper": repr(limits[1])}
        ElementTree.SubElement(joint, "limit", **bounds, velocity=str(velocity), effort="100")
        parent = child
    return robot


def _fixed(robot: ElementTree.Element, parent: str, child: str, xyz: tuple, rpy: tuple = (0, 0, 0)) -> None:
    _joint(robot, f"{parent}-{child}", "fixed", parent, child, xyz, rpy)


def _joint(robot, name: str, kind: str, parent: str, child: str, xyz: tuple, rpy: tuple = (0, 0, 0)):
    ElementTree.SubElement(robot, "link", name=child)
    joint = ElementTree.SubElement(robot, "joint", name=name, type=kind)
    ElementTree.SubElement(joint, "parent", link=parent)
    ElementTree.SubElement(joint, "child", link=child)
    ElementTree.SubElement(joint, "origin", xyz=" ".join(map(repr, xyz)), rpy=" ".join(map(repr, rpy)))
    return joint
