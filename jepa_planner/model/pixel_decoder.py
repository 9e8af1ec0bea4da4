"""Latents to pictures: what a pixel-predicting model learns and is planned through, or a look at any latents."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jepa_planner.model.encoder import EncoderConfig

CHANNELS = (128, 64, 32, 16)
COARSEST_PX = 2 ** len(CHANNELS)


class PixelDecoder(nn.Module):
    """A linear layer and transposed convolutions, from a frame's latents to the normalised pictures of its views.

    Sizes follow from the encoder's. forward: [.., N, D] -> [.., V, 3, H, W], as `preprocess` gives them.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        height, width = config.image_size
        self.config = config
        self._coarse = (config.views, CHANNELS[0], height // COARSEST_PX, width // COARSEST_PX)
        self.expand = nn.Linear(
            config.latent_tokens * config.latent_channels,
            config.views * CHANNELS[0] * (height // COARSEST_PX) * (width // COARSEST_PX),
        )
        self.upsample = nn.ModuleList(
            nn.ConvTranspose2d(few, more, kernel_size=4, stride=2, padding=1)
            for few, more in zip(CHANNELS, (*CHANNELS[1:], 3), strict=True)
        )

    def forward(self, latents: Tensor) -> Tensor:
        batch = latents.shape[:-2]
        x = self.expand(latents.flatten(-2)).reshape(-1, *self._coarse[1:])
        x = x.contiguous(memory_format=torch.channels_last)  # half the time on a CPU
        for layer in self.upsample:
            x = layer(F.gelu(x))
        return x.reshape(*batch, self.config.views, *x.shape[1:])

    def pixels(self, latents: Tensor) -> Tensor:
        """The same numbers in the shape of latents, tokens being pixels: [.., N, D] -> [.., V*H*W, 3]."""
        return self(latents).movedim(-3, -1).flatten(-4, -2)
