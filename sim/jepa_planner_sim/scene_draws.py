"""Scenes are drawn: the ranges of everything that can vary, by itself or together."""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jepa_planner_sim.scene import (
    OBJECT_REGION_MAX_M,
    OBJECT_REGION_MIN_M,
    STANDARD_COLOUR,
    STANDARD_CUBE_M,
    BackgroundMotion,
    CameraShift,
    Scene,
    TableObject,
)

PERTURBATIONS = ("camera", "light", "colour", "size", "distractors", "table", "shape", "yaw", "start")
"""What `sample_scene` can vary, each by itself or together; none of them in standard scenes."""
UNSEEN = ("unseen_shape", "unseen_colour")
"""For evaluation alone: shapes and a band of colours that are never collected, and that PERTURBATIONS never draw."""
VARIED = "varied"
"""To collect with: scenes from standard to wider than what evaluation draws, see `sample_training_scene`."""
TURNING = frozenset({"shape", "yaw", "start", VARIED})
"""Those for which the gripper must turn; without them its yaw stays 0."""
MOTIONS = ("flicker", "moving_texture")
"""Backgrounds that `sample_scene` can set in motion; they change nothing else of a scene, and "varied" has none."""
APPEARANCE_PERTURBATIONS = ("camera", "light", "colour", "table")
"""Those of PERTURBATIONS that change how a scene is seen and nothing of what happens in it."""
TRAINING_STRENGTH = 1.3
TRAINING_STANDARD_SHARE = 0.25
TRAINING_CUBES = (0.6, 0.2, 0.2)
"""Shares of scenes with one, two and three cubes."""

EDGE_RANGE_M = 0.015
COMPANION_COLOURS = ((0.10, 0.55, 0.20), (0.10, 0.30, 0.80))
"""Of the second and the third cube, where a task has so many."""
SETUP = 2
"""Tells the generator of a setup's appearance from those of scenes."""
APART_M = 0.09
"""Least distance between the centres of two objects when a scene is drawn."""
UNSEEN_HUES = (0.72, 0.86)
"""Purple, as hue of HSV: the band of colours that only "unseen_colour" draws."""
UNSEEN_SHAPES = ("hexagon", "cross")


@dataclass(frozen=True)
class Draws:
    """Generators of a scene: what it looks like, and where its things stand and how they are turned."""

    appearance: np.random.Generator
    places: np.random.Generator


def check_perturbations(names: frozenset[str] | set[str]) -> None:
    """Raises ValueError naming one that is none of PERTURBATIONS, UNSEEN and MOTIONS."""
    known = (*PERTURBATIONS, *UNSEEN, *MOTIONS)
    if unknown := set(names) - set(known):
        raise ValueError(f"unknown perturbation {', '.join(sorted(unknown))}; known are {', '.join(known)}")


def sample_scene(
    rng: np.random.Generator,
    vary: frozenset[str] | set[str] = frozenset(),
    strength: float = 1.0,
    cubes: int = 1,
    places: np.random.Generator | None = None,
) -> Scene:
    """Draw a scene: the cubes' places and yaws always, and what `vary` names (of PERTURBATIONS, UNSEEN and MOTIONS) of
    the first of them.

    `strength` scales the ranges, 1.0 being the documented ones and 0 the standard scene. MOTIONS leave the generator as
    it was: the same seed means the same scene and task without them. places: says where things stand and how they are
    turned, so that the same `rng` and another `places` is the same table with the same things elsewhere; None: `rng`.
    Raises ValueError for an unknown name.
    """
    check_perturbations(vary)
    places = rng if places is None else places
    cube = TableObject(
        xy_m=tuple(places.uniform(OBJECT_REGION_MIN_M, OBJECT_REGION_MAX_M)), yaw_rad=float(places.uniform(-0.25, 0.25))
    )
    scene = Scene(objects=(cube,))
    for colour in COMPANION_COLOURS[: cubes - 1]:
        xy_m = _free_place(places, scene.objects, 0.0)
        if xy_m is not None:
            companion = TableObject(colour=colour, xy_m=xy_m, yaw_rad=float(places.uniform(-0.25, 0.25)))
            scene = replace(scene, objects=(*scene.objects, companion))
    for name in _PERTURB:  # in a fixed order, so that a seed means the same scene
        if name in vary and strength > 0.0:
            scene = _PERTURB[name](scene, Draws(rng, places), strength)
    if set(vary) & set(MOTIONS):
        flicker, texture = (strength * (name in vary) for name in MOTIONS)
        seed = int(rng.spawn(1)[0].integers(2**31))
        scene = replace(scene, motion=BackgroundMotion(flicker, texture, seed))
    return scene


def setup_generator(setup: int) -> np.random.Generator:
    """What draws the appearance of a scene of a setup, anew for each of them: so they have the same table, light,
    cameras and things, and where these stand is drawn by the scene's own generator.
    """
    return np.random.default_rng([setup, SETUP])


def sample_training_scene(rng: np.random.Generator, places: np.random.Generator | None = None) -> Scene:
    """A scene to learn from: a standard one, or one with all PERTURBATIONS at once, up to TRAINING_STRENGTH strong;
    with one cube, or two or three. places: as `sample_scene`.
    """
    strength = _training_strength(rng)
    cubes = int(rng.choice([1, 2, 3], p=TRAINING_CUBES))
    return sample_scene(rng, frozenset(PERTURBATIONS), strength, cubes, places)


def sample_appearance(rng: np.random.Generator, scene: Scene) -> Scene:
    """The same things at the same places on a table that looks different: light, cameras, colours and texture as
    `sample_training_scene` draws them.
    """
    strength = _training_strength(rng)
    colours = [STANDARD_COLOUR, *COMPANION_COLOURS] if strength == 0.0 else [STANDARD_COLOUR]
    colours += [_colour(rng) for _ in scene.objects[len(colours) :]]
    painted = tuple(replace(item, colour=colour) for item, colour in zip(scene.objects, colours, strict=False))
    varied = Scene(objects=painted, start_yaw_rad=scene.start_yaw_rad)
    for name in APPEARANCE_PERTURBATIONS if strength > 0.0 else ():
        varied = _PERTURB[name](varied, Draws(rng, rng), strength)
    return varied


def _training_strength(rng: np.random.Generator) -> float:
    return TRAINING_STRENGTH * math.sqrt(rng.random()) * (rng.random() >= TRAINING_STANDARD_SHARE)


def _perturb_camera(scene: Scene, draws: Draws, strength: float) -> Scene:
    shifts = {}
    for view in ("front", "side"):
        xyz = draws.appearance.uniform(-0.05, 0.05, 3) * strength
        tilt, pan = draws.appearance.uniform(-1, 1, 2) * np.deg2rad(5.0) * strength
        shifts[view] = CameraShift(tuple(xyz), float(tilt), float(pan))
    return replace(scene, camera_shifts=shifts)


def _perturb_light(scene: Scene, draws: Draws, strength: float) -> Scene:
    direction = np.array(scene.light_direction) + draws.appearance.uniform(-0.6, 0.6, 3) * strength
    colour = 1.0 - draws.appearance.uniform(0.0, 0.25, 3) * strength
    ambient = float(np.clip(scene.light_ambient + draws.appearance.uniform(-0.2, 0.2) * strength, 0.2, 0.95))
    return replace(
        scene,
        light_direction=(direction[0], direction[1], max(float(direction[2]), 0.3)),
        light_colour=tuple(colour),
        light_ambient=ambient,
    )


def _perturb_colour(scene: Scene, draws: Draws, strength: float) -> Scene:
    while True:  # half way from red to blue is purple
        colour = np.clip(
            (1 - strength) * np.array(STANDARD_COLOUR) + strength * np.array(_colour(draws.appearance)), 0, 1
        )
        if not _unseen(colour):
            return _with_target(scene, colour=tuple(colour))


def _perturb_size(scene: Scene, draws: Draws, strength: float) -> Scene:
    edge_m = _within(STANDARD_CUBE_M + draws.appearance.uniform(-EDGE_RANGE_M, EDGE_RANGE_M) * strength, strength)
    return _with_target(scene, extents_m=(edge_m,) * 3)


def _perturb_shape(scene: Scene, draws: Draws, strength: float) -> Scene:
    """A cube, a box that is longer than wide, or an upright cylinder."""
    shape = str(draws.appearance.choice(["cube", "box", "cylinder"]))
    stretch, taller = draws.appearance.uniform(0.1, 0.35) * strength, draws.appearance.uniform(-0.3, 0.3) * strength
    edge_m = scene.objects[0].extents_m[0]
    if shape == "cube":
        return scene
    height_m = _within(edge_m * (1 + taller), strength)
    if shape == "cylinder":
        return _with_target(scene, shape=shape, extents_m=(edge_m, edge_m, height_m))
    length_m, width_m = (_within(edge_m * (1 + sign * stretch), strength) for sign in (1, -1))
    return _with_target(scene, extents_m=(length_m, width_m, height_m))


def _within(edge_m: float, strength: float) -> float:
    """3 to 6 cm at strengths up to 1, wider beyond, and never what no gripper could hold."""
    reach_m = EDGE_RANGE_M * max(strength, 1.0)
    low_m, high_m = max(STANDARD_CUBE_M - reach_m, 0.02), min(STANDARD_CUBE_M + reach_m, 0.07)
    return float(np.clip(edge_m, low_m, high_m))


def _perturb_yaw(scene: Scene, draws: Draws, strength: float) -> Scene:
    turn = float(draws.places.uniform(-math.pi / 2, math.pi / 2)) * min(strength, 1.0)
    return _with_target(scene, yaw_rad=scene.objects[0].yaw_rad * (1.0 - min(strength, 1.0)) + turn)


def _perturb_start(scene: Scene, draws: Draws, strength: float) -> Scene:
    return replace(scene, start_yaw_rad=float(draws.places.uniform(-0.5, 0.5)) * strength)


def _unseen_shape(scene: Scene, draws: Draws, strength: float) -> Scene:
    del strength  # a shape is seen or unseen
    return _with_target(scene, shape=str(draws.appearance.choice(UNSEEN_SHAPES)))


def _unseen_colour(scene: Scene, draws: Draws, strength: float) -> Scene:
    del strength
    hue, saturation, value = (draws.appearance.uniform(*band) for band in (UNSEEN_HUES, (0.6, 0.95), (0.5, 0.95)))
    return _with_target(scene, colour=colorsys.hsv_to_rgb(hue, saturation, value))


def _perturb_distractors(scene: Scene, draws: Draws, strength: float) -> Scene:
    for _ in range(int(draws.appearance.integers(0, 1 + round(3 * strength)))):
        xy_m = _free_place(draws.places, scene.objects, 0.04)
        if xy_m is not None:
            shape = str(draws.appearance.choice(["box", "cylinder", "sphere"]))
            extents_m = (float(draws.appearance.uniform(0.03, 0.05)),) * 3
            item = TableObject(
                shape, extents_m, _colour(draws.appearance), xy_m, float(draws.places.uniform(-3.1, 3.1))
            )
            scene = replace(scene, objects=(*scene.objects, item))
    return scene


def _free_place(
    rng: np.random.Generator, objects: tuple[TableObject, ...], margin_m: float
) -> tuple[float, float] | None:
    """Where nothing stands near, in the objects' region and a margin about it; None where no draw found that."""
    for _ in range(50):
        xy_m = rng.uniform(OBJECT_REGION_MIN_M - margin_m, OBJECT_REGION_MAX_M + margin_m)
        if all(np.linalg.norm(xy_m - np.array(item.xy_m)) > APART_M for item in objects):
            return tuple(xy_m)
    return None


def _perturb_table(scene: Scene, draws: Draws, strength: float) -> Scene:
    colour = np.clip(np.array(scene.table_colour) + draws.appearance.uniform(-0.3, 0.3, 3) * strength, 0, 1)
    return replace(scene, table_colour=tuple(colour), table_texture_seed=int(draws.appearance.integers(2**31)))


def _colour(rng: np.random.Generator) -> tuple[float, float, float]:
    """Any colour but those of UNSEEN_HUES; nearly grey ones have no hue to speak of."""
    while True:
        colour = rng.uniform(0.05, 0.95, 3)
        if not _unseen(colour):
            return tuple(colour)


def _unseen(colour: np.ndarray) -> bool:
    hue, saturation, _ = colorsys.rgb_to_hsv(*colour)
    return saturation >= 0.25 and UNSEEN_HUES[0] <= hue <= UNSEEN_HUES[1]


def _with_target(scene: Scene, **changes: Any) -> Scene:
    return replace(scene, objects=(replace(scene.objects[0], **changes), *scene.objects[1:]))


_PERTURB = {
    "camera": _perturb_camera,
    "light": _perturb_light,
    "colour": _perturb_colour,
    "size": _perturb_size,
    "distractors": _perturb_distractors,
    "table": _perturb_table,
    "shape": _perturb_shape,
    "yaw": _perturb_yaw,
    "start": _perturb_start,
    "unseen_shape": _unseen_shape,
    "unseen_colour": _unseen_colour,
}
