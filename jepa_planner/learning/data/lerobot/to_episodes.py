"""A LeRobotDataset as episodes: the same moments, at the model's steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from jepa_planner.control.kinematics import ArmKinematics
from jepa_planner.learning.data.episodes import NOT_TOLD, Episodes, write_shard
from jepa_planner.learning.data.lerobot.dataset import Dataset, Episode
from jepa_planner.learning.data.lerobot.layout import DatasetError
from jepa_planner.learning.data.lerobot.mapping import DatasetMapping
from jepa_planner.learning.data.lerobot.new_folder import new_folder
from jepa_planner.learning.data.lerobot.pictures_in import pictures
from jepa_planner.learning.data.lerobot.read_arm import features_of, read_arm
from jepa_planner.learning.data.lerobot.steps import states_and_actions, step_rows
from jepa_planner.model.preprocess import as_pictures, preprocess

SHARD_BYTES, MOST_IN_SHARD = 2**28, 64
OBJECT_POSE = "object_pose"
"""A feature that this package writes: x, y, z (m), yaw (rad) of the object."""


@dataclass(frozen=True)
class Steps:
    """An episode at the model's steps: K of the dataset's rows, states [K, 8], actions [K-1, 7], object_pose [K, 4]."""

    episode: Episode
    stamps_s: np.ndarray
    rows: np.ndarray
    states: np.ndarray
    actions: np.ndarray
    object_pose: np.ndarray
    task: str
    success: int


def read_steps(
    dataset: Dataset, mapping: DatasetMapping, time_step_s: float, arm: ArmKinematics | None,
    left_out: Sequence[int] = (),
) -> tuple[list[Steps], DatasetMapping]:  # fmt: skip
    """All but the pictures, of episodes with at least one step; and the mapping with what was found of units.

    Raises DatasetError naming the episode and what of it cannot be read, or cannot be known.
    """
    mapping.check(dataset.info)
    if unknown := sorted(set(left_out) - set(range(len(dataset.episodes)))):
        raise DatasetError(f"--leave-out {unknown[0]}: episodes are 0 to {len(dataset.episodes) - 1}")
    chosen = [episode for episode in dataset.episodes if episode.number not in left_out]
    keys = features_of(dataset.info, mapping) + [key for key in (OBJECT_POSE,) if key in dataset.info.features]
    columns = [dataset.numbers(episode, keys) for episode in chosen]
    if not columns:
        raise DatasetError(f"{dataset.root}: no episode is left")
    for episode, own in zip(chosen, columns, strict=True):
        _check_rate(dataset, episode, own["timestamp"])
    arms, mapping = read_arm(dataset, mapping, columns, arm)
    steps = []
    for episode, own, of_arm in zip(chosen, columns, arms, strict=True):
        stamps_s = own["timestamp"].astype(float)
        try:
            rows = step_rows(stamps_s, time_step_s)
        except DatasetError as error:
            raise DatasetError(f"{dataset.root}, episode {episode.number}: {error}") from error
        if len(rows) < 2:
            continue
        states, actions = states_and_actions(of_arm, rows)
        object_pose = own[OBJECT_POSE][rows] if OBJECT_POSE in own else np.zeros((len(rows), 4), np.float32)
        task, success = dataset.task(episode, own["task_index"]), _success(mapping, episode, own)
        steps.append(Steps(episode, stamps_s, rows, states, actions, object_pose, task, success))
    if not steps:
        raise DatasetError(f"{dataset.root}: no episode lasts for a step of {time_step_s:g} s (--time-step)")
    return steps, mapping


def write_episodes(
    dataset: Dataset, mapping: DatasetMapping, steps: Sequence[Steps], time_step_s: float, out: Path,
    size_px: int | None = None, advance: Callable[[int], object] = lambda _: None,
) -> int:  # fmt: skip
    """Shards in the new folder `out`, episodes padded to the longest; returns the bytes of pictures.

    size_px: width and height of pictures, cropped at the centre and resized as a model does it; None: as they are.
    Raises DatasetError for pictures that cannot be read, and for views of several sizes without size_px.
    """
    longest = max(len(one.actions) for one in steps)
    height, width = _size(dataset, mapping, steps[0], size_px)
    each = (longest + 1) * len(mapping.views) * height * width * 3
    per_shard = max(1, min(MOST_IN_SHARD, SHARD_BYTES // each))
    with new_folder(out) as folder:
        for number, first in enumerate(range(0, len(steps), per_shard)):
            part = steps[first : first + per_shard]
            images = np.zeros((len(part), longest + 1, len(mapping.views), height, width, 3), np.uint8)
            for own, one in zip(images, part, strict=True):
                _fill(own, dataset, mapping, one, size_px)
                advance(1)
            write_shard(folder / f"episodes-{number:06d}.h5", _episodes(part, images, longest, mapping, time_step_s))
    return each * len(steps)


def _fill(images: np.ndarray, dataset: Dataset, mapping: DatasetMapping, steps: Steps, size_px: int | None) -> None:
    """Pictures of an episode into images [T+1, V, H, W, 3], the last one again to the end."""
    for view, key in enumerate(mapping.views.values()):
        for frame, picture in enumerate(pictures(dataset, steps.episode, key, steps.rows, steps.stamps_s)):
            sized = picture if size_px is None else _sized(picture, size_px)
            if sized.shape != images.shape[2:]:
                given, first = (f"{shape[1]} x {shape[0]}" for shape in (sized.shape, images.shape[2:4]))
                raise DatasetError(
                    f"{key} of episode {steps.episode.number} is {given} px, and the first view {first}: give all one "
                    "size (--size PX)"
                )
            images[frame, view] = sized
    images[len(steps.rows) :] = images[len(steps.rows) - 1]


def _sized(picture: np.ndarray, size_px: int) -> np.ndarray:
    """As the model sees it when it runs."""
    if picture.shape[:2] == (size_px, size_px):
        return picture
    return as_pictures(preprocess(torch.from_numpy(np.ascontiguousarray(picture)), (size_px, size_px))).numpy()


def _size(dataset: Dataset, mapping: DatasetMapping, steps: Steps, size_px: int | None) -> tuple[int, int]:
    if size_px is not None:
        return size_px, size_px
    key = next(iter(mapping.views.values()))
    first = next(pictures(dataset, steps.episode, key, steps.rows[:1], steps.stamps_s))
    return first.shape[0], first.shape[1]


def _episodes(
    part: Sequence[Steps], images: np.ndarray, longest: int, mapping: DatasetMapping, time_step_s: float
) -> Episodes:
    def padded(name: str, length: int) -> np.ndarray:
        rows = [getattr(one, name) for one in part]
        return np.stack([np.concatenate([own, np.repeat(own[-1:], length - len(own), axis=0)]) for own in rows])

    lengths = np.array([len(one.actions) for one in part])
    actions = padded("actions", longest)
    actions[np.arange(longest) >= lengths[:, None]] = 0.0

    def noted(name: str) -> np.ndarray | None:
        """Numbers that this package wrote beside its own episodes."""
        values = [one.episode.notes.get(name) for one in part]
        return None if None in values else np.array(values, np.int64)

    seeds = noted("seed")
    return Episodes(
        images, padded("states", longest + 1), actions, padded("object_pose", longest + 1),
        tuple(str(one.episode.notes.get("behaviour") or "") for one in part),
        np.array([one.episode.number for one in part]) if seeds is None else seeds, tuple(mapping.views), time_step_s,
        noted("scene"), noted("motion"), mapping.frame, mapping.tcp_frame, lengths,  # type: ignore[arg-type]
        np.array([one.success for one in part], np.int8), tuple(one.task for one in part),
    )  # fmt: skip


def _success(mapping: DatasetMapping, episode: Episode, columns: dict[str, np.ndarray]) -> int:
    if isinstance(said := episode.notes.get("success"), int | bool):
        return int(said)
    return NOT_TOLD if mapping.success is None else int(columns[mapping.success].astype(bool).any())


def _check_rate(dataset: Dataset, episode: Episode, stamps_s: np.ndarray) -> None:
    """Raises DatasetError unless rows follow one another at the dataset's rate."""
    gaps_s = np.diff(stamps_s.astype(float))
    if not len(gaps_s):
        return
    if gaps_s.min() <= 0.0:
        raise DatasetError(
            f"{dataset.root}, episode {episode.number}: timestamp does not grow after row {int(gaps_s.argmin())}"
        )
    rate = 1.0 / float(np.median(gaps_s))
    if abs(rate - dataset.info.fps) > 0.01 * dataset.info.fps:
        raise DatasetError(
            f"{dataset.root}, episode {episode.number}: rows come {rate:.3g} times per second, and meta/info.json says "
            f"fps {dataset.info.fps:g}"
        )
