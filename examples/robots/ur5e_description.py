"""The UR5e's description as its driver publishes it, made of the model in MuJoCo."""

from __future__ import annotations

from xml.etree import ElementTree

import mujoco
import numpy as np
from ur5e_cell import JOINTS

FASTEST_RAD_S = np.pi


def described(model: mujoco.MjModel, prefix: str) -> str:
    """The arm as URDF, from the base to the point between the fingers."""
    robot = ElementTree.Element("robot", name="ur5e_robotiq")
    above = f"{prefix}base_link"
    ElementTree.SubElement(robot, "link", name=above)
    for name in JOINTS:
        joint = model.joint(name)
        body = model.body(joint.bodyid[0])
        below = prefix + body.name
        _joint(robot, prefix + name, "revolute", above, below, body.pos, body.quat, joint.axis, joint.range)
        above = below
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    wrist, tip = data.body(above.removeprefix(prefix)), data.site("gripper_pinch")
    rotation = wrist.xmat.reshape(3, 3).T
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, (rotation @ tip.xmat.reshape(3, 3)).flatten())
    _joint(
        robot, f"{prefix}grasp_joint", "fixed", above, f"{prefix}grasp_point", rotation @ (tip.xpos - wrist.xpos), quat
    )
    return ElementTree.tostring(robot, encoding="unicode")


def _joint(robot, name, kind, above, below, xyz, quat, axis=None, limits=None) -> None:
    ElementTree.SubElement(robot, "link", name=below)
    joint = ElementTree.SubElement(robot, "joint", name=name, type=kind)
    matrix = np.zeros(9)
    mujoco.mju_quat2Mat(matrix, quat / np.linalg.norm(quat))
    r = matrix.reshape(3, 3)
    pitch = np.arctan2(-r[2, 0], np.hypot(r[0, 0], r[1, 0]))
    if np.hypot(r[0, 0], r[1, 0]) > 1e-9:
        roll, yaw = np.arctan2(r[2, 1], r[2, 2]), np.arctan2(r[1, 0], r[0, 0])
    else:
        roll, yaw = 0.0, np.arctan2(-r[0, 1], r[1, 1])
    ElementTree.SubElement(joint, "origin", xyz=_text(xyz), rpy=_text((roll, pitch, yaw)))
    ElementTree.SubElement(joint, "parent", link=above)
    ElementTree.SubElement(joint, "child", link=below)
    if axis is not None:
        ElementTree.SubElement(joint, "axis", xyz=_text(axis))
        ElementTree.SubElement(
            joint, "limit", lower=repr(float(limits[0])), upper=repr(float(limits[1])),
            velocity=repr(FASTEST_RAD_S), effort="150",
        )  # fmt: skip


def _text(numbers) -> str:
    return " ".join(repr(float(number)) for number in numbers)
