"""What was taken from a dataset, in words: nothing is found out without being said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jepa_planner.learning.data.lerobot.dataset import Dataset
from jepa_planner.learning.data.lerobot.mapping import ActionChannels, ArmChannels, DatasetMapping
from jepa_planner.learning.data.lerobot.steps import missed_share
from jepa_planner.learning.data.lerobot.to_episodes import Steps

MISSED = 0.25
"""Of a step, what an arm that follows its commands does not miss them by."""


def in_words(dataset: Dataset, mapping: DatasetMapping, steps: Sequence[Steps], time_step_s: float, left: int) -> str:
    """Lines on what was read; left: how many episodes were left out as told."""
    lengths = np.array([len(one.actions) for one in steps])
    short = len(dataset.episodes) - left - len(steps)
    padded = 1.0 - (lengths + 1).sum() / (len(lengths) * (lengths.max() + 1))
    late_s = max(float((_times_s(one, time_step_s) - one.stamps_s[one.rows]).max()) for one in steps)
    done = np.array([one.success for one in steps])
    tasks = sorted({one.task for one in steps} - {""})
    rows = {
        "episodes": f"{len(steps)} of {lengths.min()} to {lengths.max()} steps of {time_step_s:g} s",
        "rows": f"{dataset.info.fps:g} per second; of a step the last before it, up to {1e3 * abs(late_s):.0f} ms old",
        "left out": f"{left} as told, {short} shorter than a step" if left or short else "none",
        "padding": f"{100 * padded:.0f} % of the frames repeat the last one of an episode",
        "views": ", ".join(f"{view} from {key}" for view, key in mapping.views.items()),
        "state": _arm(mapping.state),
        "closure commanded": mapping.state.gripper_commanded or _commanded(mapping.action),
        "actions": _actions(mapping.action, steps),
        "success": f"{(done == 1).sum()} yes, {(done == 0).sum()} no, {(done < 0).sum()} not told",
        "tasks": f"{len(tasks)}: {'; '.join(tasks[:3])}{' ...' if len(tasks) > 3 else ''}" if tasks else "none told",
        "frames": f"{mapping.tcp_frame or 'not told (--tcp-frame)'} in {mapping.frame or 'not told (--base-frame)'}",
    }
    width = max(map(len, rows))
    return "\n".join(f"  {name:<{width}}  {text}" for name, text in rows.items())


def _times_s(steps: Steps, time_step_s: float) -> np.ndarray:
    return steps.stamps_s[0] + time_step_s * np.arange(len(steps.rows))


def _arm(channels: ArmChannels) -> str:
    unit = f" in {channels.angle_unit}" if channels.turns else ""
    if channels.joints:
        where = f"joints {', '.join(channels.joints)}{unit}, by the arm's kinematics"
    else:
        where = f"{', '.join(channels.position)}; {channels.orientation_is} {', '.join(channels.orientation)}{unit}"
    if channels.gripper is None:
        return f"{where}; no gripper: always open"
    return f"{where}; gripper {channels.gripper}, {channels.gripper_open:g} open, {channels.gripper_closed:g} closed"


def _commanded(action: ActionChannels | None) -> str:
    return "as measured" if action is None or action.gripper is None else f"what {action.gripper} told before"


def _actions(action: ActionChannels | None, steps: Sequence[Steps]) -> str:
    if action is None:
        return "the changes from one state to the next"
    what = "targets, of which the changes are taken" if action.values == "absolute" else "changes, added up"
    missed = np.array([missed_share(one.states, one.actions) for one in steps])
    often = float(np.median(missed[np.isfinite(missed)])) if np.isfinite(missed).any() else 0.0
    advice = "; it hardly follows them, so try --actions states" if often > MISSED else ""
    return (
        f"{', '.join(action.joints or action.position)} and others: {what}; in the middle the arm missed them by "
        f"{often:.0%} of a step{advice}"
    )
