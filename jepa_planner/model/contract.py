"""What a world model takes and gives: sizes, meanings, units and limits, checked before computing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from jepa_planner.core.arm_layout import ACTION_CHANNELS, STATE_LAYOUTS
from jepa_planner.core.observation import Observation
from jepa_planner.core.state_ranges import states_out_of_range
from jepa_planner.core.strict_fields import FieldError
from jepa_planner.model.contract_sections import (
    ActionSpec,
    ImageSpec,
    LatentSpec,
    OutOfDistributionSpec,
    StateSpec,
    SubGoalSpec,
    TrainingSpec,
    VerdictSpec,
)
from jepa_planner.model.encoder import EncoderConfig
from jepa_planner.model.predictors import AnyPredictorConfig
from jepa_planner.model.sub_goal_head import SubGoalHeadConfig
from jepa_planner.model.verdict_head import VerdictHeadConfig

FORMAT = 6
"""Of what is written; older ones are read, as each field that was added says with its default what it was without.

1: image, latent, state, action, energy, planning with cem, training, encoder, predictor, context_frames.
2: planning with any solver, deadline, full strokes and a tolerance of its own for the last goal image;
   image.crop_aspect, training.source_files, encoder.any_view, energies in pixels, familiarity (now
   out_of_distribution), sub_goals, notes, and no predictor in the bundle of an encoder alone.
3: verdict, planning with progress, a predictor of any kind.
4: energy, planning, and how sub-goals and the verdict are used stand in planner.yaml, no longer here.
5: what planner.yaml called optimiser is its solver; other names, see older_names.py.
6: image.warps.
"""
SHORTCOMINGS = ("predictions: ", "latents: ")
"""How notes begin which say that training found the model wanting."""


class ContractError(ValueError):
    """An input does not fit the model's contract; the message names the field."""


@dataclass(frozen=True, kw_only=True)
class Contract:
    """Everything that stands in `model.yaml`.

    How to plan with the model stands beside it, in `planner.yaml`. Construction raises FieldError where a value is
    impossible or two sections contradict each other.
    """

    name: str
    """The model's name."""
    version: str
    """The model's version."""
    licence: str
    """Under which the weights may be used."""
    image: ImageSpec
    """What the encoder sees."""
    latent: LatentSpec
    """What the encoder makes of it."""
    state: StateSpec
    """How the arm stands."""
    action: ActionSpec
    """What the arm is told to do."""
    training: TrainingSpec
    """Where the weights of encoder and predictor come from."""
    encoder: EncoderConfig
    """Sizes of the encoder."""
    predictor: AnyPredictorConfig | None
    """Sizes of the predictor; None: the bundle is an encoder alone, and what stands about states and actions is meant
    for the predictor to come.
    """
    out_of_distribution: OutOfDistributionSpec | None = None
    """Limits of what the model knows; None: they were not measured."""
    sub_goals: SubGoalSpec | None = None
    """Head and training; None: the model imagines none."""
    verdict: VerdictSpec | None = None
    """Head and training; None: energies alone tell when a goal is reached."""
    context_frames: int = 1
    """Observations that the predictor is given, at least 1, fewer while there is no such history."""
    format: int = FORMAT
    """Of the file, in 1 to FORMAT."""
    notes: tuple[str, ...] = ()
    """What is uncertain about the model, and what to try."""
    files: dict[str, str] = field(default_factory=dict)
    """Names of the bundle's files, to their sha256."""

    def __post_init__(self) -> None:
        encoder, predictor, latent, action = self.encoder, self.predictor, self.latent, self.action
        crop_aspect = self.image.crop_aspect
        for name, given, expected in (
            ("image.height and image.width", (self.image.height, self.image.width), encoder.image_size),
            ("image.views", len(self.image.views), encoder.views),
            ("latent.tokens", latent.tokens, encoder.latent_tokens),
            ("latent.channels", latent.channels, encoder.latent_channels),
            ("latent.grid", latent.grid, encoder.latent_grid),
            ("action.max_abs", len(action.max_abs), len(action.channels)),
        ):
            _check_equal(name, given, expected)
        for name, holds, must in (
            ("format", 1 <= self.format <= FORMAT, f"lie in 1 to {FORMAT}"),
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
            self._check_head("sub_goals", self.sub_goals.head)
        if self.verdict is not None:
            self._check_head("verdict", self.verdict.head)

    def _check_predictor(self, predictor: AnyPredictorConfig) -> None:
        for name, given, expected in (
            ("predictor.latent_channels", predictor.latent_channels, self.encoder.latent_channels),
            ("predictor.grid", predictor.grid, self.encoder.latent_grid),
            ("predictor.state_dim", predictor.state_dim, len(self.state.channels)),
            ("predictor.action_dim", predictor.action_dim, len(self.action.channels)),
        ):
            _check_equal(name, given, expected)
        if self.context_frames > predictor.max_steps:
            raise FieldError(f"predictor.max_steps: must be at least {self.context_frames}")

    def _check_head(self, section: str, head: SubGoalHeadConfig | VerdictHeadConfig) -> None:
        for name, actual, expected in (
            (f"{section}.head.latent_tokens", head.latent_tokens, self.latent.tokens),
            (f"{section}.head.latent_channels", head.latent_channels, self.latent.channels),
            (f"{section}.head.state_dim", head.state_dim, len(self.state.channels)),
        ):
            _check_equal(name, actual, expected)
        if (scene := head.scene) is not None:
            for name, given, needed in (
                (f"{section}.head.scene.image_size", scene.image_size, self.encoder.image_size),
                (f"{section}.head.scene.views", min(scene.views, self.encoder.views), self.encoder.views),
            ):
                _check_equal(name, given, needed)

    @property
    def predictor_sizes(self) -> AnyPredictorConfig:
        """Those of a model that imagines; raises ContractError for an encoder alone."""
        if self.predictor is None:
            raise ContractError("predictor: is null, as the model is an encoder alone; expected the sizes of one")
        return self.predictor

    @property
    def shortcomings(self) -> tuple[str, ...]:
        """Those of the notes that say that the model is not fit to be planned with."""
        return tuple(note for note in self.notes if note.startswith(SHORTCOMINGS))

    @property
    def looks_at_images(self) -> bool:
        """Whether a head looks at the pictures themselves, so that observations hold them beside their latent."""
        heads = [part.head for part in (self.sub_goals, self.verdict) if part is not None]
        return any(head.scene is not None for head in heads)

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
        image = self.image.of_views([names.index(name) for name in kept])
        return replace(self, image=image, encoder=replace(self.encoder, views=len(kept)))

    def view_numbers(self, views: Sequence[str]) -> list[int]:
        """Where those of this model's views that are there stand among all of them; see `of_views`."""
        return [self.image.views.index(view) for view in self.of_views(views).image.views]

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

    def check_observation(self, observation: Observation) -> None:
        """Raises ContractError unless this has the shapes of what `WorldModel.observe` gives of one moment."""
        self.check_latent(observation.latent.shape)
        images_shape = None if observation.images is None else list(observation.images.shape)
        image = self.image
        expected = [len(image.views), 3, image.height, image.width] if self.looks_at_images else None
        if images_shape != expected:
            raise ContractError(
                f"images: {images_shape or 'none'} given; this model's observations have {expected or 'none'}"
            )

    def check_state(self, width: int) -> None:
        """Raises ContractError unless arm states have as many channels as the model was trained on."""
        _check_width("state.channels", width, self.state.channels)

    def check_state_values(self, state: Sequence[float] | np.ndarray, name: str = "state") -> None:
        """Raises ContractError unless a state [S] is one of an arm, in metres, radians and closure of 0 to 1."""
        self.check_state(len(state))
        if wrong := states_out_of_range(self.state.channels, np.asarray(state)):
            raise ContractError(f"{name}: {'; '.join(wrong)}")

    def check_action(self, width: int) -> None:
        """Raises ContractError unless actions have as many channels as the model was trained on."""
        _check_width("action.channels", width, self.action.channels)

    def check_frame(self, frame: str | None, tcp_frame: str | None = None) -> None:
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


def _check_equal(name: str, actual: object, implied: object) -> None:
    if actual != implied:
        raise FieldError(f"{name}: {actual} does not fit the other fields, which imply {implied}")
