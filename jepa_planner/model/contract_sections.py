"""The sections of a model's contract, as they stand in `model.yaml`."""

import math
from dataclasses import dataclass, field
from typing import Literal

from jepa_planner.model.preprocess import IMAGENET_MEAN, IMAGENET_STD
from jepa_planner.model.sub_goal_head import SubGoalHeadConfig
from jepa_planner.model.verdict_head import VerdictHeadConfig
from jepa_planner.planning.energy import PIXELS
from jepa_planner.planning.progress import ProgressSettings
from jepa_planner.planning.solvers.cem import CemSettings
from jepa_planner.planning.solvers.gradient import GradientSettings
from jepa_planner.planning.solvers.icem import IcemSettings
from jepa_planner.planning.solvers.mppi import MppiSettings
from jepa_planner.planning.solvers.optimisers import SETTINGS, OptimiserName
from jepa_planner.planning.solvers.seeded_cem import SeededCemSettings
from jepa_planner.planning.solvers.settings import SearchSettings
from jepa_planner.planning.sub_goals import SubGoalSettings
from jepa_planner.planning.verdict import VerdictSettings

POSE = ("x_m", "y_m", "z_m", "roll_rad", "pitch_rad", "yaw_rad")
STATE_LAYOUTS = (
    (*POSE, "closedness_measured"),
    (*POSE, "closedness_commanded", "closedness_measured"),
)
ACTION_CHANNELS = ("dx_m", "dy_m", "dz_m", "droll_rad", "dpitch_rad", "dyaw_rad", "dclosedness")


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


@dataclass(frozen=True, kw_only=True)
class ActionSpec:
    """Action: change of state over time_step_s; max_abs bounds each channel (0 keeps it fixed)."""

    max_abs: tuple[float, ...]
    time_step_s: float
    channels: tuple[str, ...] = ACTION_CHANNELS


@dataclass(frozen=True, kw_only=True)
class EnergySpec:
    """kind names an energy of planning/energy.py; scale is typical of unrelated frames, for display."""

    kind: str
    scale: float

    @property
    def in_pixels(self) -> bool:
        """Whether the bundle has a decoder, and the energy compares the pixels that it draws."""
        return self.kind.startswith(PIXELS)


@dataclass(frozen=True, kw_only=True)
class PlanningSpec:
    """Recommended planning: the search, when a goal image counts as reached, steps allowed per goal image.

    reached_energy holds for every goal image but the last, which may ask for less: final_reached_energy, where given.
    gripper_deadband: planned gripper changes smaller than this become 0. gripper_full_strokes: the others open or close
    the gripper all the way. initial_std: spread of the first
    candidates per action channel; None stands for max_abs. optimiser: which of the searches below is used. deadline_s:
    time for each search; None leaves it alone. progress: when work that nothing advances ends.
    """

    reached_energy: float
    steps_per_sub_goal: int
    gripper_deadband: float = 0.0
    gripper_full_strokes: bool = False
    initial_std: tuple[float, ...] | None = None
    final_reached_energy: float | None = None
    optimiser: OptimiserName = "cem"
    deadline_s: float | None = None
    cem: CemSettings = field(default_factory=CemSettings)
    icem: IcemSettings | None = None
    mppi: MppiSettings | None = None
    gradient: GradientSettings | None = None
    seeded_cem: SeededCemSettings | None = None
    progress: ProgressSettings = field(default_factory=ProgressSettings)

    def __post_init__(self) -> None:
        if self.deadline_s is not None and not 0.0 < self.deadline_s < math.inf:
            raise ValueError(f"deadline_s is {self.deadline_s}; it must be positive, or null for none")

    def search(self, optimiser: str = "") -> SearchSettings:
        """Settings of an optimiser by name, or of the recommended one.

        One without settings here has its own defaults and the horizon of cem. Raises ValueError for an unknown name.
        """
        name = optimiser or self.optimiser
        if name not in SETTINGS:
            raise ValueError(f"optimiser {name!r} is unknown; known are {', '.join(SETTINGS)}")
        return getattr(self, name) or SETTINGS[name](horizon=self.cem.horizon)

    def tolerances(self, goals: int) -> list[float]:
        """The energy at which each of so many goal images counts as reached."""
        last = self.reached_energy if self.final_reached_energy is None else self.final_reached_energy
        return [self.reached_energy] * (goals - 1) + [last]


@dataclass(frozen=True, kw_only=True)
class TrainingSpec:
    """Where the weights come from; source_files maps files that were imported to their sha256."""

    data: str
    command: str
    seeds: tuple[int, ...] = ()
    steps: dict[str, int] = field(default_factory=dict)
    source_files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FamiliaritySpec:
    """Limits beyond which an observation is not what the model knows; see model/familiarity.py.

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
    """Sub-goals that the model imagines: sizes of the head, how they are pursued, where its weights come from."""

    head: SubGoalHeadConfig
    training: TrainingSpec
    pursuit: SubGoalSettings = field(default_factory=SubGoalSettings)


@dataclass(frozen=True, kw_only=True)
class VerdictSpec:
    """How the model tells that the work is done: sizes of the head, the rule, where its weights come from."""

    head: VerdictHeadConfig
    training: TrainingSpec
    rule: VerdictSettings = field(default_factory=VerdictSettings)
