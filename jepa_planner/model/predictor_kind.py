"""What every kind of predictor is: from latents, actions and arm states to the latents one step later."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from jepa_planner.core.poses import state_difference


@dataclass(frozen=True, kw_only=True)
class PredictorSizes:
    """What the sizes of all kinds have in common."""

    kind: str
    """Name of the kind, which tells them apart."""
    latent_channels: int
    """Numbers in each token of the encoder's latents."""
    grid: tuple[int, int]
    """(rows, columns) of those tokens; slots are a grid of (1, slots)."""
    width: int
    """Numbers in the stream between the blocks, of each token where there are several."""
    depth: int
    """Blocks."""
    mlp_hidden: int
    """Numbers between the two layers of a block's MLP."""
    state_dim: int = 7
    """Channels of arm states."""
    action_dim: int = 7
    """Channels of actions."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "grid", tuple(self.grid))

    @property
    def latent_tokens(self) -> int:
        return self.grid[0] * self.grid[1]


C = TypeVar("C", bound="Cache")


class Cache(Protocol):
    """What a predictor remembers of the time steps it has seen."""

    def expanded(self: C, batch: int) -> C:
        """The same memory, of one sequence, as the common past of `batch` sequences."""


class Predictor(nn.Module, ABC, Generic[C]):
    """The calls that a predictor answers, whatever its kind; C is the memory of that kind.

    `set_scaling` brings states and actions to unit size, which small models need; it is off by default.
    """

    state_mean: Tensor
    state_std: Tensor
    action_std: Tensor

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("state_mean", torch.zeros(config.state_dim))
        self.register_buffer("state_std", torch.ones(config.state_dim))
        self.register_buffer("action_std", torch.ones(config.action_dim))

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.state_mean.device

    @torch.no_grad()
    def set_scaling(self, state_mean: Tensor, state_std: Tensor, action_std: Tensor) -> None:
        """States enter as (state - mean) / std and actions as action / std; stored with the weights. Angles are told
        the short way from their mean: a tool that points down is at a roll of pi and of -pi.
        """
        self.state_mean.copy_(state_mean)
        self.state_std.copy_(state_std)
        self.action_std.copy_(action_std)

    def scaled_states(self, states: Tensor) -> Tensor:
        """States [.., S] in units, see `set_scaling`."""
        return state_difference(states, self.state_mean) / self.state_std

    @abstractmethod
    def forward(self, latents: Tensor, actions: Tensor, states: Tensor) -> Tensor:
        """Predicts every next latent of whole sequences at once, for training and for checks.

        latents [B, T, N, D], actions [B, T, A], states [B, T, S] -> [B, T, N, D], where step t predicts the
        latents of step t+1 before `normalise_output`. Raises ValueError for other shapes.
        """

    @abstractmethod
    def new_cache(self) -> C:
        """An empty memory for `step`."""

    @abstractmethod
    def step(self, latent: Tensor, action: Tensor, state: Tensor, cache: C) -> Tensor:
        """Predicts the next latent from one more time step after those in the cache, which grows by it.

        latent [B, N, D], action [B, A], state [B, S] -> [B, N, D] before `normalise_output`. Calling this T times
        equals `forward` on T steps, without running any step twice.
        """

    def observe(self, latent: Tensor, action: Tensor, state: Tensor, cache: C) -> None:
        """Adds a time step to the cache whose outcome is known."""
        self.step(latent, action, state, cache)

    @abstractmethod
    def normalise_output(self, x: Tensor) -> Tensor:
        """Brings predictions [.., D] to the form of latents: the next input, or comparable with a goal."""

    def _scaled(self, latents: Tensor, actions: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        """Actions and states in units; raises ValueError unless all three have the sizes of the config."""
        config, batch = self.config, tuple(latents.shape[:-2])
        for name, given, channels in (
            ("latents", latents, (config.latent_tokens, config.latent_channels)),
            ("actions", actions, (config.action_dim,)),
            ("states", states, (config.state_dim,)),
        ):
            if tuple(given.shape) != batch + channels:
                raise ValueError(f"{name} are {list(given.shape)}; expected {[*batch, *channels]}")
        return actions / self.action_std, self.scaled_states(states)
