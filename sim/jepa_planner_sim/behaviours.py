"""What the arm does while training data is collected: scripts with errors and noise, pushes, and plain wandering."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from jepa_planner.core.arm_layout import GRIPPER, XYZ, YAW
from jepa_planner_sim import expert
from jepa_planner_sim.expert import ScriptedExpert, Waypoint
from jepa_planner_sim.scene import OBJECT_REGION_MAX_M, OBJECT_REGION_MIN_M
from jepa_planner_sim.tasks import ASIDE_MAX_M, ASIDE_MIN_M, REACH_MAX_M, REACH_MIN_M, push_fits
from jepa_planner_sim.world import World

V = TypeVar("V")


@dataclass(frozen=True)
class Mix:
    """How episodes are made: with which behaviours, and what goes wrong in them; shares and chances are in [0, 1]."""

    shares: tuple[tuple[str, float], ...]
    """Of the episodes that begin with each behaviour, together 1; when one is over, another is drawn by the same
    shares.
    """
    error_share: float
    """Scripts that grasp beside the object."""
    noise_levels_m: tuple[float, ...]
    """One is drawn per episode and added to every scripted action; its spread, at least 0."""
    burst_chance: float
    """Of some random actions in a row, at each scripted step."""
    corrected_share: float = 0.0
    """Scripts that come down beside where they should, and mend that."""
    careful: bool = False
    """What lost the object is begun again, pushes that missed are mended, and what leaves the arm no room behind it is
    placed, not pushed.
    """
    other_share: float = 0.0
    """Scripts that handle another object than the first, where there is one that can be grasped."""
    stack_share: float = 0.0
    """Objects that are put onto the second one, where there is one that can bear it."""
    feint_share: float = 0.0
    """Scripts that grasp, carry and let go where nothing lies."""
    near_share: float = 0.0
    """Objects that are put down at most NEAR_M from where they lie."""
    beyond_m: float = 0.0
    """Objects are put down up to so far beyond where scenes have them; at least 0."""
    out_of_reach: bool = False
    """One object lies where the arm may not go, or nowhere."""

    def draw(self, rng: np.random.Generator) -> str:
        """A behaviour by its share."""
        names, shares = zip(*self.shares, strict=True)
        return str(rng.choice(names, p=shares))


MIXES = {
    "exploration": Mix(
        shares=(("place", 0.46), ("push", 0.20), ("grasp", 0.12), ("reach", 0.10), ("random", 0.12)),
        error_share=0.35, noise_levels_m=(0.0, 0.006, 0.015), burst_chance=0.03, other_share=0.4,
        stack_share=0.3,
    ),
    "feints": Mix(
        shares=(("place", 0.46), ("push", 0.20), ("grasp", 0.12), ("reach", 0.10), ("random", 0.12)),
        error_share=0.35, noise_levels_m=(0.0, 0.006, 0.015), burst_chance=0.03, other_share=0.4,
        stack_share=0.3, feint_share=0.6,
    ),
    "demonstration": Mix(
        shares=(("place", 0.47), ("push", 0.38), ("grasp", 0.08), ("reach", 0.07)),
        error_share=0.15, noise_levels_m=(0.0, 0.003), burst_chance=0.0, corrected_share=0.3, careful=True,
        other_share=0.4, stack_share=0.3,
    ),
    "adjustments": Mix(
        shares=(("place", 0.52), ("push", 0.33), ("grasp", 0.08), ("reach", 0.07)),
        error_share=0.15, noise_levels_m=(0.0, 0.003), burst_chance=0.0, corrected_share=0.3, careful=True,
        other_share=0.4, stack_share=0.1, near_share=0.5,
    ),
    "placement": Mix(
        shares=(("place", 0.80), ("grasp", 0.12), ("reach", 0.08)),
        error_share=0.15, noise_levels_m=(0.0, 0.003), burst_chance=0.0, corrected_share=0.3, careful=True,
        other_share=0.4, stack_share=0.1, near_share=0.35, beyond_m=0.03,
    ),
    "out_of_reach": Mix(
        shares=(("reach", 0.6), ("random", 0.4)), error_share=0.0, noise_levels_m=(0.0, 0.003), burst_chance=0.0,
        out_of_reach=True,
    ),
}  # fmt: skip
"""exploration: what actions do, mistakes included; feints: the same, but where the arm is does not tell where objects
are; demonstration: how things are done, nearly clean; adjustments: the same, but objects often go only a little way;
placement: as adjustments, but whatever moves is taken, and nothing is pushed; out_of_reach: what no arm can do.
"""
GRASP_ERROR_M = 0.015
NEAR_M = 0.07
"""Farthest that objects go which are put down near to where they lay."""
EMPTY_M = 0.07
"""Nothing lies nearer to where a feint grasps."""
BESIDE_M = 0.02
"""Spread of where the tcp comes down in scripts that mend it."""
BESIDE_HEIGHT_M = 0.05
MISSED_M = 0.02
"""A push that ends further than this from where it should is mended by careful arms."""
YAW_NOISE_RAD_PER_M = 4.0
"""Scripted turns are as much noisier than scripted steps, where the gripper turns at all."""
REACH_YAW_RAD = 0.9
PUSH_DRAWS = PLACE_DRAWS = 30


def behave(
    world: World, rng: np.random.Generator, first: str, mix: Mix, action_max: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield actions [7] within `action_max` without end; the caller executes each before it asks for the next."""
    turns = bool(action_max[YAW] > 0.0)
    noise_m = float(rng.choice(mix.noise_levels_m))
    name, mend = first, None
    while True:
        if name == "random":
            yield from _wander(rng, action_max)
        else:
            index, goal = (_object(world, rng, mix), None) if mend is None else (mend.index, mend.goal_xy_m)
            waypoints, goal = _script(name, world, rng, mix, index, turns, goal)
            runner, mend = ScriptedExpert(waypoints), None
            while not runner.done:
                if rng.random() < mix.burst_chance:
                    for _ in range(int(rng.integers(1, 4))):
                        yield random_action(rng, action_max, gripper_chance=0.2)
                action = runner.act(world)
                action[XYZ] += rng.normal(0.0, noise_m, 3) if noise_m else 0.0
                if turns and noise_m:
                    action[YAW] += rng.normal(0.0, YAW_NOISE_RAD_PER_M * noise_m)
                yield np.clip(action, -action_max, action_max)
                runner.update(world)
                mend = _to_mend(world, name, runner.reached, index, goal) if mix.careful else None
                if mend is not None:
                    break
        name = mix.draw(rng) if mend is None else mend.behaviour


@dataclass(frozen=True)
class Mend:
    """What is done next because something went wrong: with which object, and where to (None: as drawn)."""

    behaviour: str
    index: int
    goal_xy_m: np.ndarray | None


def _to_mend(world: World, name: str, reached: str, index: int, goal_xy_m: np.ndarray | None) -> Mend | None:
    """An object that slipped from the gripper is taken again, one that was pushed past its place is brought there."""
    if reached == "lifted" and not world.fingers_touch(index):
        return Mend(name, index, None)
    if reached == "pushed" and goal_xy_m is not None:
        object_xy_m = world.object_pose(index)[0][:2]
        if np.linalg.norm(object_xy_m - goal_xy_m) > MISSED_M:
            return Mend("push" if push_fits(object_xy_m, goal_xy_m) else "place", index, goal_xy_m)
    return None


def random_action(rng: np.random.Generator, action_max: np.ndarray, gripper_chance: float = 0.1) -> np.ndarray:
    """An action [7] drawn evenly within bounds; the gripper changes rarely, and then by any amount."""
    action = rng.uniform(-action_max, action_max)
    if rng.random() >= gripper_chance:
        action[GRIPPER] = 0.0
    return action


def _wander(rng: np.random.Generator, action_max: np.ndarray) -> Iterator[np.ndarray]:
    """Some steps of a random walk with memory."""
    velocity = random_action(rng, action_max)
    for _ in range(int(rng.integers(8, 20))):
        velocity = 0.6 * velocity + 0.6 * random_action(rng, action_max)
        velocity[GRIPPER] = rng.choice([-1.0, 1.0, rng.uniform(-1, 1)]) if rng.random() < 0.12 else 0.0
        yield np.clip(velocity, -action_max, action_max)


def _object(world: World, rng: np.random.Generator, mix: Mix) -> int:
    """Number of the object that a script handles: the first, or now and then another that does not roll away."""
    others = [i for i, item in enumerate(world.scene.objects) if i > 0 and item.shape != "sphere"]
    return int(rng.choice(others)) if others and rng.random() < mix.other_share else 0


def _stacks(world: World, rng: np.random.Generator, mix: Mix, index: int) -> bool:
    """Whether the first object goes onto the second instead of onto the table: sometimes, where that can bear it."""
    on = world.scene.objects[1:2]
    return bool(on) and index == 0 and on[0].shape == "box" and rng.random() < mix.stack_share


def _script(
    name: str, world: World, rng: np.random.Generator, mix: Mix, index: int, turns: bool, goal: np.ndarray | None
) -> tuple[list[Waypoint], np.ndarray | None]:
    """What a behaviour does, and where it pushes the object to, if it does; goal: where to, if that is given."""
    object_xy = world.object_pose(index)[0][:2]
    low, high = OBJECT_REGION_MIN_M - mix.beyond_m, OBJECT_REGION_MAX_M + mix.beyond_m
    drawn = rng.uniform(low, high)
    if mix.near_share and rng.random() < mix.near_share:
        away, angle = rng.uniform(0.0, NEAR_M), rng.uniform(-np.pi, np.pi)
        drawn = np.clip(object_xy + away * np.array([np.cos(angle), np.sin(angle)]), low, high)
    target = drawn if goal is None else goal
    error = rng.normal(0.0, GRASP_ERROR_M, 3) * [1, 1, 0.5] if rng.random() < mix.error_share else None
    if mix.feint_share and name in ("place", "grasp") and rng.random() < mix.feint_share:
        error = np.array([*(_empty_place(world, rng) - object_xy), 0.0])
    lift_m = float(rng.uniform(0.08, 0.20))
    aside = rng.uniform(ASIDE_MIN_M, ASIDE_MAX_M)
    if name == "push":
        to = _push_goal(object_xy, rng, mix.careful) if goal is None else goal
        if to is not None:
            script = expert.push_script(to, aside if rng.random() < 0.6 else None, index)
            return _beside_first(script, rng, mix), to
    if name in ("place", "push") and goal is None and _stacks(world, rng, mix, index):
        script = expert.stack_script(aside if rng.random() < 0.6 else None, lift_m + 0.03)
        return _beside_first(script, rng, mix), None
    if name in ("place", "push"):
        script = expert.place_script(target, lift_m, aside if rng.random() < 0.6 else None, error, index)
        return _beside_first(script, rng, mix), None
    if name == "grasp":
        script = _beside_first(expert.grasp_script(lift_m, error, index), rng, mix)
        hover = np.array([*rng.uniform(OBJECT_REGION_MIN_M, OBJECT_REGION_MAX_M), rng.uniform(0.05, 0.2)])
        return ([*script, Waypoint(lambda _: hover, expert.CLOSED)] if rng.random() < 0.5 else script), None
    if name == "reach":
        near = np.array([*(object_xy + rng.normal(0, 0.05, 2)), rng.uniform(0.03, 0.12)])
        points = [near if rng.random() < 0.4 else rng.uniform(REACH_MIN_M, REACH_MAX_M) for _ in range(3)]
        gripper = float(rng.choice([expert.OPEN, expert.CLOSED]))
        yaws = rng.uniform(-REACH_YAW_RAD, REACH_YAW_RAD, 3) if turns else (None,) * 3
        script = [
            Waypoint(_always(p), gripper, tolerance_m=0.02, patience=8, yaw_rad=_always(y))
            for p, y in zip(points, yaws, strict=True)
        ]
        return script, None
    raise ValueError(f"unknown behaviour {name!r}; known are place, push, grasp, reach, random")


def _always(value: V) -> Callable[[object], V]:
    return lambda _: value


def _empty_place(world: World, rng: np.random.Generator) -> np.ndarray:
    """Where nothing lies [2], or as nearly so as PLACE_DRAWS draws find."""
    lie = np.array([world.object_pose(index)[0][:2] for index in range(len(world.scene.objects))])
    drawn = rng.uniform(OBJECT_REGION_MIN_M, OBJECT_REGION_MAX_M, (PLACE_DRAWS, 2))
    nearest_m = np.linalg.norm(drawn[:, None] - lie, axis=-1).min(axis=1)
    return drawn[np.argmax(np.minimum(nearest_m, EMPTY_M))]


def _push_goal(object_xy: np.ndarray, rng: np.random.Generator, careful: bool) -> np.ndarray | None:
    """Where to push the object, nearly along x or y; a careful search for room behind it may find none: None."""
    for _ in range(PUSH_DRAWS if careful else 1):
        axis = int(rng.integers(2))
        gap = np.zeros(2)
        gap[axis] = rng.choice([-1.0, 1.0]) * rng.uniform(0.05, 0.18)
        gap[1 - axis] = gap[axis] * rng.uniform(-0.35, 0.35)
        goal = np.clip(object_xy + gap, OBJECT_REGION_MIN_M, OBJECT_REGION_MAX_M)
        far = np.linalg.norm(goal - object_xy) >= 0.03
        if far and (not careful or push_fits(object_xy, goal)):
            return goal
    return None if careful else np.array([0.5, 0.0])


def _beside_first(script: list[Waypoint], rng: np.random.Generator, mix: Mix) -> list[Waypoint]:
    """Some scripts go low beside the place of their second stage before they go there."""
    if mix.corrected_share == 0.0 or rng.random() >= mix.corrected_share:
        return script
    there = script[1]
    offset = np.array([*rng.normal(0.0, BESIDE_M, 2), rng.uniform(0.0, BESIDE_HEIGHT_M)])
    beside = replace(
        there, target_m=lambda world: there.target_m(world) + offset, name="", tolerance_m=0.015, patience=4
    )
    return [script[0], beside, *script[1:]]
