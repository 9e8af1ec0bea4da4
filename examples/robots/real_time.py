"""What drivers ask of the system, as ros2_control_node does: to be served first when a cycle is due."""

from __future__ import annotations

import os

PRIORITY = 50


def be_served_first() -> None:
    """For this thread and those that it starts; where that is not allowed, it goes on as others do."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except PermissionError:
        print("no real-time scheduling here: cycles will be late where others compute")


def be_served_as_others() -> None:
    """For this thread again."""
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
