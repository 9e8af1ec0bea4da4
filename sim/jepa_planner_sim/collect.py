"""Data collection: many simulated episodes, over several processes, into episode shards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from jepa_planner.parallel import in_parallel
from jepa_planner.training.episodes import EpisodeError, Episodes, shard_settings, write_shard
from jepa_planner_sim.adapter import SceneAdapter, load_adapter
from jepa_planner_sim.arm_driver import ACTION_MAX, ACTION_PERIOD_S, ArmDriver, action_max
from jepa_planner_sim.behaviours import MIXES, behave
from jepa_planner_sim.cameras import STANDARD_CAMERAS, cameras_named
from jepa_planner_sim.layouts import layouts
from jepa_planner_sim.scene_draws import (
    UNSEEN,
    VARIED,
    check_perturbations,
    sample_scene,
    sample_training_scene,
)
from jepa_planner_sim.takes import Takes
from jepa_planner_sim.tasks import REACH_MAX_M, REACH_MIN_M, START_MIN_M
from jepa_planner_sim.world import World

EVALUATION_SEED_START = 1_000_000
"""Scenes from this seed on are for evaluation and never collected."""
LAYOUT_YAW_RAD = 0.6
"""How far the gripper is turned in layouts, at most."""
STANDARD_SCENE = -1
"""The number of the scene that all episodes show in which nothing varies."""
LOOKS, TAKES = 1, 2
"""Tell the generators of a scene's looks, and of those of an episode's takes, from that of the episode itself."""


LAYOUTS = "layouts"
"""Instead of a behaviour: the arm rests and things are put elsewhere, see `layouts`."""
BEHAVIOURS = (*MIXES, LAYOUTS)

Record = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, str]
"""Images [T+1, V, H, W, 3], states [T+1, 8], actions [T, 7], object poses [T+1, 4] and the first behaviour of one
episode.
"""


@dataclass(frozen=True)
class CollectSettings:
    """What to collect; the same settings and seed give the same files. behaviour names one of BEHAVIOURS.

    takes, take_steps: an episode is filmed so many times, each take on a table that looks different (`sample_look`),
    and cut into episodes of take_steps (0: not cut), each of which looks different again.
    vary: names as `sample_scene` takes them, or VARIED alone, which is `sample_training_scene`. per_scene: so many
    episodes in a row have the same table, light, cameras and things, which stand elsewhere in each. views: cameras, see
    CAMERAS. adapter: a SceneAdapter as MODULE:CLASS, which then says what lies on the table and what is done with it.
    """

    episodes: int = 2000
    steps: int = 40
    seed: int = 0
    image_size_px: int = 64
    vary: frozenset[str] = frozenset()
    per_scene: int = 1
    behaviour: str = "exploration"
    shard_episodes: int = 20
    adapter: str = ""
    views: tuple[str, ...] = tuple(STANDARD_CAMERAS)
    takes: int = 1
    take_steps: int = 0

    def __post_init__(self) -> None:
        cameras_named(self.views)
        if min(self.episodes, self.steps, self.shard_episodes, self.per_scene, self.takes) < 1:
            raise ValueError(
                f"episodes, steps, shard size, episodes per scene and takes must be at least 1, got {self}"
            )
        if self.take_steps < 0 or self.steps % self.cut_steps:
            raise ValueError(
                f"{self.steps} steps cannot be cut into takes of {self.take_steps}: choose a divisor, or 0"
            )
        if self.takes > 1 and (self.vary != {VARIED} or self.per_scene > 1):
            raise ValueError(
                f"{self.takes} takes: tables look different in varied scenes, and then no two episodes share one; "
                "collect varied scenes without sharing, or one take"
            )
        if self.take_steps and self.takes == 1:
            raise ValueError(f"takes of {self.take_steps} steps: one take is not cut; ask for several, or fewer steps")
        if self.behaviour not in BEHAVIOURS:
            raise ValueError(f"unknown behaviour {self.behaviour!r}; known are {', '.join(BEHAVIOURS)}")
        if self.behaviour == LAYOUTS and self.takes == 1:
            raise ValueError("layouts are filmed in several takes, which are compared: ask for two or more")
        if self.adapter and (self.vary or self.behaviour != "exploration"):
            raise ValueError(
                "an adapter draws its own scenes and behaves in its own way: leave out what varies, and how"
            )
        if self.per_scene > 1 and not self.vary:
            raise ValueError(
                f"{self.per_scene} episodes per scene: only scenes that vary can be shared, standard ones are all the "
                "same and an adapter draws its own; leave it out, or say what varies"
            )
        if unseen := sorted(self.vary & set(UNSEEN)):
            raise ValueError(f"{', '.join(unseen)} cannot be collected: it shows what a model does with the unseen")
        if self.vary != {VARIED}:
            check_perturbations(self.vary)
        if not 0 <= self.seed <= EVALUATION_SEED_START - self.episodes:
            raise ValueError(
                f"seeds {self.seed} to {self.seed + self.episodes} must lie in 0 to {EVALUATION_SEED_START}: "
                "those above are for evaluation"
            )

    @property
    def cut_steps(self) -> int:
        """Steps of the episodes that are written."""
        return self.take_steps or self.steps

    @property
    def episodes_each(self) -> int:
        """So many are written of one that is done."""
        return self.takes * self.steps // self.cut_steps

    def scene_of(self, seed: int) -> int:
        """The first seed of the episodes that share a scene with this one; STANDARD_SCENE where nothing varies."""
        if not (self.vary or self.adapter):
            return STANDARD_SCENE
        return seed - (seed - self.seed) % self.per_scene


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
    """Numbers of the scenes of a shard's episodes; each take has a scene of its own."""
    if settings.takes > 1:
        count = len(_seeds_in(settings, index)) * settings.episodes_each
        return np.arange(count) + int(_seeds_in(settings, index)[0]) * settings.episodes_each
    return np.array([settings.scene_of(int(seed)) for seed in _seeds_in(settings, index)])


def _motions_in(settings: CollectSettings, index: int) -> np.ndarray:
    """Numbers of what happens in a shard's episodes: takes of the same motion have the same."""
    cuts = settings.episodes_each // settings.takes
    seeds = _seeds_in(settings, index)
    return (seeds[:, None] * cuts + np.arange(cuts)).repeat(settings.takes)


def _check_kept(path: Path, settings: CollectSettings, index: int) -> None:
    """Raises EpisodeError where a shard that is there is not the one that would be collected."""
    wanted = {
        "seeds": _seeds_in(settings, index).repeat(settings.episodes_each).tolist(),
        "steps": settings.cut_steps,
        "image size": settings.image_size_px,
        "vary": sorted(settings.vary),
        "scenes": _scenes_in(settings, index).tolist(),
        "motions": _motions_in(settings, index).tolist(),
        "behaviour": settings.adapter or settings.behaviour,
    }
    if not settings.adapter:
        wanted["views"] = list(settings.views)
    found = shard_settings(path)
    for name in ("scenes", "motions"):
        if found[name] is None:  # it is older than the choice
            del wanted[name]
    for name, value in wanted.items():
        if found[name] != value:
            raise EpisodeError(f"{path} was collected with {name} {found[name]}, not {value}: choose another folder")


def _collect_shard(path: Path, settings: CollectSettings, index: int) -> int:
    seeds = _seeds_in(settings, index)
    if settings.adapter:
        scene = load_adapter(settings.adapter, image_size_px=settings.image_size_px)
        views, time_step_s = scene.views, scene.time_step_s
    else:
        scene = World(cameras_named(settings.views), settings.image_size_px)
        views, time_step_s = tuple(scene.cameras), ACTION_PERIOD_S
    record = record_scene if settings.adapter else record_takes if settings.takes > 1 else record_episode
    try:
        records = [record(scene, int(seed), settings) for seed in seeds]
    finally:
        scene.close()
    join = np.concatenate if settings.takes > 1 else np.stack
    joined = [join([r[i] for r in records]) for i in range(4)]
    each = settings.episodes_each
    episodes = Episodes(
        *joined, tuple(r[4] for r in records for _ in range(each)), seeds.repeat(each), views, time_step_s,
        _scenes_in(settings, index), _motions_in(settings, index),
    )  # fmt: skip
    write_shard(path, episodes, settings.vary, settings.adapter or settings.behaviour)
    return len(seeds)


def record_scene(scene: SceneAdapter, seed: int, settings: CollectSettings) -> Record:
    """An episode in a scene of your own; see `Record`."""
    rng = np.random.default_rng(seed)
    scene.build(int(rng.integers(2**31)))
    images, states, actions, poses = [scene.pictures()], [scene.state()], [], [scene.object_pose()]
    for _, action in zip(range(settings.steps), scene.explore(rng), strict=False):
        scene.act(action)
        actions.append(action.astype(np.float32))
        images.append(scene.pictures())
        states.append(scene.state())
        poses.append(scene.object_pose())
    return np.stack(images), np.stack(states), np.stack(actions), np.stack(poses), settings.adapter


def record_takes(world: World, seed: int, settings: CollectSettings) -> Record:
    """An episode in the simulated world, filmed as the settings say: see `Record`, its parts with a leading axis of
    cuts * takes.
    """
    takes: list[Takes] = []

    def shoot() -> np.ndarray:
        if not takes:
            takes.append(Takes(world, np.random.default_rng([seed, TAKES]), settings.takes, settings.cut_steps))
        return takes[0].shoot()

    record = record_layouts if settings.behaviour == LAYOUTS else record_episode
    _, states, actions, poses, first = record(world, seed, settings, shoot)
    steps = settings.cut_steps
    repeated = (takes[0].repeated(*part) for part in ((states, steps + 1), (actions, steps), (poses, steps + 1)))
    return takes[0].images(), *repeated, first


def record_episode(
    world: World, seed: int, settings: CollectSettings, shoot: Callable[[], np.ndarray] | None = None
) -> Record:
    """An episode in the simulated world; see `Record`. shoot: takes the pictures of a moment; None: the cameras do."""
    shoot = world.render if shoot is None else shoot
    rng = np.random.default_rng(seed)
    looks = rng if settings.per_scene == 1 else np.random.default_rng([settings.scene_of(seed), LOOKS])
    if settings.vary == {VARIED}:
        scene = sample_training_scene(looks, places=rng)
    else:
        scene = sample_scene(looks, settings.vary, places=rng)
    world.build(scene)
    driver = ArmDriver(world)
    driver.place_tcp(
        rng.uniform(START_MIN_M, REACH_MAX_M), closedness=float(rng.random() < 0.15), yaw_rad=scene.start_yaw_rad
    )
    world.advance(0.1)
    mix = MIXES[settings.behaviour]
    first = mix.draw(rng)
    images, states, actions, poses = [shoot()], [world.state()], [], [_pose(world)]
    running = behave(world, rng, first, mix, action_max(settings.vary))
    for _, action in zip(range(settings.steps), running, strict=False):
        driver.execute(action)
        actions.append(action.astype(np.float32))
        images.append(shoot())
        states.append(world.state())
        poses.append(_pose(world))
    return np.stack(images), np.stack(states), np.stack(actions), np.stack(poses), first


def record_layouts(world: World, seed: int, settings: CollectSettings, shoot: Callable[[], np.ndarray]) -> Record:
    """Layouts of a scene as an episode in which no action is taken; see `Record` and `layouts`."""
    rng = np.random.default_rng(seed)
    world.build(sample_training_scene(rng))
    ArmDriver(world).place_tcp(
        rng.uniform(REACH_MIN_M, REACH_MAX_M), float(rng.random() < 0.3), rng.uniform(-LAYOUT_YAW_RAD, LAYOUT_YAW_RAD)
    )
    images, states, poses = [], [], []
    for _, _ in zip(range(settings.steps + 1), layouts(world, rng), strict=False):
        images.append(shoot())
        states.append(world.state())
        poses.append(_pose(world))
    actions = np.zeros((settings.steps, len(ACTION_MAX)), dtype=np.float32)
    return np.stack(images), np.stack(states), actions, np.stack(poses), LAYOUTS


def _pose(world: World) -> np.ndarray:
    xyz, yaw = world.object_pose()
    return np.array([*xyz, yaw], dtype=np.float32)
