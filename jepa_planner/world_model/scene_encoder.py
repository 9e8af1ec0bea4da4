"""Images to scene tokens: what lies where on the table, for imagining sub-goals; energies and rollouts never see it.

Latents that are planned with follow what an arm does, on tables that all look different; where a thing lies is a small
part of them. Scene tokens are learned together with the head that reads them, and are trained for that alone.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jepa_planner.world_model.encoder import ConvStem, EncoderConfig, VideoEncoder
from jepa_planner.world_model.layers import NORM_EPS, Block, initialise
from jepa_planner.world_model.rotary import grid_positions, rotary_tables

PATCH_PX = 16


@dataclass(frozen=True, kw_only=True)
class SceneEncoderConfig:
    """Sizes of a `SceneEncoder`; channels: numbers of a scene token, one for each patch of 16 x 16 pixels of a view."""

    image_size: tuple[int, int]
    views: int
    channels: int = 48
    width: int = 192
    depth: int = 3
    heads: int = 3
    mlp_hidden: int = 768

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_size", tuple(self.image_size))
        if any(side <= 0 or side % PATCH_PX for side in self.image_size):
            raise ValueError(f"image_size is {self.image_size}; expected multiples of {PATCH_PX}")
        if min(self.views, self.channels, self.width, self.depth, self.heads, self.mlp_hidden) < 1:
            raise ValueError(f"{self}: expected sizes of at least 1")

    @classmethod
    def beside(cls, encoder: EncoderConfig) -> SceneEncoderConfig:
        """Sizes that go with those of the encoder of latents."""
        return cls(
            image_size=encoder.image_size, views=encoder.views, width=encoder.width, heads=encoder.heads,
            mlp_hidden=encoder.mlp_hidden,
        )  # fmt: skip

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of scene tokens in one view."""
        return self.image_size[0] // PATCH_PX, self.image_size[1] // PATCH_PX

    @property
    def tokens_per_view(self) -> int:
        return self.grid[0] * self.grid[1]

    @property
    def tokens(self) -> int:
        """Scene tokens of all views."""
        return self.views * self.tokens_per_view


class SceneEncoder(nn.Module):
    """Convolutions and a transformer over the patches of all views of one moment.

    forward: images [B, v, 3, H, W] float, normalised by `preprocess`, of all views, or of those of `of_views` -> scene
    tokens [B, v * patches, channels], each of mean 0 and variance 1. A view that is not there is left out of the
    attention: nothing stands in its place.
    """

    def __init__(self, config: SceneEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = ConvStem(config.width)
        self.view_embed = nn.Parameter(0.02 * torch.randn(config.views, 1, config.width))
        self.blocks = nn.ModuleList(Block(config.width, config.heads, config.mlp_hidden) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.readout = nn.Linear(config.width, config.channels)
        initialise(self, self.blocks)
        nn.init.trunc_normal_(self.readout.weight, std=config.width**-0.5)
        cosine, sine = rotary_tables(grid_positions(0, *config.grid), config.width // config.heads)
        self.register_buffer("rotary_cosine", cosine, persistent=False)
        self.register_buffer("rotary_sine", sine, persistent=False)
        self._views = list(range(config.views))

    def forward(self, images: Tensor) -> Tensor:
        if images.ndim != 5 or images.shape[1] != len(self._views):
            raise ValueError(f"images are {list(images.shape)}; expected {['B', len(self._views), 3, 'H', 'W']}")
        patches = self.patch_embed(images.flatten(0, 1)).unflatten(0, images.shape[:2])
        x = (patches + self.view_embed[self._views]).flatten(1, 2)
        tables = (self.rotary_cosine.repeat(len(self._views), 1), self.rotary_sine.repeat(len(self._views), 1))
        for block in self.blocks:
            x = block(x, tables)
        x = self.readout(self.norm(x)).float()
        return F.layer_norm(x, x.shape[-1:])

    @torch.no_grad()
    def begin_with(self, encoder: VideoEncoder) -> None:
        """Take the weights of an encoder of latents of the same width and stem, as far as they go."""
        given = {name: value for name, value in encoder.state_dict().items() if "readout" not in name}
        own = self.state_dict()
        own |= {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
        self.load_state_dict(own)

    def of_views(self, views: Sequence[int]) -> SceneEncoder:
        """The same encoder, weights shared, for images of some of its views alone, by number."""
        seeing = copy.copy(self)
        seeing._views = list(views)
        return seeing
