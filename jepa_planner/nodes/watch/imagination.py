"""What a model imagines that a plan leads to, drawn for people, beside what then came. No ROS."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from jepa_planner.core.context import Context
from jepa_planner.core.observation import Observation
from jepa_planner.model.bundle import load_contract, load_viewing_decoder
from jepa_planner.model.preprocess import as_pictures
from jepa_planner.model.world_model import WorldModel


@dataclass(frozen=True)
class Imagined:
    """Pictures uint8 RGB [V, H, W, 3] of all views of the model, around one plan.

    number: how many came before it. expected: drawn of what was imagined for now when the step before was planned, and
    expected_off, copied_off: mean squared differences from the latent that came, of that and of the latent before; None
    for the first plan. came: what came, or a drawing of it where came_drawn. next_step, at_end: drawn of what is
    imagined after one step of the plan, and after all.
    """

    number: int
    came: np.ndarray
    came_drawn: bool
    next_step: np.ndarray
    at_end: np.ndarray
    expected: np.ndarray | None = None
    expected_off: float | None = None
    copied_off: float | None = None


class Imagination:
    """Imagines again, by the planner's own model, what its plans lead to; plans of one goal follow one another."""

    def __init__(self, bundle: str | Path, views: tuple[str, ...]) -> None:
        """Raises BundleError, or ValueError where this model cannot draw, saying how to mend it."""
        decoder = load_viewing_decoder(bundle)
        if decoder is None:
            raise ValueError(
                "this model has no viewing decoder, which draws what it imagines; add one by "
                "`jepa-planner train --viewing-decoder-only --init ... --data ...`"
            )
        if views != (known := load_contract(bundle).image.views):
            raise ValueError(f"what is imagined is drawn where the model has all of its views, {', '.join(known)}")
        self._model = WorldModel.load(bundle, threads=1)
        self._decoder = decoder.requires_grad_(False)
        frames = self._model.contract.context_frames
        self._seen: deque[Observation] = deque(maxlen=frames)
        self._executed: deque[Tensor] = deque(maxlen=frames - 1)
        self._pending: Tensor | None = None
        self._expected: tuple[Tensor, np.ndarray] | None = None
        self._count = 0

    def begin(self) -> None:
        """A goal begins: what was seen and done before does not count."""
        self._seen.clear()
        self._executed.clear()
        self._pending = self._expected = None

    @torch.inference_mode()
    def follow(self, observation: Observation, actions: np.ndarray) -> Imagined:
        """The next plan of the goal: what it was made from, with the arm's state, and its actions [H, A]."""
        if self._pending is not None:
            self._executed.append(self._pending)
        before = self._seen[-1].latent if self._seen else None
        self._seen.append(observation)
        future = torch.as_tensor(actions, dtype=torch.float32)
        self._pending = future[0]
        latents = torch.stack([seen.latent for seen in self._seen])
        states = torch.stack([seen.arm_state for seen in self._seen])
        done = torch.stack(list(self._executed)) if self._executed else future.new_zeros(0, future.shape[1])
        rollout = self._model.rollout(Context(latents, states, done), future[None])[0].cpu()
        next_step, at_end = self._drawn(rollout[[0, -1]])
        expected, self._expected = self._expected, (rollout[0], next_step)
        self._count += 1
        return Imagined(
            number=self._count,
            came=self._drawn(observation.latent) if observation.images is None else self._shown(observation.images),
            came_drawn=observation.images is None,
            next_step=next_step,
            at_end=at_end,
            expected=None if expected is None else expected[1],
            expected_off=None if expected is None else _off(expected[0], observation.latent),
            copied_off=None if before is None else _off(before, observation.latent),
        )

    def _drawn(self, latent: Tensor) -> np.ndarray:
        return self._shown(self._decoder(latent))

    def _shown(self, pixels: Tensor) -> np.ndarray:
        image = self._model.contract.image
        return as_pictures(pixels, image.mean, image.std).numpy()


def _off(one: Tensor, other: Tensor) -> float:
    return float((one - other).square().mean())
