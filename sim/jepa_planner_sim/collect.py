"""Data collection: many simulated episodes, over several processes, into episode shards."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from jepa_planner.core.parallel import in_parallel
from jepa_planner.learning.data.episodes import EpisodeError, Episodes, shard_settings, write_shard
from jepa_planner.learning.evaluation.scene_adapter import SceneAdapter, load_adapter
from jepa_planner_sim.arm_driver import ACTION_PERIOD_S
from jepa_planner_sim.cameras import cameras_named
from jepa_planner_sim.collect_settings import CollectSettings
from jepa_planner_sim.recording import Record, record_episode, record_scene, record_variants
from jepa_planner_sim.world import BASE_FRAME, World


def collect(folder: Path, settings: CollectSettings, processes: int, cluster: str = "") -> int:
    """Collect the shards that the folder lacks; returns how many were written. Interrupt and call again to resume.

    processes, cluster: see `in_parallel`. Raises EpisodeError where a shard that is there was made with other settings.
    """
    shards = range((settings.episodes + settings.shard_episodes - 1) // settings.shard_episodes)
    paths = {index: folder / f"episodes-{index:06d}.h5" for index in shards}
    missing = [index for index, path in paths.items() if not path.exists()]
    for index in sorted(set(shards) - set(missing)):
        _check_kept(paths[index], settings, index)
    left = sum(_episodes_in(settings, index) for index in missing)
    jobs = [(paths[index].absolute(), settings, index) for index in missing]
    with tqdm(total=settings.episodes, initial=settings.episodes - left, unit="episode") as bar:
        for count in in_parallel(_collect_shard, jobs, processes, cluster):
            bar.update(count)
    return len(missing)


def _episodes_in(settings: CollectSettings, index: int) -> int:
    return min(settings.shard_episodes, settings.episodes - index * settings.shard_episodes)


def _seeds_in(settings: CollectSettings, index: int) -> np.ndarray:
    first = settings.seed + index * settings.shard_episodes
    return np.arange(first, first + _episodes_in(settings, index))


def _scenes_in(settings: CollectSettings, index: int) -> np.ndarray:
    """Numbers of the scenes of a shard's episodes; each variant has a scene of its own."""
    if settings.variants > 1:
        count = len(_seeds_in(settings, index)) * settings.episodes_each
        return np.arange(count) + int(_seeds_in(settings, index)[0]) * settings.episodes_each
    return np.array([settings.scene_of(int(seed)) for seed in _seeds_in(settings, index)])


def _motions_in(settings: CollectSettings, index: int) -> np.ndarray:
    """Numbers of what happens in a shard's episodes: variants of the same motion have the same."""
    cuts = settings.episodes_each // settings.variants
    seeds = _seeds_in(settings, index)
    return (seeds[:, None] * cuts + np.arange(cuts)).repeat(settings.variants)


def _check_kept(path: Path, settings: CollectSettings, index: int) -> None:
    """Raises EpisodeError where a shard that is there is not the one that would be collected."""
    expected = {
        "seeds": _seeds_in(settings, index).repeat(settings.episodes_each).tolist(),
        "steps": settings.cut_steps,
        "image size": settings.image_size_px,
        "vary": sorted(settings.vary),
        "scenes": _scenes_in(settings, index).tolist(),
        "motions": _motions_in(settings, index).tolist(),
        "behaviour": settings.adapter or settings.behaviour,
        "strength": settings.strength,
        "setup": settings.setup,
    }
    if not settings.adapter:
        expected["views"] = list(settings.views)
    kept = shard_settings(path)
    for name in ("scenes", "motions"):
        if kept[name] is None:  # it is older than the choice
            del expected[name]
    for name, value in expected.items():
        if kept[name] != value:
            raise EpisodeError(f"{path} was collected with {name} {kept[name]}, not {value}: choose another folder")


def _collect_shard(path: Path, settings: CollectSettings, index: int) -> int:
    seeds = _seeds_in(settings, index)
    scene: SceneAdapter | World
    record: Callable[[int, CollectSettings], Record]
    if settings.adapter:
        scene = adapter = load_adapter(settings.adapter, image_size_px=settings.image_size_px)
        views, time_step_s, frames = adapter.views, adapter.time_step_s, (adapter.base_frame, adapter.tcp_frame)
        record = partial(record_scene, adapter)
    else:
        scene = world = World(cameras_named(settings.views), settings.image_size_px)
        views, time_step_s, frames = tuple(world.cameras), ACTION_PERIOD_S, (BASE_FRAME, world.limits.tcp_frame)
        record = partial(record_variants if settings.variants > 1 else record_episode, world)
    try:
        records = [record(int(seed), settings) for seed in seeds]
    finally:
        scene.close()
    join = np.concatenate if settings.variants > 1 else np.stack
    images, states, actions, poses = (join([r[i] for r in records]) for i in range(4))
    each = settings.episodes_each
    episodes = Episodes(
        images, states, actions, poses, tuple(r[4] for r in records for _ in range(each)), seeds.repeat(each),
        views, time_step_s, _scenes_in(settings, index), _motions_in(settings, index), *frames,
    )  # fmt: skip
    drawn = {"strength": settings.strength} | ({} if settings.setup is None else {"setup": settings.setup})
    write_shard(path, episodes, settings.vary, settings.adapter or settings.behaviour, drawn)
    return len(seeds)
