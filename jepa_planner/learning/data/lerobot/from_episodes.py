"""Episodes as a LeRobotDataset: a row before each action, and one after the last that asks the arm for nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from jepa_planner.core.arm_layout import ACTION_CHANNELS, STATE_CHANNELS
from jepa_planner.learning.data.episodes import NOT_TOLD, Episodes
from jepa_planner.learning.data.lerobot.dataset_writer import DatasetWriter
from jepa_planner.learning.data.lerobot.find_mapping import ACTION, STATE
from jepa_planner.learning.data.lerobot.layout import DatasetError, Feature
from jepa_planner.learning.data.lerobot.new_folder import new_folder
from jepa_planner.learning.data.lerobot.to_episodes import OBJECT_POSE

SUCCESS = "next.success"
SAME_STEP = 1e-6
"""By which share of it a time step may differ from one over a whole number."""
Pictures = Literal["video", "image"]


def write_dataset(
    episodes: Episodes, out: Path, kind: Pictures, robot: str = "", advance: Callable[[int], object] = lambda _: None
) -> int:
    """The new dataset `out`; returns its pictures per second.

    kind: of pictures; `image` keeps each pixel, `video` is smaller. Raises DatasetError for what the format cannot
    hold, and EpisodeError for pictures that cannot be read.
    """
    fps = whole_rate(episodes.time_step_s)
    features = _features(episodes, kind)
    with new_folder(out) as folder:
        writer = DatasetWriter(folder, features, fps, robot)
        shown = [feature.key for feature in features if feature.is_picture]
        for number in range(len(episodes)):
            rows = int(episodes.lengths[number]) + 1
            images = np.asarray(episodes.images[number])[:rows]
            pictures = {key: images[:, view] for view, key in enumerate(shown)}
            notes = {
                "behaviour": episodes.behaviour[number], "seed": int(episodes.seeds[number]),
                "scene": int(episodes.scenes[number]), "motion": int(episodes.motions[number]),
                "success": int(episodes.success[number]),
            }  # fmt: skip
            writer.add_episode(_numbers(episodes, number, rows, features), pictures, episodes.tasks[number], notes)
            advance(1)
        writer.finish()
    return fps


def whole_rate(time_step_s: float) -> int:
    """Pictures per second of a time step; raises DatasetError where they are no whole number, which lerobot wants."""
    fps = round(1.0 / time_step_s)
    if fps < 1 or abs(fps * time_step_s - 1.0) > SAME_STEP:
        raise DatasetError(
            f"time_step_s is {time_step_s:g}, which is {1.0 / time_step_s:.3g} pictures per second; a LeRobotDataset "
            "has a whole number of them, as for 1, 0.5, 0.25, 0.2 or 0.1 s: record with such a step"
        )
    return fps


def view_key(view: str) -> str:
    """The feature of a view."""
    return f"observation.images.{view.replace('/', '.')}"


def view_info(view: str) -> dict[str, str]:
    """What says the view's name where the feature's does not."""
    return {"view": view} if "/" in view else {}


def _features(episodes: Episodes, kind: Pictures) -> list[Feature]:
    height, width = episodes.images.shape[3:5]
    frames = {name: getattr(episodes, name) for name in ("frame", "tcp_frame") if getattr(episodes, name)}
    features = [
        Feature(STATE, "float32", (len(STATE_CHANNELS),), STATE_CHANNELS, frames),
        Feature(ACTION, "float32", (len(ACTION_CHANNELS),), ACTION_CHANNELS),
        *(Feature(view_key(view), kind, (height, width, 3), (), view_info(view)) for view in episodes.views),
    ]
    if len({feature.key for feature in features}) < len(features):
        raise DatasetError(f"views {', '.join(episodes.views)}: two of them would be one feature; rename one")
    if (episodes.success != NOT_TOLD).any():
        features.append(Feature(SUCCESS, "bool", (1,)))
    if np.any(episodes.object_pose):
        features.append(Feature(OBJECT_POSE, "float32", (4,), ("x_m", "y_m", "z_m", "yaw_rad")))
    return features


def _numbers(episodes: Episodes, number: int, rows: int, features: list[Feature]) -> dict[str, np.ndarray]:
    at_rest = np.zeros((1, len(ACTION_CHANNELS)), np.float32)
    done = (np.arange(rows) == rows - 1) & (episodes.success[number] == 1)
    all_of_it = {
        STATE: episodes.states[number, :rows],
        ACTION: np.concatenate([episodes.actions[number, : rows - 1], at_rest]),
        SUCCESS: done,
        OBJECT_POSE: episodes.object_pose[number, :rows],
    }
    wanted = {feature.key for feature in features}
    return {key: values for key, values in all_of_it.items() if key in wanted}
