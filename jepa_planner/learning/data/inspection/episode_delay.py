"""How late each camera of episodes is, as far as one picture in a step can tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from jepa_planner.core.arm_layout import RPY, XYZ
from jepa_planner.learning.data.inspection.camera_delay import Delay, Stretch, find_delay, picture_changes
from jepa_planner.learning.data.inspection.judgement import Judgement, Level
from jepa_planner.learning.data.inspection.seen import Seen

MOST_STEPS = 2.5
HARMFUL_STEPS = 0.2
"""A delay of so much of a step is more than a model should learn as the world's own."""


def delays(seen: Seen, time_step_s: float) -> dict[str, Delay]:
    """Of each view."""
    found = {}
    for view, name in enumerate(seen.views):
        stretches = []
        for pictures, states in zip(seen.pictures, seen.states, strict=True):
            stamps = time_step_s * np.arange(len(states))
            poses = np.concatenate([states[:, XYZ], states[:, RPY]], axis=1)
            stretches.append(Stretch(stamps, picture_changes(pictures[:, view]), stamps, poses))
        found[name] = find_delay(stretches, MOST_STEPS * time_step_s)
    return found


def judge_delays(found: Mapping[str, Delay], time_step_s: float) -> Iterator[Judgement]:
    """One judgement for each view; a delay counts where its interval leaves no doubt that it is there."""
    for name, delay in found.items():
        topic = f"delay of camera {name}"
        if not delay.known:
            says = (
                f"not told: pictures and motion have r {delay.r:.2f} at best, or the arm moves too evenly, or too few "
                "steps were recorded"
            )
            yield Judgement(topic, Level.GOOD, says)
            continue
        least_s = max(0.0, delay.low_s, -delay.high_s)
        milliseconds = [round(1000 * each) for each in (delay.delay_s, delay.low_s, delay.high_s)]
        best, low, high = milliseconds
        says = f"{best:+d} ms, with 95 % between {low:+d} and {high:+d} (r {delay.r:.2f})"
        numbers = dict(zip(("delay_ms", "low_ms", "high_ms"), milliseconds, strict=True)) | {"r": round(delay.r, 3)}
        if abs(delay.delay_s) > HARMFUL_STEPS * time_step_s and least_s > 0.0:
            which = "an earlier" if delay.delay_s > 0.0 else "a later"
            yield Judgement(
                topic, Level.WARNING, f"{says}: pictures show the arm of {which} moment than their stamps say",
                "stamp pictures when they are taken, not when they arrive, by the same clock as the arm; then make the "
                "episodes anew", numbers,
            )  # fmt: skip
        else:
            yield Judgement(topic, Level.GOOD, says, "", numbers)
