"""Latents, actions and arm states to the latents one step later: the V-JEPA 2-AC predictor."""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jepa_planner.model.encoder import LATENT_NORM_EPS
from jepa_planner.model.layers import NORM_EPS, Block, KeyValueCache, initialise
from jepa_planner.model.predictor_kind import Predictor, PredictorSizes
from jepa_planner.model.rotary import grid_positions, rotary_tables

CONDITIONING_TOKENS = 2  # action, state
EXTRINSICS_CHANNELS = 6


@dataclass(frozen=True, kw_only=True)
class PredictorConfig(PredictorSizes):
    """Sizes of an `ActionConditionedPredictor`; the defaults are the released layout.

    slot_embedding, residual and output_norm depart from the paper, for latents made of slots.
    """

    kind: Literal["transformer"] = "transformer"
    """Its name among the kinds."""
    heads: int
    """Attention heads, which share the width."""
    max_steps: int = 32
    """Time steps that it takes at most."""
    slot_embedding: bool = False
    """Whether tokens are told apart by a learned embedding instead of by a place in the image."""
    residual: bool = False
    """Whether the output is added to the input latent."""
    output_norm: Literal["layernorm", "none"] = "layernorm"
    """LayerNorm of the output, or "none", as BatchNorm-standardised latents do not obey it."""
    extrinsics: bool = True
    """Whether it holds weights for the cameras' places, as the released layout does, which are never used."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.output_norm not in ("layernorm", "none"):
            raise ValueError(f"output_norm is {self.output_norm!r}; it must be 'layernorm' or 'none'")


class StepCache:
    """What the predictor remembers of the time steps it has seen: one key-value cache per layer."""

    def __init__(self, layers: list[KeyValueCache], steps: int = 0) -> None:
        self.layers, self.steps = layers, steps

    def expanded(self, batch: int) -> "StepCache":
        """The same memory, of one sequence, as the common past of `batch` sequences."""
        return StepCache([layer.expanded(batch) for layer in self.layers], self.steps)


class ActionConditionedPredictor(Predictor[StepCache]):
    """Transformer over [action, state, N latents] per time step, causal over steps (arXiv 2506.09985, 3.1).

    Attention is full inside a step. Time enters only through rotary positions, which the tiled angles make
    nearly but not exactly relative: train windows at least as long as context and horizon together. The
    released layout has extrinsics_encoder weights that the released model never uses; they are kept and not
    called.
    """

    config: PredictorConfig
    rotary_cosine: Tensor
    rotary_sine: Tensor

    def __init__(self, config: PredictorConfig) -> None:
        super().__init__(config)
        width = config.width
        self.predictor_embed = nn.Linear(config.latent_channels, width)
        self.action_encoder = nn.Linear(config.action_dim, width)
        self.state_encoder = nn.Linear(config.state_dim, width)
        if config.extrinsics:
            self.extrinsics_encoder = nn.Linear(EXTRINSICS_CHANNELS, width)
        self.predictor_blocks = nn.ModuleList(
            Block(width, config.heads, config.mlp_hidden) for _ in range(config.depth)
        )
        self.predictor_norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.predictor_proj = nn.Linear(width, config.latent_channels)
        if config.slot_embedding:
            self.slot_embed = nn.Parameter(torch.randn(config.latent_tokens, width))
        initialise(self, self.predictor_blocks)
        if config.slot_embedding:  # standardised inputs, embedded at the size of the slot embedding
            nn.init.trunc_normal_(self.predictor_embed.weight, std=config.latent_channels**-0.5)
            nn.init.trunc_normal_(self.action_encoder.weight, std=config.action_dim**-0.5)
            nn.init.trunc_normal_(self.state_encoder.weight, std=config.state_dim**-0.5)
        if config.residual:  # an untrained residual model predicts that nothing changes
            nn.init.zeros_(self.predictor_proj.weight)

        # Action and state tokens, and slots, have no place in the image: only their time part rotates.
        tokens = grid_positions(0, *config.grid)
        if config.slot_embedding:
            tokens = torch.zeros_like(tokens)
        one_step = torch.cat([tokens.new_zeros(CONDITIONING_TOKENS, 3), tokens])
        positions = one_step.repeat(config.max_steps, 1, 1)
        positions[:, :, 0] += torch.arange(config.max_steps, device="cpu")[:, None]
        cosine, sine = rotary_tables(positions.flatten(0, 1), width // config.heads)
        self.register_buffer("rotary_cosine", cosine, persistent=False)
        self.register_buffer("rotary_sine", sine, persistent=False)

    def forward(self, latents: Tensor, actions: Tensor, states: Tensor) -> Tensor:
        """See `Predictor`; raises ValueError for T beyond max_steps, too."""
        steps = latents.shape[1]
        x = self._embed(latents, actions, states)
        per_step = x.shape[2]
        step_of = torch.arange(steps, device=x.device).repeat_interleave(per_step)
        mask = step_of[:, None] >= step_of[None, :] if steps > 1 else None
        tables = self._tables(0, steps)
        x = x.flatten(1, 2)
        for block in self.predictor_blocks:
            x = block(x, tables, mask)
        return self._read_out(x.unflatten(1, (steps, per_step))[:, :, CONDITIONING_TOKENS:], latents)

    def new_cache(self) -> StepCache:
        """See `Predictor`."""
        return StepCache([KeyValueCache() for _ in self.predictor_blocks])

    def step(self, latent: Tensor, action: Tensor, state: Tensor, cache: StepCache) -> Tensor:
        """See `Predictor`; attention is causal over steps, so keys and values of earlier ones stay as they are."""
        x = self._embed(latent[:, None], action[:, None], state[:, None], earlier_steps=cache.steps)
        tables = self._tables(cache.steps, cache.steps + 1)
        x = x[:, 0]
        for block, layer in zip(self.predictor_blocks[:-1], cache.layers, strict=False):
            x = block(x, tables, cache=layer)
        # Of the last block only the latent tokens are read.
        x = self.predictor_blocks[-1](x, tables, cache=cache.layers[-1], last=self.config.latent_tokens)
        cache.steps += 1
        return self._read_out(x, latent)

    def normalise_output(self, x: Tensor) -> Tensor:
        """See `Predictor`."""
        if self.config.output_norm == "none":
            return x
        return F.layer_norm(x, x.shape[-1:], eps=LATENT_NORM_EPS)

    def _tables(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        per_step = self.config.latent_tokens + CONDITIONING_TOKENS
        rows = slice(first * per_step, last * per_step)
        return self.rotary_cosine[rows], self.rotary_sine[rows]

    def _embed(self, latents: Tensor, actions: Tensor, states: Tensor, earlier_steps: int = 0) -> Tensor:
        config = self.config
        actions, states = self._scaled(latents, actions, states)
        total_steps = earlier_steps + latents.shape[1]
        if total_steps > config.max_steps:
            raise ValueError(f"{total_steps} time steps given; this predictor takes max_steps={config.max_steps}")
        tokens = self.predictor_embed(latents)
        if config.slot_embedding:
            tokens = tokens + self.slot_embed.to(tokens.dtype)
        action, state = self.action_encoder(actions), self.state_encoder(states)
        return torch.cat([action[:, :, None], state[:, :, None], tokens], dim=2)

    def _read_out(self, x: Tensor, latents: Tensor) -> Tensor:
        out = self.predictor_proj(self.predictor_norm(x))
        return latents + out if self.config.residual else out
