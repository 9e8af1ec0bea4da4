"""The sections of a model's contract, as they stand in `model.yaml`."""

import math
from dataclasses import dataclass, field
from typing import Literal

from jepa_planner.core.arm_layout import ACTION_CHANNELS, STATE_CHANNELS
from jepa_planner.model.preprocess import IMAGENET_MEAN, IMAGENET_STD
from jepa_planner.model.sub_goal_head import SubGoalHeadConfig
from jepa_planner.model.verdict_head import VerdictHeadConfig


@dataclass(frozen=True, kw_only=True)
class ImageSpec:
    """Camera images: size in pixels that the encoder sees, one name per view, RGB normalisation.

    crop_aspect: width over height of the centre crop; None stands for that of width and height, anything else is
    squeezed into them.
    """

    height: int
    width: int
    views: tuple[str, ...]
    crop: Literal["centre"] = "centre"
    crop_aspect: float | None = None
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD


@dataclass(frozen=True, kw_only=True)
class LatentSpec:
    """Latents: tokens x channels; grid is (rows, columns) with the views' rows stacked, or (1, slots)."""

    tokens: int
    channels: int
    grid: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class StateSpec:
    """Arm state: channel names carry units; poses of tcp_frame in frame, rotations extrinsic xyz."""

    channels: tuple[str, ...]
    frame: str
    tcp_frame: str

    @property
    def columns(self) -> list[int]:
        """Where its channels stand in a full state."""
        return [STATE_CHANNELS.index(channel) for channel in self.channels]


@dataclass(frozen=True, kw_only=True)
class ActionSpec:
    """Action: change of state over time_step_s; max_abs bounds each channel (0 keeps it fixed)."""

    max_abs: tuple[float, ...]
    time_step_s: float
    channels: tuple[str, ...] = ACTION_CHANNELS


@dataclass(frozen=True, kw_only=True)
class TrainingSpec:
    """Where the weights come from; source_files maps files that were imported to their sha256."""

    data: str
    command: str
    seeds: tuple[int, ...] = ()
    steps: dict[str, int] = field(default_factory=dict)
    source_files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OutOfDistributionSpec:
    """Limits beyond which an observation is not what the model knows; see model/latent_statistics.py.

    latent_distance: of the latent from training data. arm_error_m: between the tcp as the picture shows it and as the
    joints do. surprise: energy between what was imagined and what came.
    """

    latent_distance: float
    arm_error_m: float
    surprise: float
    data: str

    def __post_init__(self) -> None:
        if not all(0.0 < limit < math.inf for limit in (self.latent_distance, self.arm_error_m, self.surprise)):
            raise ValueError(f"{self}: limits must be positive and finite")


@dataclass(frozen=True, kw_only=True)
class SubGoalSpec:
    """Sub-goals that the model imagines: sizes of the head, where its weights come from."""

    head: SubGoalHeadConfig
    training: TrainingSpec


@dataclass(frozen=True, kw_only=True)
class VerdictSpec:
    """How the model tells that the work is done: sizes of the head, where its weights come from."""

    head: VerdictHeadConfig
    training: TrainingSpec
