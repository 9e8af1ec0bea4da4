"""Images to latents: the V-JEPA 2 vision transformer, and the additions that make it work at a small size."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jepa_planner.model.layers import NORM_EPS, Block, initialise
from jepa_planner.model.rotary import grid_positions, rotary_tables

LATENT_NORM_EPS = 1e-5
CONV_STEM_CHANNELS = (32, 64, 128)


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Sizes of a `VideoEncoder`; the defaults are the paper's layout, stem and what follows it depart from it."""

    image_size: tuple[int, int]
    """(height, width) in pixels, multiples of patch_size."""
    width: int
    """Numbers in each token between the blocks."""
    depth: int
    """Blocks of the transformer."""
    heads: int
    """Attention heads, which share the width."""
    mlp_hidden: int
    """Numbers between the two layers of a block's MLP."""
    patch_size: int = 16
    """Side of a patch in pixels; 16 with the conv stem."""
    tubelet_size: int = 2
    """Frames in a patch."""
    stem: Literal["patch", "conv"] = "patch"
    """What makes tokens of pictures: one projection of patches, or with "conv" four 3x3 convolutions of stride 2 with
    BatchNorm, which work on single frames.
    """
    views: int = 1
    """Cameras; if there are several, their tokens are concatenated, each with a learned view embedding."""
    slots: int = 0
    """So many learned query tokens are appended and make, read out, the latents; 0: the patches' tokens are those."""
    slot_channels: int = 0
    """Numbers that each slot is read out to; 0 without slots."""
    any_view: bool = False
    """Whether it has learned to do with any one of its views; needs slots."""
    rotary: Literal["tiled", "paired"] = "tiled"
    """How angles of rotary positions are laid out over channels, see `rotary_tables`; paired in V-JEPA 2.1."""
    rotary_grid: int = 0
    """Rotary positions are stretched, as if a side of the picture were so many patches; 0: they count patches."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_size", tuple(self.image_size))
        if any(side <= 0 or side % self.patch_size for side in self.image_size):
            raise ValueError(f"image_size is {self.image_size}; expected multiples of {self.patch_size}")
        if self.stem not in ("patch", "conv"):
            raise ValueError(f"stem is {self.stem!r}; it must be 'patch' or 'conv'")
        if self.rotary not in ("tiled", "paired") or self.rotary_grid < 0:
            raise ValueError(
                f"rotary is {self.rotary!r} over {self.rotary_grid} patches; expected 'tiled' or 'paired', 0 or more"
            )
        if self.stem == "conv" and self.patch_size != 2 ** (len(CONV_STEM_CHANNELS) + 1):
            raise ValueError(f"patch_size is {self.patch_size}; the conv stem has a stride of 16")
        if (self.slots > 0) != (self.slot_channels > 0):
            raise ValueError(f"slots ({self.slots}) and slot_channels ({self.slot_channels}) go together")
        if self.any_view and not self.slots:
            raise ValueError("any_view needs slots: latents of patches are as many as there are views")

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patch tokens in one view."""
        return self.image_size[0] // self.patch_size, self.image_size[1] // self.patch_size

    @property
    def latent_tokens(self) -> int:
        return self.slots or self.views * self.grid[0] * self.grid[1]

    @property
    def latent_channels(self) -> int:
        return self.slot_channels or self.width

    @property
    def latent_grid(self) -> tuple[int, int]:
        """(1, slots), or the grid of patch tokens with the views' rows stacked."""
        return (1, self.slots) if self.slots else (self.views * self.grid[0], self.grid[1])


class PatchEmbed(nn.Module):
    """One projection per patch of a tubelet whose frames are all the same image.

    A camera gives single frames, which the reference repeats in time. Summing the kernel over time gives the
    same numbers for half the work. forward: [B, 3, H, W] -> [B, rows*columns, width].
    """

    def __init__(self, patch_size: int, tubelet_size: int, width: int) -> None:
        super().__init__()
        size = (tubelet_size, patch_size, patch_size)
        self.proj = nn.Conv3d(3, width, kernel_size=size, stride=size)

    def forward(self, images: Tensor) -> Tensor:
        kernel = self.proj.weight.sum(dim=2)
        return F.conv2d(images, kernel, self.proj.bias, stride=kernel.shape[-2:]).flatten(2).transpose(1, 2)


class ConvStem(nn.Sequential):
    """Four 3x3 convolutions of stride 2, total stride 16: [B, 3, H, W] -> [B, rows*columns, width].

    Departs from the paper: from ten thousands of small images instead of millions of videos, local filters
    learn where an object of few pixels is, and a patch projection does not. BatchNorm trained better than
    GroupNorm here.
    """

    def __init__(self, width: int) -> None:
        layers: list[nn.Module] = []
        channels = 3
        for out in (*CONV_STEM_CHANNELS, width):
            layers += [
                nn.Conv2d(channels, out, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(out),
                nn.ReLU(),
            ]
            channels = out
        super().__init__(*layers[:-1])

    def forward(self, images: Tensor) -> Tensor:
        images = images.contiguous(memory_format=torch.channels_last)
        return super().forward(images).flatten(2).transpose(1, 2)


class VideoEncoder(nn.Module):
    """Vision transformer with rotary positions and no class token (V-JEPA 2, arXiv 2506.09985).

    forward: images [B, V, 3, H, W] float, normalised by `preprocess` -> latents [B, N, D] float32. Every
    camera frame is encoded alone. Latents leave through a LayerNorm without weights, as in V-JEPA 2-AC; with
    slots through a BatchNorm without weights over all slots*slot_channels numbers, because the collapse term
    of joint training asks for standardised numbers over the batch.
    """

    rotary_cosine: Tensor
    rotary_sine: Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed: ConvStem | PatchEmbed
        if config.stem == "conv":
            self.patch_embed = ConvStem(config.width)
        else:
            self.patch_embed = PatchEmbed(config.patch_size, config.tubelet_size, config.width)
        self.blocks = nn.ModuleList(Block(config.width, config.heads, config.mlp_hidden) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=NORM_EPS)
        if config.views > 1 or config.any_view:
            self.view_embed = nn.Parameter(0.02 * torch.randn(config.views, 1, config.width))
        if config.slots:
            self.slot_queries = nn.Parameter(torch.randn(config.slots, config.width))
            self.slot_readout = nn.Linear(config.width, config.slot_channels)
            self.slot_norm = nn.BatchNorm1d(config.slots * config.slot_channels, affine=False)
        initialise(self, self.blocks)
        if config.slots:
            nn.init.trunc_normal_(self.slot_readout.weight, std=config.width**-0.5)

        # Slots stand at position 0 on every axis, which leaves them unrotated.
        patches = grid_positions(0, *config.grid).repeat(config.views, 1).double()
        if config.rotary_grid:
            farthest = torch.tensor([1, *config.grid], device="cpu").sub(1).clamp(min=1)
            patches = patches * (config.rotary_grid - 1) / farthest
        positions = torch.cat([patches, patches.new_zeros(config.slots, 3)])
        cosine, sine = rotary_tables(positions, config.width // config.heads, config.rotary == "paired")
        self.register_buffer("rotary_cosine", cosine, persistent=False)
        self.register_buffer("rotary_sine", sine, persistent=False)

    def tokens(self, images: Tensor) -> Tensor:
        """The latents before their last normalisation: [B, V, 3, H, W] -> [B, N, D].

        Raises ValueError where the images do not have the configured views and size.
        """
        return self.read(self.embed(images))

    def embed(self, images: Tensor) -> Tensor:
        """Patch tokens of all views, [B, V, 3, H, W] -> [B, V, rows*columns, width]; raises as `tokens`."""
        expected = (self.config.views, 3, *self.config.image_size)
        if images.ndim != 5 or tuple(images.shape[1:]) != expected:
            raise ValueError(f"images are {list(images.shape)}; expected {['B', *expected]}")
        x = self.patch_embed(images.flatten(0, 1)).unflatten(0, images.shape[:2])
        return x + self.view_embed if hasattr(self, "view_embed") else x

    def read(self, embedded: Tensor) -> Tensor:
        """From patch tokens of all or, with any_view, of some views [B, v, rows*columns, width] to `tokens`."""
        missing = self.config.views - embedded.shape[1]
        x = embedded.flatten(1, 2)
        tables = (self.rotary_cosine, self.rotary_sine)
        if missing:  # positions are the same in each view
            first = missing * embedded.shape[2]
            tables = (tables[0][first:], tables[1][first:])
        if self.config.slots:
            x = torch.cat([x, self.slot_queries.to(x.dtype).expand(len(x), -1, -1)], dim=1)
        for block in self.blocks[:-1]:
            x = block(x, tables)
        # Of the last block only the latents are read; with slots that leaves out most of its work.
        x = self.norm(self.blocks[-1](x, tables, last=self.config.slots or None))
        return self.slot_readout(x) if self.config.slots else x

    def forward(self, images: Tensor) -> Tensor:
        return self.normalise(self.tokens(images))

    def normalise(self, tokens: Tensor) -> Tensor:
        """From `tokens` to latents."""
        x = tokens.float()
        if self.config.slots:
            return self.slot_norm(x.flatten(1)).unflatten(1, (self.config.slots, -1))
        return F.layer_norm(x, x.shape[-1:], eps=LATENT_NORM_EPS)

    def of_views(self, views: Sequence[int]) -> "VideoEncoder":
        """The same encoder for some of its views alone, by number; raises ValueError where it cannot do with them."""
        if not self.config.any_view or not views or not set(views) < set(range(self.config.views)):
            raise ValueError(f"views {list(views)} of {self.config.views}: this encoder was not trained for some alone")
        narrow = VideoEncoder(replace(self.config, views=len(views)))
        weights = self.state_dict()
        narrow.load_state_dict(weights | {"view_embed": weights["view_embed"][list(views)]})
        return narrow.train(self.training).requires_grad_(next(self.parameters()).requires_grad)
