"""What a driver calls the joints of a robot description, in joint states and in commands."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class JointNames:
    """A mapping of names, a prefix, or both; without either, names are the same on both sides."""

    described: Mapping[str, str] = field(default_factory=dict)
    """The description's name of a joint by the driver's."""
    prefix: str = ""
    """What the driver puts before the name of each joint that is not in `described`."""

    def of(self, joints: Iterable[str]) -> tuple[str, ...]:
        """The driver's names of joints of the description."""
        drivers = {described: driver for driver, described in self.described.items()}
        return tuple(drivers.get(joint, f"{self.prefix}{joint}") for joint in joints)

    def check(self, arm: Iterable[str], gripper: Iterable[str], known: Iterable[str]) -> None:
        """Raises ValueError unless each joint of the arm and of the gripper gets one name, and no name serves two.

        known: the joints of the description that move.
        """
        arm, gripper, meant = list(arm), list(gripper), list(self.described.values())
        known = [*known, *gripper]
        for driver, joint in self.described.items():
            if joint not in known:
                close = difflib.get_close_matches(joint, known, 1) or [", ".join(known)]
                raise ValueError(f"joints: {driver} stands for {joint}, which the description has not: {close[0]}?")
            if meant.count(joint) > 1:
                several = ", ".join(name for name, other in self.described.items() if other == joint)
                raise ValueError(f"joints: {several} all stand for {joint}; expected one name for each joint")
        if self.described and not self.prefix and (missing := [joint for joint in arm if joint not in meant]):
            raise ValueError(
                f"joints lacks {', '.join(missing)} of the description: give the driver's name of each joint of the arm"
            )
        names = self.of([*arm, *gripper])
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"joints: {twice[0]} would be the name of more than one joint")
