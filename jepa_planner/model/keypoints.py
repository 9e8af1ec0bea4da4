"""Two pictures to numbers: where things lie that are elsewhere in the one than in the other."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

STRIDE = 4


@dataclass(frozen=True, kw_only=True)
class KeypointConfig:
    """Sizes of `SpatialSoftmaxKeypoints`."""

    image_size: tuple[int, int]
    """(height, width) in pixels, multiples of STRIDE."""
    views: int
    """Cameras, at least 1."""
    channels: int = 64
    """Of the last convolutions, at least 1; the first has half as many."""
    keypoints: int = 32
    """Places that each view is looked at, at least 1."""
    values: int = 8
    """Numbers seen at each of them, at least 1."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_size", tuple(self.image_size))
        if any(side <= 0 or side % STRIDE for side in self.image_size):
            raise ValueError(f"image_size is {self.image_size}; expected multiples of {STRIDE}")
        if min(self.views, self.channels, self.keypoints, self.values) < 1:
            raise ValueError(f"{self}: expected sizes of at least 1")

    @property
    def features(self) -> int:
        """Numbers that all views give: of each keypoint its column, its row, and what is seen there."""
        return self.views * self.keypoints * (2 + self.values)

    def is_alike(self, other: KeypointConfig) -> bool:
        """Whether weights of the other serve: pictures may be larger, and there may be more of them or fewer."""
        return replace(other, image_size=self.image_size, views=self.views) == self


class SpatialSoftmaxKeypoints(nn.Module):
    """Convolutions over the present and the goal picture at once, and keypoints: an attention over places for each,
    whose mean place and values are read out (spatial softmax, Levine et al. 2016).

    What lies elsewhere differs between the two pictures where it was and where it shall be, whatever it is and whatever
    the table looks like. forward: pictures [B, v, 3, H, W] of both, normalised by `preprocess`, of all views, or of
    those of `of_views` -> [B, features]. For a view that is not there stand numbers that were learned.
    """

    def __init__(self, config: KeypointConfig) -> None:
        super().__init__()
        self.config = config
        self.eyes = nn.ModuleList(_ViewKeypoints(config) for _ in range(config.views))
        self.unseen = nn.Parameter(torch.zeros(config.views, config.features // config.views))
        self._views = list(range(config.views))

    def forward(self, now: Tensor, goal: Tensor) -> Tensor:
        if now.ndim != 5 or now.shape[1] != len(self._views):
            raise ValueError(f"pictures are {list(now.shape)}; expected {['B', len(self._views), 3, 'H', 'W']}")
        seen = list(self.unseen.expand(len(now), -1, -1).unbind(1))
        for number, view in enumerate(self._views):
            one, other = now[:, number], goal[:, number]
            seen[view] = self.eyes[view](torch.cat([one, other, one - other], dim=1))
        return torch.cat(seen, dim=-1)

    def begin_with(self, other: SpatialSoftmaxKeypoints) -> None:
        """Takes the weights of another that is alike; a view that it does not have begins as one that it has."""
        for number, (eye, unseen) in enumerate(zip(self.eyes, self.unseen, strict=True)):
            eye.load_state_dict(other.eyes[number % other.config.views].state_dict())
            with torch.no_grad():
                unseen.copy_(other.unseen[number % other.config.views])

    def of_views(self, views: Sequence[int]) -> SpatialSoftmaxKeypoints:
        """The same, weights shared, for pictures of some views alone, by number."""
        chosen = copy.copy(self)
        chosen._views = list(views)
        return chosen


class _ViewKeypoints(nn.Module):
    """One view: [B, 9, H, W] -> [B, keypoints * (2 + values)]."""

    def __init__(self, config: KeypointConfig) -> None:
        super().__init__()
        width = config.channels
        self.layers = nn.Sequential(
            *_convolution(9, width // 2, 2), *_convolution(width // 2, width, 2), *_convolution(width, width),
            *_convolution(width, width),
        )  # fmt: skip
        self.where = nn.Conv2d(width, config.keypoints, 1)
        self.what = nn.Conv2d(width, config.values, 1)
        self.sharpness = nn.Parameter(torch.zeros(config.keypoints, 1))
        rows, columns = (torch.linspace(-1, 1, side // STRIDE, device="cpu") for side in config.image_size)
        places = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
        self.register_buffer("places", places.flatten(0, 1), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        x = self.layers(pictures.contiguous(memory_format=torch.channels_last))
        attention = (self.where(x).float().flatten(2) * self.sharpness.exp()).softmax(dim=-1)
        values = self.what(x).float().flatten(2).transpose(1, 2)
        return torch.cat([attention @ self.places, attention @ values], dim=-1).flatten(1)


def _convolution(in_channels: int, out_channels: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU()]
