"""The planner, given goal pictures that were composed of clicks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from jepa_planner.core.camera_calibration import CameraCalibration
from jepa_planner.learning.evaluation.policies import WorldModelPolicy
from jepa_planner.pointing.pointed_goal import Clicks, pointed_goal
from jepa_planner.pointing.sight import Sight
from jepa_planner.pointing.similarity import DenseEncoder, PointingError
from jepa_planner_sim.cameras import optical_pose
from jepa_planner_sim.world import BASE_FRAME, World
from studies.pointing.found_masks import middle

PICTURE_PX = 128
"""Side of the pictures that are pointed at."""


@dataclass
class PointedPolicy:
    """Points at the thing and at where the goal pictures would show it; what these show besides is not used.

    clicked: views that are clicked; the others follow from the cameras' geometry, if `calibrated`. noise_px: standard
    deviation of clicks, of pictures of PICTURE_PX. refused grows by what pointing answered where it could do nothing.
    """

    policy: WorldModelPolicy
    encoder: DenseEncoder
    clicked: Sequence[str]
    calibrated: bool
    noise_px: float = 0.5
    refused: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.policy, name)

    def start(self, env: Any, goals: Sequence[np.ndarray], seed: int) -> None:
        """See `Policy`."""
        world: World = env.world
        rng = np.random.default_rng(seed)
        here_m = world.object_pose()[0]
        there_m = np.array([*env.goal_m[:2], here_m[2]])
        pictures = dict(zip(world.cameras, world.render(PICTURE_PX), strict=True))
        cameras = {view: calibration(world, view, PICTURE_PX) for view in world.cameras}
        clicks = {}
        for view in self.clicked:
            shown = world.shown_bodies(view, PICTURE_PX)[0][0]
            sight = Sight(cameras[view], (PICTURE_PX, PICTURE_PX))
            middle_px, end_px = np.array(sight.pixel(here_m)), np.array(sight.pixel(there_m))
            pick_px = middle(shown)[::-1] if shown.any() else middle_px  # who points does so at what can be seen
            pixels = [
                np.clip(np.round(pixel + rng.normal(0, self.noise_px, 2)), 0, PICTURE_PX - 1)
                for pixel in (pick_px, end_px + pick_px - middle_px)
            ]
            clicks[view] = Clicks(*(tuple(pixel.tolist()) for pixel in pixels))
        try:
            goal = pointed_goal(self.encoder, pictures, clicks, cameras if self.calibrated else {})
            images = [goal.pictures[view] for view in world.cameras]
        except PointingError as error:
            self.refused.append(str(error))
            images = list(pictures.values())  # nothing is to be done, which is no success
        size = (world.image_size_px, world.image_size_px)
        small = np.stack([cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in images])
        self.policy.start(env, [small], seed)


def calibration(world: World, view: str, size_px: int) -> CameraCalibration:
    """The simulator's camera as a calibration would find it."""
    place_m, rotation = optical_pose(world.view_matrix(view))
    matrix = world.cameras[view].intrinsics(size_px)
    return CameraCalibration(
        view=view, frame=BASE_FRAME, width_px=size_px, height_px=size_px,
        camera_matrix=tuple(map(tuple, matrix.tolist())), xyz_m=tuple(place_m.tolist()),
        quaternion_xyzw=tuple(Rotation.from_matrix(rotation).as_quat().tolist()),
    )  # fmt: skip
