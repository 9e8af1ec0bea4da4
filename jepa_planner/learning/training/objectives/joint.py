"""Encoder and predictor trained together for a sum of terms that is chosen by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from jepa_planner.core.poses import state_difference
from jepa_planner.learning.training.objectives.appearance_invariance import AppearanceInvariance
from jepa_planner.learning.training.objectives.arm_terms import InverseDynamics, StateReadout
from jepa_planner.learning.training.objectives.barlow_twins import BarlowTwins
from jepa_planner.learning.training.objectives.encoded import ARM_CHANGE_SCALE, ARM_CHANNELS, Encoded
from jepa_planner.learning.training.objectives.info_nce import InfoNce
from jepa_planner.learning.training.objectives.layouts import TellLayoutsApart
from jepa_planner.learning.training.objectives.prediction import MaskedTeacher, NextLatent, NextPicture
from jepa_planner.learning.training.objectives.scene_sigreg import SceneSigreg
from jepa_planner.learning.training.objectives.sigreg import Sigreg
from jepa_planner.learning.training.objectives.vicreg import Vicreg
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.predictor_kind import Predictor

SHIPPED = "sigreg+inverse+state"
"""The objective of the shipped model."""
NOTHING = "none"
PREDICTIONS = {"ema": MaskedTeacher, "pixels": NextPicture}
"""What may be predicted instead of the next latent itself."""


@dataclass(frozen=True)
class TermSpec:
    """How much a term counts beside the prediction, whose weight is 1, and how it is made for so many numbers."""

    weight: float
    make: Callable[[int], nn.Module]


TERMS = {
    "sigreg": TermSpec(0.1, lambda numbers: Sigreg()),
    "scene_sigreg": TermSpec(0.1, lambda numbers: SceneSigreg()),
    "layouts": TermSpec(1.0, lambda numbers: TellLayoutsApart()),
    "appearance": TermSpec(0.3, lambda numbers: AppearanceInvariance()),
    "vicreg": TermSpec(1.0, lambda numbers: Vicreg()),
    "barlow_twins": TermSpec(1.0, lambda numbers: BarlowTwins()),
    "info_nce": TermSpec(0.1, lambda numbers: InfoNce()),
    "inverse": TermSpec(0.5, InverseDynamics),
    "state": TermSpec(0.1, StateReadout),
}
NAMES = (*TERMS, *PREDICTIONS, NOTHING)

OLDER_NAMES = {"takes": "appearance"}


def names_in(objective: str) -> tuple[str, ...]:
    """The names that an objective such as "sigreg+inverse" adds up; empty for "none". Raises ValueError."""
    names = tuple(OLDER_NAMES.get(name, name) for name in objective.split("+"))
    if unknown := [name for name in names if name not in NAMES]:
        raise ValueError(f"objective {objective!r}: {unknown[0]!r} is unknown; known are {', '.join(NAMES)}")
    if len(set(names)) < len(names):
        raise ValueError(f"objective {objective!r} names a term twice")
    if NOTHING in names and len(names) > 1:
        raise ValueError(f"objective {objective!r}: {NOTHING!r} stands alone")
    if set(PREDICTIONS) <= set(names):
        raise ValueError(f"objective {objective!r} names two predictions: {' and '.join(PREDICTIONS)}")
    if "layouts" in names and set(PREDICTIONS) & set(names):
        raise ValueError(f"objective {objective!r}: layouts go with the prediction of latents alone")
    if {"appearance", "scene_sigreg"} <= set(names):
        raise ValueError(
            f"objective {objective!r}: variants are of the same motion, scene_sigreg wants others of a scene"
        )
    return () if names == (NOTHING,) else names


class JointObjective(nn.Module):
    """Prediction of the next latent, and the terms that the objective's name adds to it.

    No pixels are predicted, but by the baseline "pixels", and no object labels are used: the arm's state is its own
    measurement.
    """

    change_scale: Tensor

    def __init__(self, encoder: VideoEncoder, predictor: Predictor, objective: str = SHIPPED) -> None:
        super().__init__()
        names = names_in(objective)
        self.objective = objective
        latent_size = encoder.config.latent_tokens * encoder.config.latent_channels
        self.encoder = encoder
        self.predictor = predictor
        instead = [PREDICTIONS[name] for name in names if name in PREDICTIONS]
        self.prediction = instead[0](encoder) if instead else NextLatent()
        self.terms = nn.ModuleDict({name: TERMS[name].make(latent_size) for name in names if name in TERMS})
        self.register_buffer("change_scale", torch.tensor(ARM_CHANGE_SCALE), persistent=False)

    def forward(
        self, images: Tensor, states: Tensor, actions: Tensor, generator: Generator, together: int = 1,
        layouts: Tensor | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """images [B, T, V, 3, H, W], states [B, T, S], actions [B, T-1, A] -> named losses, "total" among them.

        layouts [scenes, variants, L, V, 3, H, W]: see `LayoutBatches`; they are encoded frame by frame.

        The terms are float32 under autocast too: they compare distributions and small changes.
        """
        if layouts is None:
            prediction = self.prediction(self.encoder, self.predictor, images, states, actions, generator)
        else:
            stills = layouts.reshape(-1, *images.shape[1:])
            prediction = self.prediction(self.encoder, self.predictor, images, states, actions, generator, stills)
        latents, predicted = (part.flatten(2).float() for part in (prediction.latents, prediction.predicted))
        shown = None if layouts is None else prediction.stills.float().reshape(*layouts.shape[:3], -1)
        encoded = Encoded(latents, predicted, *self._arm(states), together, shown)
        with torch.autocast(images.device.type, enabled=False):
            losses = {"prediction": prediction.loss} | {
                name: term(encoded, generator) for name, term in self.terms.items()
            }
        total = losses["prediction"]
        for name in self.terms:
            total = total + TERMS[name].weight * losses[name]
        return losses | {"total": total}

    def get_extra_state(self) -> str:
        """Goes into checkpoints, so that none is taken for that of another objective."""
        return self.objective

    def set_extra_state(self, state: str) -> None:
        """Raises ValueError for another objective's."""
        if state != self.objective:
            raise ValueError(f"it was trained for {state!r}, not for {self.objective!r}")

    def _arm(self, states: Tensor) -> tuple[Tensor, Tensor]:
        channels = list(ARM_CHANNELS)
        change = state_difference(states[:, 1:], states[:, :-1])[..., channels]
        return self.predictor.scaled_states(states)[..., channels], change / self.change_scale
