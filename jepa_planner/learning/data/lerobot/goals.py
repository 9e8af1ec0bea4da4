"""Saved goals as a LeRobotDataset of pictures alone, and back: an episode a goal, a row a goal image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jepa_planner.core.goal_library import GoalLibrary, is_goal_name
from jepa_planner.learning.data.lerobot.dataset import Dataset
from jepa_planner.learning.data.lerobot.dataset_writer import DatasetWriter
from jepa_planner.learning.data.lerobot.from_episodes import view_info, view_key
from jepa_planner.learning.data.lerobot.layout import DatasetError, Feature
from jepa_planner.learning.data.lerobot.new_folder import new_folder
from jepa_planner.learning.data.lerobot.pictures_in import pictures

STAMP = "stamp_s"
"""When the cameras took the pictures of a row, on their clock."""


def write_goals(library: Path, out: Path) -> int:
    """The goals of one model, in its folder of the goal library, as the new dataset `out`; returns how many.

    Pictures are kept to the pixel. Raises DatasetError where there are none, or they are not of one model and size.
    """
    names = GoalLibrary(library.name, "", (), library.parent).names()
    if not names:
        raise DatasetError(f"{library} holds no NAME/goal.yaml, as `jepa-planner goal --save` writes them")
    of_name = {name: GoalLibrary(library.name, "", (), library.parent).notes(name) for name in names}
    first = of_name[names[0]]
    for name, notes in of_name.items():
        if (notes.model, notes.views) != (first.model, first.views):
            raise DatasetError(
                f"goal {name} is of {notes.model} with {', '.join(map(str, notes.views))}; {names[0]} is of "
                f"{first.model} with {', '.join(map(str, first.views))}: one dataset holds one model's, in one size"
            )
    features = [
        Feature(
            view_key(view.name), "image", (view.height_px, view.width_px, 3), (),
            {**view_info(view.name), "frame": view.frame},
        )
        for view in first.views
    ]  # fmt: skip
    opened = GoalLibrary(library.name, first.model, first.view_names(), library.parent)
    with new_folder(out) as folder:
        writer = DatasetWriter(folder, [*features, Feature(STAMP, "float64", (1,), (), {"model": first.model})], fps=1)
        for name in names:
            moments = opened.load(name).moments
            shown = {feature.key: [moment[view] for moment in moments] for view, feature in enumerate(features)}
            writer.add_episode({STAMP: np.array(of_name[name].stamps_s, float)}, shown, name, {})
        writer.finish()
    return len(names)


def read_goals(dataset: Dataset, library: Path) -> int:
    """Saves the goals of a dataset in the folder `library` of one model; returns how many.

    Raises DatasetError for a dataset that holds none, and GoalLibraryError for names that are taken.
    """
    info = dataset.info
    shown = [feature for feature in info.features.values() if feature.is_picture]
    model = info.features[STAMP].info.get("model") if STAMP in info.features else None
    if not isinstance(model, str):
        raise DatasetError(f"{dataset.root} holds no goals that `data to-lerobot --goals` wrote: it has no {STAMP}")
    views = [str(feature.info.get("view", feature.key.removeprefix(view_key("")))) for feature in shown]
    frames = [str(feature.info.get("frame", "")) for feature in shown]
    saved = GoalLibrary(library.name, model, views, library.parent)
    named = [dataset.task(episode, dataset.numbers(episode, [])["task_index"]) for episode in dataset.episodes]
    for name in named:
        if not is_goal_name(name) or name in saved.names():
            raise DatasetError(f"a goal cannot be called {name!r}, or is there already in {library}: move it away")
    for episode, name in zip(dataset.episodes, named, strict=True):
        columns = dataset.numbers(episode, [STAMP])
        rows, stamps_s = np.arange(episode.length), columns["timestamp"].astype(float)
        of_view = [pictures(dataset, episode, feature.key, rows, stamps_s) for feature in shown]
        for number, moment in enumerate(zip(*of_view, strict=True)):
            saved.save(name, moment, frames, float(columns[STAMP][number]), append=number > 0)
    return len(named)
