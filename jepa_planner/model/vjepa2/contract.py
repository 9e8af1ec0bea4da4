"""The contract of an imported V-JEPA 2 model: what its makers said, what they left open, and what to try."""

from dataclasses import dataclass

from jepa_planner.core.arm_layout import STATE_LAYOUTS
from jepa_planner.model.contract import Contract
from jepa_planner.model.contract_sections import (
    ActionSpec,
    ImageSpec,
    LatentSpec,
    StateSpec,
    TrainingSpec,
)
from jepa_planner.model.vjepa2.foreign_weights import FoundModel

GRIPPER_MAX = 0.75

NOTES = (
    "crop: the published planner crops the centre square. The published training settings (random_resize_scale "
    "1.777, random_resize_aspect_ratio 0.75 to 1.35) leave of a 16:9 picture a centre crop 1.35 times as wide as "
    "high, squeezed into the square. Try image.crop_aspect 1.35 (import --crop 1.35).",
    "time step: the paper says 4 frames per second. The published loader counts frames by the rate written in the "
    "video file; where a file says 60 and was recorded at 15, as files of DROID do, a step lasts 1 s. The two "
    "frames published as an example of one step lie 0.13 m apart. Try action.time_step_s 1.0 (import --time-step "
    "1.0).",
    "action size: the published code plans with steps of at most 0.05 m, 2 steps ahead, 400 candidates; the paper "
    "with 0.075 m, 1 step ahead, 800 candidates. Try action.max_abs (import --max-step 0.075), "
    "in planner.yaml cem.horizon 1 and cem.samples 800.",
    "state: poses of DROID are those of the wrist flange (panda_link8 of a Franka), where roll is near +-pi when "
    "the gripper points down; other arms name their frames with import --frame and --tcp-frame.",
    "camera: trained on one outside camera of varying place. Which way the base's x and y axes point is not told "
    "to the model but read off the picture: look at the energy landscape before the arm may move.",
    "reached energy: none is published; 0 spends every goal image's steps as the reference does. Give a tolerance "
    "from pictures of your own (import --reached-energy).",
)


@dataclass(frozen=True, kw_only=True)
class ImportSettings:
    """What no file of weights says; the defaults are those of the published V-JEPA 2-AC planner."""

    name: str
    """The model's name."""
    view: str = "camera"
    """The camera's name."""
    crop_aspect: float | None = None
    """Width over height of the centre crop, in [0.1, 10]; None keeps that of the image size."""
    frame: str = "panda_link0"
    """What poses are given in."""
    tcp_frame: str = "panda_link8"
    """What poses are of."""
    time_step_s: float = 0.25
    """How long an action takes, more than 0."""
    max_step_m: float = 0.05
    """Bound of an action along each axis, finite and at least 0."""


def vjepa2_contract(source_model: FoundModel, settings: ImportSettings, command: str) -> Contract:
    """The contract of what was found in a file, with one frame of context; raises FieldError where settings or sizes
    contradict each other.
    """
    encoder, step_m = source_model.encoder_config, settings.max_step_m
    height, width = encoder.image_size
    return Contract(
        name=settings.name,
        version="1",
        licence="that of the imported file (V-JEPA 2 was published under MIT and Apache-2.0)",
        image=ImageSpec(height=height, width=width, views=(settings.view,), crop_aspect=settings.crop_aspect),
        latent=LatentSpec(tokens=encoder.latent_tokens, channels=encoder.latent_channels, grid=encoder.latent_grid),
        state=StateSpec(channels=STATE_LAYOUTS[0], frame=settings.frame, tcp_frame=settings.tcp_frame),
        action=ActionSpec(
            max_abs=(step_m, step_m, step_m, 0.0, 0.0, 0.0, GRIPPER_MAX), time_step_s=settings.time_step_s
        ),
        training=TrainingSpec(
            data=f"imported from {', '.join(file.name for file in source_model.files)}", command=command
        ),
        encoder=encoder,
        predictor=source_model.predictor_config,
        notes=NOTES,
    )
