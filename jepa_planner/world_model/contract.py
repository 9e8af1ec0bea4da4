"""What a world model takes and gives: sizes, meanings, units and limits, checked before computing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from jepa_planner.planning.cem import CemSettings
from jepa_planner.planning.energy import PIXELS
from jepa_planner.planning.gradient import GradientSettings
from jepa_planner.planning.icem import IcemSettings
from jepa_planner.planning.mppi import MppiSettings
from jepa_planner.planning.optimisers import SETTINGS, OptimiserName
from jepa_planner.planning.seeded_cem import SeededCemSettings
from jepa_planner.planning.settings import SearchSettings
from jepa_planner.planning.sub_goals import ImagineMode, SubGoalSettings, imagines
from jepa_planner.world_model.encoder import EncoderConfig
from jepa_planner.world_model.predictor import PredictorConfig
from jepa_planner.world_model.preprocess import IMAGENET_MEAN, IMAGENET_STD
from jepa_planner.world_model.strict_fields import FieldError
from jepa_planner.world_model.sub_goal_head import SubGoalHeadConfig

POSE = ("x_m", "y_m", "z_m", "roll_rad", "pitch_rad", "yaw_rad")
STATE_LAYOUTS = (
    (*POSE, "closedness_measured"),
    (*POSE, "closedness_commanded", "closedness_measured"),
)
ACTION_CHANNELS = ("dx_m", "dy_m", "dz_m", "droll_rad", "dpitch_rad", "dyaw_rad", "dclosedness")
FORMAT = 1


class ContractError(ValueError):
    """An input does not fit the model's contract; the message names the field."""


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
    gripper_deadband: planned gripper changes smaller than this become 0. initial_std: spread of the first
    candidates per action channel; None stands for max_abs. optimiser: which of the searches below is used. deadline_s:
    time for each search; None leaves it alone.
    """

    reached_energy: float
    steps_per_sub_goal: int
    gripper_deadband: float = 0.0
    initial_std: tuple[float, ...] | None = None
    final_reached_energy: float | None = None
    optimiser: OptimiserName = "cem"
    deadline_s: float | None = None
    cem: CemSettings = field(default_factory=CemSettings)
    icem: IcemSettings | None = None
    mppi: MppiSettings | None = None
    gradient: GradientSettings | None = None
    seeded_cem: SeededCemSettings | None = None

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
    """Limits beyond which an observation is not what the model knows; see world_model/familiarity.py.

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
class Contract:
    """Everything that stands in `model.yaml`; `files` maps file names to their sha256.

    predictor None: the bundle is an encoder alone, and what stands about states, actions and planning is meant for the
    predictor to come. sub_goals None: the model imagines none. notes: what is uncertain about the model, and what to
    try. Construction raises FieldError where a value is impossible or two sections contradict each other.
    """

    name: str
    version: str
    licence: str
    image: ImageSpec
    latent: LatentSpec
    state: StateSpec
    action: ActionSpec
    energy: EnergySpec
    planning: PlanningSpec
    training: TrainingSpec
    encoder: EncoderConfig
    predictor: PredictorConfig | None
    familiarity: FamiliaritySpec | None = None
    sub_goals: SubGoalSpec | None = None
    context_frames: int = 1
    format: int = FORMAT
    notes: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        encoder, predictor, latent, action = self.encoder, self.predictor, self.latent, self.action
        initial_std, crop_aspect = self.planning.initial_std or action.max_abs, self.image.crop_aspect
        for name, given, expected in (
            ("format", self.format, FORMAT),
            ("image.height and image.width", (self.image.height, self.image.width), encoder.image_size),
            ("image.views", len(self.image.views), encoder.views),
            ("latent.tokens", latent.tokens, encoder.latent_tokens),
            ("latent.channels", latent.channels, encoder.latent_channels),
            ("latent.grid", latent.grid, encoder.latent_grid),
            ("action.max_abs", len(action.max_abs), len(action.channels)),
            ("planning.initial_std", len(initial_std), len(action.channels)),
        ):
            _check_equal(name, given, expected)
        for name, holds, must in (
            ("state.channels", self.state.channels in STATE_LAYOUTS, f"be one of {STATE_LAYOUTS}"),
            ("action.channels", action.channels == ACTION_CHANNELS, f"be {ACTION_CHANNELS}"),
            ("action.max_abs", all(0.0 <= x < math.inf for x in action.max_abs), "be finite and >= 0"),
            ("action.time_step_s", 0.0 < action.time_step_s < math.inf, "be positive"),
            ("image.crop_aspect", crop_aspect is None or 0.1 <= crop_aspect <= 10.0, "lie in 0.1 to 10"),
            ("context_frames", self.context_frames >= 1, "be at least 1"),
        ):
            if not holds:
                raise FieldError(f"{name}: must {must}")
        if predictor is not None:
            self._check_predictor(predictor)
        if self.sub_goals is not None:
            self._check_sub_goals(self.sub_goals.head)

    def _check_predictor(self, predictor: PredictorConfig) -> None:
        for name, given, expected in (
            ("predictor.latent_channels", predictor.latent_channels, self.encoder.latent_channels),
            ("predictor.grid", predictor.grid, self.encoder.latent_grid),
            ("predictor.state_dim", predictor.state_dim, len(self.state.channels)),
            ("predictor.action_dim", predictor.action_dim, len(self.action.channels)),
        ):
            _check_equal(name, given, expected)
        steps = self.context_frames - 1 + self.planning.search().horizon
        if steps > predictor.max_steps:
            raise FieldError(f"predictor.max_steps: must be at least {steps}")

    def _check_sub_goals(self, head: SubGoalHeadConfig) -> None:
        for name, given, expected in (
            ("sub_goals.head.latent_tokens", head.latent_tokens, self.latent.tokens),
            ("sub_goals.head.latent_channels", head.latent_channels, self.latent.channels),
            ("sub_goals.head.state_dim", head.state_dim, len(self.state.channels)),
        ):
            _check_equal(name, given, expected)

    def imagines(self, mode: ImagineMode, goals: int) -> bool:
        """Whether sub-goals are imagined on the way to so many goal images; raises ValueError where they cannot be."""
        return imagines(mode, None if self.sub_goals is None else self.sub_goals.pursuit, goals)

    def steps_per_goal_image(self, mode: ImagineMode, goals: int, max_steps: int = 0) -> int:
        """Actions recommended for each of so many goal images; max_steps bounds them all, 0 does not."""
        if self.imagines(mode, goals):
            return self.sub_goals.pursuit.steps_per_goal_image(goals, max_steps)
        return self.planning.steps_per_sub_goal

    def check_images(self, shape: Sequence[int]) -> None:
        """Raises ContractError unless images of this shape are [B, views, H, W, 3] and large enough."""
        views, image = len(self.image.views), self.image
        if len(shape) != 5 or shape[-1] != 3:
            raise ContractError(f"image: shape {list(shape)} given; expected RGB [B, views, height, width, 3]")
        if shape[1] != views:
            names = ", ".join(image.views)
            raise ContractError(f"image.views: {shape[1]} given; this model needs {views}, in order: {names}")
        if shape[2] < image.height or shape[3] < image.width:
            given, needed = f"{shape[2]} x {shape[3]}", f"{image.height} x {image.width}"
            raise ContractError(
                f"image.height and image.width: {given} pixels given; this model needs at least {needed}: "
                "set a larger camera resolution"
            )

    def of_views(self, views: Sequence[str]) -> "Contract":
        """The contract of the same model when only these of its views are there, in the contract's order.

        No views stand for all. Raises ContractError where the model does not have them or has not learned to do without
        the others.
        """
        names = self.image.views
        if unknown := [view for view in views if view not in names]:
            raise ContractError(f"image.views: {unknown[0]!r} given; this model has {', '.join(names)}")
        kept = tuple(name for name in names if name in views or not views)
        if kept == names:
            return self
        if not self.encoder.any_view:
            raise ContractError(f"image.views: {', '.join(kept)} given; this model needs all of {', '.join(names)}")
        return replace(self, image=replace(self.image, views=kept), encoder=replace(self.encoder, views=len(kept)))

    def pick_views(self, cameras: Sequence[str]) -> list[int]:
        """Where this model's views stand among cameras; raises ContractError naming one that is not there."""
        for view in self.image.views:
            if view not in cameras:
                raise ContractError(f"image.views: {view!r} is needed; the cameras given are {', '.join(cameras)}")
        return [list(cameras).index(view) for view in self.image.views]

    def check_latent(self, shape: Sequence[int], name: str = "latent") -> None:
        """Raises ContractError unless the last two dimensions are tokens and channels of this model."""
        expected = (self.latent.tokens, self.latent.channels)
        if tuple(shape[-2:]) != expected:
            raise ContractError(f"{name}: shape {list(shape)} given; this model's latents are {list(expected)}")

    def check_state(self, width: int) -> None:
        """Raises ContractError unless arm states have as many channels as the model was trained on."""
        _check_width("state.channels", width, self.state.channels)

    def check_action(self, width: int) -> None:
        """Raises ContractError unless actions have as many channels as the model was trained on."""
        _check_width("action.channels", width, self.action.channels)

    def check_frame(self, frame: str, tcp_frame: str | None = None) -> None:
        """Raises ContractError unless poses are of this model's tcp_frame in its base frame."""
        for name, given, expected in (
            ("state.frame", frame, self.state.frame),
            ("state.tcp_frame", tcp_frame, self.state.tcp_frame),
        ):
            if given is not None and given != expected:
                raise ContractError(f"{name}: {given!r} given; this model was trained in {expected!r}")


def _check_width(name: str, width: int, channels: tuple[str, ...]) -> None:
    if width != len(channels):
        names = ", ".join(channels)
        raise ContractError(f"{name}: {width} given; this model needs {len(channels)}: {names}")


def _check_equal(name: str, given: object, implied: object) -> None:
    if given != implied:
        raise FieldError(f"{name}: {given} does not fit the other fields, which imply {implied}")
