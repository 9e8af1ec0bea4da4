"""Pairs of pictures for a verdict alone: a scene as it is, and the same one with the object so far from there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.verdict import Judge
from jepa_planner_sim.arm_driver import ArmDriver
from jepa_planner_sim.cameras import CAMERAS, STANDARD_CAMERAS, cameras_named
from jepa_planner_sim.collect_settings import EVALUATION_SEED_START
from jepa_planner_sim.expert import GRASP_HEIGHT_M, PUSH_STANDOFF_M, turned_across
from jepa_planner_sim.scene import OBJECT_REGION_MAX_M, OBJECT_REGION_MIN_M
from jepa_planner_sim.scene_draws import TURNING, sample_scene
from jepa_planner_sim.tasks import ASIDE_MAX_M, ASIDE_MIN_M
from jepa_planner_sim.world import World

OFF_M = (0.0, 0.01, 0.02, 0.03, 0.05, 0.10)
"""How far the object lies from where the goal picture shows it."""
DRAWN = 3
"""Further pairs of each stand of the arm, with a distance that is drawn evenly up to the last of OFF_M."""
ARM_CLEARANCE_M = 0.10
"""Of an arm that stands anywhere, from the object beside it."""
OTHERS_M = 0.07
"""Between the object and other things, where there is such a place."""
TRIES = 60
APPROACH_M = 0.008
APPROACHES = 15
LARGEST_YAW_RAD = 0.5


@dataclass(frozen=True)
class Pair:
    """What was said of one pair: how the arm stands in the present picture (one of ARMS), how far the object is off,
    the certainty, whether the object was called to lie as shown, and how far off it was said to be. drawn: by a
    distance that was drawn.
    """

    arm: str
    off_m: float
    certainty: float
    called_done: bool
    said_m: float
    drawn: bool = False


class Stage:
    """One scene after the other in which object and arm are put where they should be."""

    def __init__(self, world: World, vary: frozenset[str]) -> None:
        self.world, self.driver, self._vary = world, ArmDriver(world), vary

    def build(self, seed: int) -> None:
        """Draws the scene of a seed, and all that is put into it from there on."""
        self._rng = np.random.default_rng(seed)
        self.world.build(sample_scene(self._rng, self._vary))

    def draw_off_m(self) -> float:
        """A distance up to the last of OFF_M."""
        return float(self._rng.uniform(0.0, OFF_M[-1]))

    @property
    def object_xy_m(self) -> np.ndarray:
        """Where the object lies, [2]."""
        return self.world.object_pose()[0][:2]

    def arm_anywhere(self) -> None:
        """The hand open, high enough to touch nothing, away from the object."""
        while True:
            point = self._rng.uniform(ASIDE_MIN_M, ASIDE_MAX_M)
            if np.linalg.norm(point[:2] - self.object_xy_m) > ARM_CLEARANCE_M:
                break
        yaw_rad = self._rng.uniform(-LARGEST_YAW_RAD, LARGEST_YAW_RAD) if self._vary & TURNING else 0.0
        self.driver.place_tcp(point, yaw_rad=yaw_rad)

    def arm_after_a_push(self) -> None:
        """The hand closed and low, touching the object from the side that has most room."""
        here, ways = self.object_xy_m, np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        along = max(self._rng.permutation(ways), key=lambda way: self._room_m(here - way * PUSH_STANDOFF_M))
        self.driver.place_tcp(np.array([*(here - along * PUSH_STANDOFF_M), GRASP_HEIGHT_M]), closure=1.0)
        for _ in range(APPROACHES):
            if self.world.fingers_touch():
                break
            self.driver.execute(np.array([*(along * APPROACH_M), 0.0, 0.0, 0.0, 0.0, 0.0]))

    def arm_holding(self) -> None:
        """The hand closed about the object, which stands on the table."""
        (place, yaw_rad), item = self.world.object_pose(), self.world.scene.objects[0]
        self.driver.place_tcp(np.array([*place[:2], ASIDE_MAX_M[2]]))
        turn = turned_across(self.world, yaw_rad, item.grasp_period_rad)
        self.driver.place_tcp(np.array([*place[:2], GRASP_HEIGHT_M]), yaw_rad=turn or 0.0)
        for _ in range(2):
            self.driver.execute(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]))

    def shift_object(self, off_m: float) -> None:
        """Puts the object so far from where it lies, in a random direction, within its region and beside others."""
        (place, yaw_rad), height_m = self.world.object_pose(), self.world.scene.objects[0].extents_m[2]
        angles = self._rng.uniform(0.0, 2 * np.pi, TRIES)
        places = place[:2] + off_m * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        rooms = [self._room_m(xy_m) for xy_m in places]
        fitting = next((n for n, room in enumerate(rooms) if room >= OTHERS_M), int(np.argmax(rooms)))
        self.world.place_object(0, np.array([*places[fitting], height_m / 2]), yaw_rad)

    def _room_m(self, xy_m: np.ndarray) -> float:
        """From other things; below zero outside of the objects' region, by how far."""
        outside_m = np.maximum(OBJECT_REGION_MIN_M - xy_m, xy_m - OBJECT_REGION_MAX_M).max()
        if outside_m > 0.0:
            return -float(outside_m)
        others = range(1, len(self.world.scene.objects))
        return min((float(np.linalg.norm(self.world.object_pose(n)[0][:2] - xy_m)) for n in others), default=np.inf)


ARMS: dict[str, Callable[[Stage], None]] = {
    "anywhere, open": Stage.arm_anywhere,
    "after a push": Stage.arm_after_a_push,
    "holding the object": Stage.arm_holding,
}
"""How the arm stands in the present picture; in the goal picture it stands anywhere, open."""


def show_pairs(
    model: WorldModel, judge: Judge, vary: frozenset[str], pairs: int, seed: int = 0
) -> Iterator[list[Pair]]:
    """Judges pairs in so many unseen scenes, one after another: of each, for each of ARMS, one for each of OFF_M
    and then DRAWN ones.
    """
    contract = model.contract
    names = dict.fromkeys([*STANDARD_CAMERAS, *(name for name in contract.image.views if name in CAMERAS)])
    world = World(cameras_named(tuple(names)), contract.image.height)
    views = contract.pick_views(tuple(names))
    channels = contract.state.columns
    stage, shown_pairs = Stage(world, vary), []
    try:
        for scene in range(pairs):
            shown_pairs = []
            for arm, pose in ARMS.items():
                stage.build(EVALUATION_SEED_START + seed + scene)
                pose(stage)
                present, state = world.render(), torch.from_numpy(world.state()[channels])
                offs_m = [*OFF_M, *(stage.draw_off_m() for _ in range(DRAWN))]
                goals = [_goal(stage, off_m) for off_m in offs_m]
                observed = model.observe(np.stack([present, *goals])[:, views]).to("cpu")
                for number, off_m in enumerate(offs_m):
                    judge.forget()
                    verdict = judge.observe(observed[0].with_state(state), observed[number + 1])
                    drawn = number >= len(OFF_M)
                    shown_pairs.append(Pair(arm, off_m, verdict.certainty, verdict.objects_hold, verdict.off_m, drawn))
            yield shown_pairs
    finally:
        world.close()


def _goal(stage: Stage, off_m: float) -> np.ndarray:
    """A goal picture; object and arm are put back."""
    saved = stage.world.save()
    stage.shift_object(off_m)
    stage.arm_anywhere()
    picture = stage.world.render()
    stage.world.restore(saved)
    stage.driver.reset()
    return picture
