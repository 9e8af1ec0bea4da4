"""The values of a limits file in their types, whatever YAML took them for."""

from __future__ import annotations


def read_value(name: str, value: object) -> object:
    """A value of a limits file in its type; raises ValueError saying what was expected."""
    if name in ("robot_description", "tcp_frame", "base_frame", "joint_prefix"):
        return _text(value)
    if name in ("joints", "xacro_arguments"):
        if not isinstance(value, dict):
            raise ValueError("expected names, each with its own: {name: name}")
        plain = (str, bool, int, float) if name == "xacro_arguments" else (str,)
        if not all(isinstance(part, plain) for part in value.values()) or not all(map(_text, value)):
            raise ValueError("expected a text for each name")
        return {key: str(part).lower() if isinstance(part, bool) else str(part) for key, part in value.items()}
    if name in ("gripper_joints", "gripper_mimic"):
        if not isinstance(value, list):
            raise ValueError("expected a list of joint names")
        return tuple(map(_text, value))
    if name.startswith("workspace") or name == "posture_rad":
        count = {"workspace_yaw_rad": 2, "posture_rad": None}.get(name, 3)
        if not isinstance(value, list) or count not in (None, len(value)):
            raise ValueError(f"expected {count} numbers" if count else "expected a number for each joint")
        return tuple(map(_number, value))
    return _number(value)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("expected a text")
    return value


def _number(value: object) -> float:
    if isinstance(value, str) and "e" in value.lower():  # YAML takes 1e-3 for a text and 1.0e-3 for a number
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("expected a number")
    return float(value)
