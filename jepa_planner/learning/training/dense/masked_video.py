"""V-JEPA's own objective: of a clip with hidden tubes, the latents that a teacher has of what is hidden."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from jepa_planner.learning.training.dense.masks import MaskSettings, hidden_first
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.layers import NORM_EPS, Block, Tables, initialise
from jepa_planner.model.rotary import grid_positions, rotary_tables

STANDARD_EPS = 1e-3
Targets = Literal["teacher", "stopped", "free"]


@dataclass(frozen=True)
class MaskedVideoSettings:
    """What is predicted by what."""

    masks: MaskSettings = field(default_factory=MaskSettings)
    """Which patches are hidden."""
    targets: Targets = "teacher"
    """Whose latents of the whole clip are predicted: those of a moving average of the encoder, the encoder's own
    without gradient, or, which collapses, with it.
    """
    decay: float = 0.996
    """Share of the teacher that stays in each step, in (0, 1)."""
    standardised: bool = True
    """Whether targets are without their position's mean over the batch: what is there in each picture need not be
    foreseen, and then does not stand in the latents alone.
    """
    predictor_width: int = 96
    """Numbers in each token of the predictor."""
    predictor_depth: int = 3
    """Blocks of the predictor."""


class MaskPredictor(nn.Module):
    """From tokens of what is seen to those of what is hidden; both by their positions."""

    def __init__(self, encoder_width: int, heads: int, settings: MaskedVideoSettings) -> None:
        super().__init__()
        width = settings.predictor_width
        self.heads = heads
        self.embed = nn.Linear(encoder_width, width)
        self.hidden = nn.Parameter(0.02 * torch.randn(width))
        self.blocks = nn.ModuleList(Block(width, heads, 4 * width) for _ in range(settings.predictor_depth))
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.proj = nn.Linear(width, encoder_width)
        initialise(self, self.blocks)

    def forward(self, seen: Tensor, tables: Tables, count: int) -> Tensor:
        """seen [B, n, D], rotary tables [B, 1, n + count, head_size], those of hidden tokens last -> [B, count, D]."""
        x = torch.cat([self.embed(seen), self.hidden.expand(len(seen), count, -1)], dim=1)
        for block in self.blocks[:-1]:
            x = block(x, tables)
        return self.proj(self.norm(self.blocks[-1](x, tables, last=count)))


class MaskedVideo(nn.Module):
    """Absolute error of predicted latents of hidden tubes; no actions, no pixels, no labels.

    Source: V-JEPA (arXiv 2404.08471). Departs from it where targets are standardised (see `MaskedVideoSettings`):
    cameras here do not move, and latents of positions alone would be foreseen without error. Frames are patches of
    their own, as a camera gives single ones.
    """

    def __init__(self, encoder: VideoEncoder, settings: MaskedVideoSettings) -> None:
        super().__init__()
        self.encoder, self.settings = encoder, settings
        config = encoder.config
        if config.slots or config.views > 1 or config.stem != "patch" or config.tubelet_size != 1:
            raise ValueError("masked latent prediction is for an encoder of patches, of one view and single frames")
        self.predictor = MaskPredictor(config.width, config.heads, settings)
        self.teacher = None
        if settings.targets == "teacher":
            averaged = AveragedModel(encoder, multi_avg_fn=get_ema_multi_avg_fn(settings.decay))
            self.teacher = averaged.requires_grad_(False)

    def forward(self, clips: Tensor, generator: Generator) -> dict[str, Tensor]:
        """clips [B, T, 3, H, W], normalised -> named losses, "total" among them, and spread, that of the targets."""
        foreseen, targets = self.foresee(clips, generator)
        return {"total": F.l1_loss(foreseen.float(), targets), "spread": targets.detach().std(dim=0).mean()}

    def foresee(self, clips: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """clips [B, T, 3, H, W], normalised -> latents of what is hidden [B, n, D], as foreseen and as they are."""
        count, frames = clips.shape[:2]
        grid = self.encoder.config.grid
        order, hidden = hidden_first(count, grid, self.settings.masks, generator)
        order = order.to(clips.device)
        tubes = torch.cat([order + frame * grid[0] * grid[1] for frame in range(frames)], dim=1).view(count, frames, -1)
        behind, seen = tubes[..., :hidden].flatten(1), tubes[..., hidden:].flatten(1)
        targets = self._targets(clips)
        config, predictor = self.encoder.config, self.predictor
        tables = clip_tables(frames, grid, config.width // config.heads, clips.device)
        latents = read_tokens(self.encoder, chosen(embed_clips(self.encoder, clips), seen), rows_of(tables, seen))
        tables = clip_tables(frames, grid, self.settings.predictor_width // predictor.heads, clips.device)
        foreseen = predictor(latents, rows_of(tables, torch.cat([seen, behind], dim=1)), behind.shape[1])
        return foreseen, chosen(targets, behind)

    @property
    def kept(self) -> VideoEncoder:
        """What training makes: the teacher, where there is one."""
        return self.encoder if self.teacher is None else cast(VideoEncoder, self.teacher.module)

    def _targets(self, clips: Tensor) -> Tensor:
        """Latents [B, T*N, D] of whole clips."""
        settings = self.settings
        if self.teacher is not None and self.training:
            self.teacher.update_parameters(self.encoder)
        with torch.set_grad_enabled(settings.targets == "free"):
            latents = encode_clips(self.kept, clips)
            if settings.standardised:
                centred = latents - latents.mean(dim=0)
                latents = centred / (centred.pow(2).mean(dim=(0, 2), keepdim=True).sqrt() + STANDARD_EPS)
        return latents


def embed_clips(encoder: VideoEncoder, clips: Tensor) -> Tensor:
    """Patch tokens [B, T*N, D] of clips [B, T, 3, H, W]."""
    return encoder.embed(clips.flatten(0, 1)[:, None])[:, 0].unflatten(0, clips.shape[:2]).flatten(1, 2)


def encode_clips(encoder: VideoEncoder, clips: Tensor) -> Tensor:
    """Latents [B, T*N, D] of clips [B, T, 3, H, W], whose frames see one another."""
    config = encoder.config
    tables = clip_tables(clips.shape[1], config.grid, config.width // config.heads, clips.device)
    return encoder.normalise(read_tokens(encoder, embed_clips(encoder, clips), tables))


def read_tokens(encoder: VideoEncoder, embedded: Tensor, tables: Tables) -> Tensor:
    """From any patch tokens [B, n, D] to the last block's."""
    x = embedded
    for block in encoder.blocks:
        x = block(x, tables)
    return encoder.norm(x)


def clip_tables(frames: int, grid: tuple[int, int], head_size: int, device: torch.device) -> Tables:
    """Rotary tables [T*N, head_size] of a clip's tokens, frame by frame."""
    cosine, sine = rotary_tables(torch.cat([grid_positions(frame, *grid) for frame in range(frames)]), head_size)
    return cosine.to(device), sine.to(device)


def rows_of(tables: Tables, numbers: Tensor) -> Tables:
    """The tables of each clip's own choice of tokens, by numbers [B, n]: [B, 1, n, head_size]."""
    return tables[0][numbers][:, None], tables[1][numbers][:, None]


def chosen(tokens: Tensor, numbers: Tensor) -> Tensor:
    """Of tokens [B, n, D] those with numbers [B, m]: [B, m, D]."""
    return tokens.gather(1, numbers[..., None].expand(-1, -1, tokens.shape[-1]))
