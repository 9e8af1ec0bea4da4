"""Whether pictures are too dark, too bright or blurred to learn from."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from jepa_planner.learning.data.inspection.judgement import Judgement, Level
from jepa_planner.learning.data.inspection.seen import Seen

FRAMES = 400
BLACK, WHITE = 16, 250
"""Channels (of 255) in which nothing is told apart any more."""
DARK_SHARE, CLIPPED_SHARE, ALL_DARK = 0.6, 0.6, 40.0
BLUR = 0.5
"""Pictures are sharp below 0.25, and out of focus by 1.5 px of 64 above this."""
FLICKER = 8.0
"""Brightness of a view (of 255) that changes by more from frame to frame, in the middle, is a light or an automatic
exposure."""


def judge_exposure(seen: Seen) -> Iterator[Judgement]:
    """One judgement for each view."""
    frames = seen.some_frames(FRAMES)
    for view, name in enumerate(seen.views):
        pictures = frames[:, view]
        brightness = pictures.mean(axis=(1, 2, 3))
        numbers = {
            "brightness": round(float(brightness.mean()), 1),
            "dark_share": round(float((pictures.max(axis=-1) < BLACK).mean()), 3),
            "clipped_share": round(float((pictures.min(axis=-1) > WHITE).mean()), 3),
            "blur": round(float(np.median([blur(picture) for picture in pictures])), 2),
            "flicker": round(_flicker(seen, view), 1),
        }
        says, advice = _faults(numbers)
        level = Level.WARNING if says else Level.GOOD
        summary = (
            f"mean {numbers['brightness']:.0f} of 255, {numbers['dark_share']:.0%} of all pixels black, "
            f"{numbers['clipped_share']:.0%} white, blur {numbers['blur']:.2f} of 1"
        )
        yield Judgement(f"light in view {name}", level, "; ".join([*says, summary]), "; ".join(advice), numbers)


def blur(picture: np.ndarray) -> float:
    """How little of a picture uint8 [H, W, 3] blurring it once more takes away: 0 sharp to 1 (Crete et al., 2007)."""
    grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY).astype(np.float32)
    remains = []
    for axis, window in ((0, (1, 9)), (1, (9, 1))):
        sharp, blurred = (np.abs(np.diff(image, axis=axis)) for image in (grey, cv2.blur(grey, window)))
        remains.append(1.0 - float(np.maximum(sharp - blurred, 0.0).sum()) / max(float(sharp.sum()), 1e-6))
    return max(remains)


def _flicker(seen: Seen, view: int) -> float:
    """The middle of how much a view as a whole gets brighter or darker from frame to frame.

    Half of the picture may change, as it does where an arm comes into it: what the middle pixel does counts.
    """
    changes = []
    for pictures in seen.pictures:
        one = pictures[:, view, ::4, ::4].astype(np.float32)
        changes.append(np.abs(np.median(np.diff(one, axis=0), axis=(1, 2, 3))))
    return float(np.quantile(np.concatenate(changes), 0.9))


def _faults(numbers: dict[str, float]) -> tuple[list[str], list[str]]:
    says, advice = [], []
    if numbers["dark_share"] > DARK_SHARE or numbers["brightness"] < ALL_DARK:
        says.append("dark: little can be seen")
        advice.append("add light, or expose longer")
    if numbers["clipped_share"] > CLIPPED_SHARE:
        says.append("overexposed: most is white")
        advice.append("expose shorter, or take the light away from the table")
    if numbers["blur"] > BLUR:
        says.append("blurred")
        advice.append(
            "focus the camera on the table, clean the lens, or shorten the exposure if only motion is blurred"
        )
    if numbers["flicker"] > FLICKER:
        says.append(f"the light flickers, by {numbers['flicker']:.0f} of 255 from frame to frame")
        advice.append("fix exposure, gain and white balance, and use light that does not pulse")
    return says, advice
