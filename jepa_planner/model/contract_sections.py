"""The sections of a model's contract, as they stand in `model.yaml`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from torch import Tensor

from jepa_planner.core.arm_layout import ACTION_CHANNELS, STATE_CHANNELS
from jepa_planner.model.picture_warp import Warp, check_warp
from jepa_planner.model.preprocess import IMAGENET_MEAN, IMAGENET_STD, preprocess
from jepa_planner.model.sub_goal_head import SubGoalHeadConfig
from jepa_planner.model.verdict_head import VerdictHeadConfig


@dataclass(frozen=True, kw_only=True)
class ImageSpec:
    """Camera images, as the encoder sees them."""

    height: int
    """Rows of pixels."""
    width: int
    """Columns of pixels."""
    views: tuple[str, ...]
    """A name for each camera, in the encoder's order."""
    crop: Literal["centre"] = "centre"
    """Which part of a camera's image is kept: that in its centre."""
    crop_aspect: float | None = None
    """Width over height of the crop, in [0.1, 10]; None stands for that of width and height, anything else is squeezed
    into them.
    """
    mean: tuple[float, float, float] = IMAGENET_MEAN
    """Of red, green and blue, each 0 to 1; it is subtracted."""
    std: tuple[float, float, float] = IMAGENET_STD
    """Of red, green and blue, each in that unit; what is left is divided by it."""
    warps: tuple[Warp, ...] = ()
    """For each view a homography from what the model sees to the crop, where the camera stands elsewhere than the one
    it learned from: see model/picture_warp.py. None at all: pictures are seen as they come.
    """

    def __post_init__(self) -> None:
        if self.warps and len(self.warps) != len(self.views):
            raise ValueError(
                f"warps: {len(self.warps)} given; expected one for each of {', '.join(self.views)}, or none"
            )
        for warp in self.warps:
            check_warp(warp)

    def pixels(self, images: Tensor) -> Tensor:
        """Pictures uint8 RGB [.., views, H, W, 3] as encoder and heads take them, [.., views, 3, height, width]."""
        return preprocess(images, (self.height, self.width), self.mean, self.std, self.crop_aspect, self.warps)

    def of_views(self, numbers: Sequence[int]) -> "ImageSpec":
        """That of some of the views, by number."""
        warps = tuple(self.warps[number] for number in numbers) if self.warps else ()
        return replace(self, views=tuple(self.views[number] for number in numbers), warps=warps)


@dataclass(frozen=True, kw_only=True)
class LatentSpec:
    """Latents: tokens x channels."""

    tokens: int
    """Patches of all views together, or slots."""
    channels: int
    """Numbers in each token."""
    grid: tuple[int, int]
    """(rows, columns) of tokens with the views' rows stacked, or (1, slots)."""


@dataclass(frozen=True, kw_only=True)
class StateSpec:
    """Arm state: poses of the tcp, rotations extrinsic xyz."""

    channels: tuple[str, ...]
    """Their names carry units."""
    frame: str
    """What poses are given in."""
    tcp_frame: str
    """What poses are of."""

    @property
    def columns(self) -> list[int]:
        """Where its channels stand in a full state."""
        return [STATE_CHANNELS.index(channel) for channel in self.channels]


@dataclass(frozen=True, kw_only=True)
class ActionSpec:
    """Action: change of state over one time step."""

    max_abs: tuple[float, ...]
    """Bounds of each channel's magnitude, in its unit, finite and at least 0, which keeps it fixed."""
    time_step_s: float
    """How long an action takes, more than 0."""
    channels: tuple[str, ...] = ACTION_CHANNELS
    """Their names carry units."""


@dataclass(frozen=True, kw_only=True)
class TrainingSpec:
    """Where the weights come from."""

    data: str
    """What they were learned from, in words."""
    command: str
    """What was typed to make them."""
    seeds: tuple[int, ...] = ()
    """Of the random numbers they were trained with."""
    steps: dict[str, int] = field(default_factory=dict)
    """Iterations of training, by stage."""
    source_files: dict[str, str] = field(default_factory=dict)
    """Names of files that were imported, to their sha256."""


@dataclass(frozen=True, kw_only=True)
class OutOfDistributionSpec:
    """Limits beyond which an observation is not what the model knows, positive and finite; see
    model/latent_statistics.py.
    """

    latent_distance: float
    """Distance of the latent from those of the training data."""
    arm_error_m: float
    """Distance between the tcp as the picture shows it and as the joints do."""
    surprise: float
    """Energy between what was imagined and what came."""
    data: str
    """The episodes that the limits were measured on, in words."""

    def __post_init__(self) -> None:
        if not all(0.0 < limit < math.inf for limit in (self.latent_distance, self.arm_error_m, self.surprise)):
            raise ValueError(f"{self}: limits must be positive and finite")


@dataclass(frozen=True, kw_only=True)
class SubGoalSpec:
    """Sub-goals that the model imagines."""

    head: SubGoalHeadConfig
    """Sizes of the head."""
    training: TrainingSpec
    """Where its weights come from."""


@dataclass(frozen=True, kw_only=True)
class VerdictSpec:
    """How the model tells that the work is done."""

    head: VerdictHeadConfig
    """Sizes of the head."""
    training: TrainingSpec
    """Where its weights come from."""
