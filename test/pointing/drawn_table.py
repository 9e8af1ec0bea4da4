"""A table with things on it, drawn as two calibrated cameras see it, and an encoder that was never trained."""

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from jepa_planner.core.camera_calibration import CameraCalibration
from jepa_planner.model.encoder import EncoderConfig, VideoEncoder
from jepa_planner.pointing.sight import Sight

SIZE = (160, 120)
"""Width and height of the pictures."""
CUBE_M = 0.05
RED, GREEN = (200, 30, 30), (30, 160, 40)


def encoder(**changes: object) -> VideoEncoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = {"image_size": (64, 64), "width": 24, "depth": 2, "heads": 2, "mlp_hidden": 48, "patch_size": 8}
        return VideoEncoder(EncoderConfig(**sizes | {"tubelet_size": 1} | changes)).eval()


def camera(view: str, eye_m: tuple[float, float, float], target_m=(0.5, 0.0, 0.0)) -> CameraCalibration:
    forward = np.array(target_m) - eye_m
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward], axis=1)
    return CameraCalibration(
        view=view, frame="base", width_px=SIZE[0], height_px=SIZE[1], xyz_m=eye_m,
        camera_matrix=((220.0, 0.0, 80.0), (0.0, 220.0, 60.0), (0.0, 0.0, 1.0)),
        quaternion_xyzw=tuple(Rotation.from_matrix(rotation).as_quat().tolist()),
    )  # fmt: skip


CAMERAS = {"front": camera("front", (1.2, 0.0, 0.6)), "side": camera("side", (0.5, -0.8, 0.6))}


def drawn(view: str, things: dict[tuple[float, float], tuple[int, int, int]], table=(180, 170, 150)) -> np.ndarray:
    """Cubes, by their places on the table, as squares of their size at their distance; the table grows darker."""
    shade = np.linspace(1.0, 0.85, SIZE[1])[:, None, None]
    picture = np.broadcast_to(shade * np.array(table), (SIZE[1], SIZE[0], 3)).astype(np.uint8).copy()
    for mask, colour in zip(masks(view, things), things.values(), strict=True):
        picture[mask] = colour
    return picture


def masks(view: str, things) -> list[np.ndarray]:
    sight, found = Sight(CAMERAS[view], SIZE), []
    for x_m, y_m in things:
        centre = np.array([x_m, y_m, CUBE_M / 2])
        column, row = sight.pixel(centre)
        half = 220.0 * CUBE_M / 2 / sight.depth_m(centre)
        rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
        found.append((abs(rows - row) <= half) & (abs(columns - column) <= half))
    return found


def seen(view: str, x_m: float, y_m: float) -> tuple[float, float]:
    return Sight(CAMERAS[view], SIZE).pixel(np.array([x_m, y_m, CUBE_M / 2]))


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / (one | other).sum()
