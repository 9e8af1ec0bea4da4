"""A goal picture of each view from clicks: on a thing, and on where it should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from torch import Tensor

from jepa_planner.core.camera_calibration import CameraCalibration
from jepa_planner.pointing.composing import moved_thing
from jepa_planner.pointing.segmentation import thing_at, warmest
from jepa_planner.pointing.sight import Sight, nearest_point
from jepa_planner.pointing.similarity import DenseEncoder, DenseFeatures, PointingError, heat_map

Pixel = tuple[float, float]
LOWEST_M, HIGHEST_M = -0.05, 0.40
"""Heights in the base frame between which a thing is looked for along the line of sight of a click."""
NEAR_LINE_SHARE = 0.05
"""Of the picture's width: how far from that line, as seen by another camera, it may be."""


@dataclass(frozen=True)
class Clicks:
    """In one view, in pixels of its picture: a point of the thing, and where that point should be.

    place_px: None where another view and the cameras' calibrations tell; then pick_px is only to be found there.
    """

    pick_px: Pixel
    place_px: Pixel | None = None


@dataclass(frozen=True)
class PointedGoal:
    """What was composed, by view.

    pictures: uint8 RGB [H, W, 3], to be looked at before they are used as any goal picture. masks: bool [H, W], what
    was taken for the thing. place_px: where it was put.
    """

    pictures: dict[str, np.ndarray]
    masks: dict[str, np.ndarray]
    place_px: dict[str, Pixel]


def pointed_goal(
    encoder: DenseEncoder, pictures: Mapping[str, np.ndarray], clicks: Mapping[str, Clicks],
    cameras: Mapping[str, CameraCalibration] | None = None, earlier: Mapping[str, Sequence[np.ndarray]] | None = None,
) -> PointedGoal:  # fmt: skip
    """pictures: of every view, as they are now. clicks: of each view, or, where all views are calibrated, of one.

    cameras: by view. With them a thing grows as it comes nearer. earlier: other pictures of the same cameras, from
    which what is behind the thing is filled in. Raises PointingError where nothing can be made of it.
    """
    cameras = {view: camera for view, camera in (cameras or {}).items() if view in pictures}
    if len(frames := {camera.frame for camera in cameras.values()}) > 1:
        raise PointingError(f"cameras are calibrated in {' and '.join(sorted(frames))}: expected one frame for all")
    features = {view: encoder.features(picture) for view, picture in pictures.items()}
    if strangers := [view for view in clicks if view not in pictures]:
        raise PointingError(f"no view {strangers[0]}; views are {', '.join(pictures)}")
    first = next((view for view, click in clicks.items() if click.place_px is not None), None)
    if first is None:
        raise PointingError("nobody said where it should be: point at a place in at least one view")
    sights = {
        view: Sight(cameras[view], (picture.shape[1], picture.shape[0]))
        for view, picture in pictures.items()
        if view in cameras
    }
    like = features[first].at(clicks[first].pick_px)
    masks = {view: _thing(view, features[view], features[view].at(click.pick_px), click.pick_px)
             for view, click in clicks.items()}  # fmt: skip
    for view in pictures:
        if view not in masks:
            _need_both(view, first, sights)
            masks[view] = _found(view, features[view], like, sights[first], sights[view], clicks[first].pick_px)
    moves = _moves(pictures, masks, clicks, sights, first)
    composed = {
        view: moved_thing(picture, masks[view], moves[view].shift_px, moves[view].scale, (earlier or {}).get(view, ()))
        for view, picture in pictures.items()
    }
    places = {view: _sum(_middle(masks[view]), moves[view].shift_px) for view in pictures}
    for view, (x, y) in places.items():
        height, width = masks[view].shape
        if not (0 <= x < width and 0 <= y < height):
            raise PointingError(f"view {view} would not show the thing there: choose a place that every camera sees")
    return PointedGoal(composed, masks, places)


@dataclass(frozen=True)
class _Move:
    shift_px: Pixel
    scale: float = 1.0


def _moves(
    pictures: Mapping[str, np.ndarray], masks: Mapping[str, np.ndarray], clicks: Mapping[str, Clicks],
    sights: Mapping[str, Sight], first: str,
) -> dict[str, _Move]:  # fmt: skip
    """How the thing moves in each picture: as was clicked, or as the cameras' geometry has it."""
    seen = [view for view in pictures if view in sights]
    shown = {view: _difference(click.place_px, click.pick_px) for view, click in clicks.items() if click.place_px}
    if first not in seen or len(seen) < 2:
        for view in pictures:
            if view not in shown:
                _need_both(view, first, sights)
        return {view: _Move(shift) for view, shift in shown.items()}
    other = next(view for view in seen if view != first)
    here_m = nearest_point(sights[first].ray(_middle(masks[first])), sights[other].ray(_middle(masks[other])))
    there_m = sights[first].ray(_sum(_middle(masks[first]), shown[first])).at_height(float(here_m[2]))
    if there_m is None:
        raise PointingError(f"the place in view {first} is not on the table: point lower in the picture")
    moves = {}
    for view in pictures:
        if view not in sights:
            if view not in shown:
                _need_both(view, first, sights)
            moves[view] = _Move(shown[view])
            continue
        by_geometry = _difference(sights[view].pixel(there_m), sights[view].pixel(here_m))
        scale = sights[view].depth_m(here_m) / sights[view].depth_m(there_m)
        moves[view] = _Move(shown.get(view, by_geometry), scale)
    return moves


def _thing(view: str, features: DenseFeatures, like: Tensor, xy_px: Pixel) -> np.ndarray:
    mask = thing_at(heat_map(features, like), features.picture, (round(xy_px[1]), round(xy_px[0])))
    if not mask.any():
        raise PointingError(
            f"view {view}: nothing that could be grasped at ({xy_px[0]:g}, {xy_px[1]:g}), as nothing small stands out "
            "from its surroundings there: click the middle of a thing, or give a goal picture"
        )
    return mask


def _found(
    view: str, features: DenseFeatures, like: Tensor, clicked_by: Sight, sight: Sight, xy_px: Pixel
) -> np.ndarray:
    """The thing in a view that was not clicked: the most alike along the line of sight of the click."""
    height, width = features.picture.shape[:2]
    ray = clicked_by.ray(xy_px)
    ends = [point for z_m in (LOWEST_M, HIGHEST_M) if (point := ray.at_height(z_m)) is not None]
    heat = heat_map(features, like)
    if len(ends) == 2 and all(sight.depth_m(point) > 0 for point in ends):
        line = np.array([sight.pixel(point) for point in ends]).round().astype(int)
        near = np.zeros((height, width), np.uint8)
        cv2.line(near, line[0].tolist(), line[1].tolist(), 1, max(2, int(2 * NEAR_LINE_SHARE * width)))
        if near.any():
            heat = np.where(near > 0, heat, heat.min())
    mask = thing_at(heat_map(features, like), features.picture, warmest(heat))
    if not mask.any():
        raise PointingError(f"view {view} does not show the thing clearly: click it there, too")
    return mask


def _need_both(view: str, first: str, sights: Mapping[str, Sight]) -> None:
    if missing := [name for name in (first, view) if name not in sights]:
        raise PointingError(
            f"view {view}: neither a click says where the thing and its place are, nor do calibrations of "
            f"{' and '.join(missing)}: click in that view too, or calibrate (`jepa-planner camera calibrate`)"
        )


def _middle(mask: np.ndarray) -> Pixel:
    rows, columns = np.nonzero(mask)
    return float(columns.mean()), float(rows.mean())


def _sum(one: Pixel, other: Pixel) -> Pixel:
    return one[0] + other[0], one[1] + other[1]


def _difference(one: Pixel, other: Pixel) -> Pixel:
    return one[0] - other[0], one[1] - other[1]
