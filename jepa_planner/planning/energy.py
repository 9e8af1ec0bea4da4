"""Energies: how far imagined latents are from a goal's; lower is better.

An energy is called with predicted latents [K, H, N, D] after each action, the goal's latent [N, D] and the
actions [K, H, A], and returns [K].
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from jepa_planner.model.pixel_decoder import PixelDecoder


class Energy(Protocol):
    """Energies [S] of candidates whose imagined latents are predicted [S, H, N, D]; goal [N, D], actions [S, H, A]."""

    def __call__(self, predicted: Tensor, goal: Tensor, actions: Tensor) -> Tensor: ...


class LastStepL1:
    """Mean absolute difference to the goal after the last action: the energy of V-JEPA 2-AC."""

    def __call__(self, predicted: Tensor, goal: Tensor, actions: Tensor) -> Tensor:
        return (predicted[:, -1] - goal).abs().mean(dim=(1, 2))


class LastStepMse:
    """Mean squared difference to the goal after the last action."""

    def __call__(self, predicted: Tensor, goal: Tensor, actions: Tensor) -> Tensor:
        return (predicted[:, -1] - goal).square().mean(dim=(1, 2))


class SummedL1:
    """Mean absolute difference to the goal, summed over all steps: arriving early counts."""

    def __call__(self, predicted: Tensor, goal: Tensor, actions: Tensor) -> Tensor:
        return (predicted - goal).abs().mean(dim=(2, 3)).sum(dim=1)


class SummedMse:
    """Mean squared difference to the goal, summed over all steps: arriving early counts."""

    def __call__(self, predicted: Tensor, goal: Tensor, actions: Tensor) -> Tensor:
        return (predicted - goal).square().mean(dim=(2, 3)).sum(dim=1)


class InPixels:
    """Another energy, of the pixels [.., P, 3] that are drawn from the latents [.., N, D] of predictions and goal."""

    def __init__(self, energy: Energy, draw: Callable[[Tensor], Tensor]) -> None:
        self._energy, self._draw = energy, draw

    def __call__(self, predicted: Tensor, goal: Tensor, actions: Tensor) -> Tensor:
        return self._energy(self._draw(predicted), self._draw(goal), actions)


PIXELS = "pixel_"
"""What the kind of an energy in pixels begins with; the rest is one of LATENT_ENERGIES."""
LATENT_ENERGIES: dict[str, Callable[[], Energy]] = {
    "last_step_l1": LastStepL1,
    "last_step_mse": LastStepMse,
    "summed_l1": SummedL1,
    "summed_mse": SummedMse,
}


def latent_energy(kind: str) -> Energy:
    """The energy of a name, as contracts and parameters give it; raises ValueError listing the known ones."""
    if kind not in LATENT_ENERGIES:
        of_pixels = " here; energies of pixels need the model's decoder, and no node has it" * kind.startswith(PIXELS)
        raise ValueError(f"energy {kind!r} is unknown{of_pixels}; known are {', '.join(LATENT_ENERGIES)}")
    return LATENT_ENERGIES[kind]()


def energy_of(kind: str, decoder: PixelDecoder | None = None) -> Energy:
    """The energy of a name: of latents, or, where it begins with PIXELS, of what the decoder draws from them."""
    if decoder is None or not kind.startswith(PIXELS):
        return latent_energy(kind)
    return InPixels(latent_energy(kind.removeprefix(PIXELS)), decoder.pixels)


def distance_to_goal(energy: Energy, latent: Tensor, goal: Tensor, action_channels: int) -> float:
    """Energy of an observation [N, D] itself, as if it had been imagined after one step without action."""
    no_action = torch.zeros(1, 1, action_channels, device=latent.device)
    return energy(latent[None, None], goal, no_action).item()
