"""A predictor for latents of a few slots: a residual MLP that sees all of a latent at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from jepa_planner.model.layers import NORM_EPS, Mlp
from jepa_planner.model.predictor_kind import Predictor, PredictorSizes

MAX_LATENT_NUMBERS = 2048
"""Beyond, a matrix from and to whole latents is larger than all of a transformer."""


@dataclass(frozen=True, kw_only=True)
class MlpPredictorConfig(PredictorSizes):
    """Sizes of an `MlpPredictor`; width, depth and mlp_hidden are at least 1."""

    kind: Literal["mlp"] = "mlp"
    """Its name among the kinds."""
    max_steps: ClassVar[float] = math.inf
    """Time steps that it takes at most: any number, as it looks at the last two alone."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.width, self.depth, self.mlp_hidden) < 1:
            raise ValueError(f"{self}: expected width, depth and mlp_hidden >= 1")
        if not 1 <= self.latent_numbers <= MAX_LATENT_NUMBERS:
            raise ValueError(
                f"latents have {self.latent_tokens} x {self.latent_channels} numbers; this predictor is made for "
                f"latents of a few slots, at most {MAX_LATENT_NUMBERS} numbers: use a transformer"
            )

    @property
    def latent_numbers(self) -> int:
        """Numbers in one latent."""
        return self.latent_tokens * self.latent_channels


class LastLatent:
    """The latent [B, N, D] of the time step before, None at first: all of the past that an `MlpPredictor` looks at."""

    def __init__(self, latent: Tensor | None = None) -> None:
        self.latent = latent

    def expanded(self, batch: int) -> LastLatent:
        """See `Cache`."""
        return LastLatent(None if self.latent is None else self.latent.expand(batch, -1, -1))


class ResidualMlp(nn.Module):
    """x + mlp(norm(x)), [.., width]."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = Mlp(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mlp(self.norm(x))


class MlpPredictor(Predictor[LastLatent]):
    """What a latent becomes, from itself, its change since the step before, action and arm state; added to it.

    At the first step of a sequence nothing has changed. Untrained, it predicts that nothing changes.
    """

    config: MlpPredictorConfig

    def __init__(self, config: MlpPredictorConfig) -> None:
        super().__init__(config)
        self.embed_latents = nn.Linear(2 * config.latent_numbers, config.width)
        self.embed_arm = nn.Linear(config.action_dim + config.state_dim, config.width)
        self.blocks = nn.ModuleList(ResidualMlp(config.width, config.mlp_hidden) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.read_out = nn.Linear(config.width, config.latent_numbers)
        nn.init.zeros_(self.read_out.weight)
        nn.init.zeros_(self.read_out.bias)

    def forward(self, latents: Tensor, actions: Tensor, states: Tensor) -> Tensor:
        """See `Predictor`."""
        return self._next(latents, torch.cat([latents[:, :1], latents[:, :-1]], dim=1), actions, states)

    def new_cache(self) -> LastLatent:
        """See `Predictor`."""
        return LastLatent()

    def step(self, latent: Tensor, action: Tensor, state: Tensor, cache: LastLatent) -> Tensor:
        """See `Predictor`."""
        before = latent if cache.latent is None else cache.latent
        cache.latent = latent
        return self._next(latent, before, action, state)

    def observe(self, latent: Tensor, action: Tensor, state: Tensor, cache: LastLatent) -> None:
        """See `Predictor`."""
        cache.latent = latent

    def normalise_output(self, x: Tensor) -> Tensor:
        """Slots are standardised over many frames, not each by itself: nothing is to be done."""
        return x

    def _next(self, latents: Tensor, before: Tensor, actions: Tensor, states: Tensor) -> Tensor:
        """latents and those of the step before [.., N, D], actions [.., A], states [.., S] -> [.., N, D]."""
        actions, states = self._scaled(latents, actions, states)
        seen = torch.cat([latents, latents - before], dim=-2).flatten(-2)
        x = self.embed_latents(seen).float() + self.embed_arm(torch.cat([actions, states], dim=-1))
        for block in self.blocks:
            x = block(x)
        return latents + self.read_out(self.norm(x)).unflatten(-1, latents.shape[-2:])
