"""Two pictures' scene tokens to numbers: what stands elsewhere in the one than in the other, and where the arm is."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class SceneReaderConfig:
    """Sizes of a `SceneReader`; the first three describe the scene tokens, see `SceneEncoderConfig`."""

    views: int
    tokens_per_view: int
    channels: int
    width: int = 192
    depth: int = 3
    heads: int = 6
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if min(self.views, self.tokens_per_view, self.channels, self.width, self.depth, self.heads) < 1:
            raise ValueError(f"{self}: expected sizes of at least 1")
        if self.width % self.heads:
            raise ValueError(f"{self}: width is not a multiple of heads")


class SceneReader(nn.Module):
    """A transformer over the scene tokens of the present and of the goal picture, the arm's state and a query.

    forward: scene tokens of both [B, v * tokens_per_view, channels], of all views or of those of `of_views`, and the
    arm's state [B, S] in units of its spread -> [B, width].
    """

    def __init__(self, config: SceneReaderConfig, state_dim: int) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Linear(config.channels, config.width)
        self.embed_state = nn.Linear(state_dim, config.width)
        self.query = nn.Parameter(0.02 * torch.randn(1, 1, config.width))
        self.place = nn.Parameter(0.02 * torch.randn(2, config.views, config.tokens_per_view, config.width))
        layer = nn.TransformerEncoderLayer(
            config.width, config.heads, 4 * config.width, config.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, config.depth, nn.LayerNorm(config.width), enable_nested_tensor=False)
        self._views = list(range(config.views))

    def forward(self, now: Tensor, goal: Tensor, states: Tensor) -> Tensor:
        both = self.embed(torch.stack([now, goal], dim=1)) + self.place[:, self._views].flatten(1, 2)
        arm = self.embed_state(states)[:, None]
        x = torch.cat([self.query.expand(len(now), -1, -1), arm, both.flatten(1, 2)], dim=1)
        return self.layers(x)[:, 0]

    def of_views(self, views: Sequence[int]) -> SceneReader:
        """The same reader, weights shared, of the tokens of some views alone, by number."""
        seeing = copy.copy(self)
        seeing._views = list(views)
        return seeing
