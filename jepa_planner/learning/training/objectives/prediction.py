"""What all objectives have: the next latent is predicted, its own or a teacher's, or the next picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Generator, Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from jepa_planner.learning.training.view_dropout import encode_windows
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.pixel_decoder import PixelDecoder
from jepa_planner.model.predictor_kind import Predictor


@dataclass(frozen=True)
class Predicted:
    """Latents [B, T, N, D] of the frames as the encoder saw them, predicted ones [B, T-1, N, D], and the loss.

    stills: latents [L, T, N, D] of pictures between which nothing acts, encoded along; None: there were none.
    """

    latents: Tensor
    predicted: Tensor
    loss: Tensor
    stills: Tensor | None = None


class NextLatent(nn.Module):
    """Squared error of the predicted next latents, without stop-gradient or teacher: something else must keep latents
    apart.
    """

    def forward(
        self, encoder: VideoEncoder, predictor: Predictor, images: Tensor, states: Tensor,
        actions: Tensor, generator: Generator, stills: Tensor | None = None,
    ) -> Predicted:  # fmt: skip
        """images [B, T, V, 3, H, W], states [B, T, S], actions [B, T-1, A]; stills [L, T, V, 3, H, W] are only encoded,
        in one batch with the others, so that BatchNorm sees them together.
        """
        seen = encode_windows(encoder, images if stills is None else torch.cat([images, stills]), generator)
        latents = seen[: len(images)]
        predicted = predictor.normalise_output(predictor(latents[:, :-1], actions, states[:, :-1]))
        loss = (predicted - latents[:, 1:]).pow(2).mean()
        return Predicted(latents, predicted, loss, None if stills is None else seen[len(images) :])


class MaskedTeacher(nn.Module):
    """Masked latent prediction after V-JEPA (arXiv 2404.08471): of frames with hidden patches, the latents that a
    teacher has of the next frames, whole, are predicted; the teacher is a moving average of the encoder.

    Departs from the paper: what is predicted are the next frames' slots rather than the hidden patches' tokens, because
    slots are what is planned with; hidden patches are grey pixels. No gradient reaches the teacher, and a constant one
    is no fixed point of its own encoder's training, which is what keeps latents apart here.
    """

    def __init__(self, encoder: VideoEncoder, hidden_share: float = 0.5, decay: float = 0.99) -> None:
        super().__init__()
        self.teacher = AveragedModel(encoder, multi_avg_fn=get_ema_multi_avg_fn(decay)).requires_grad_(False)
        self.hidden_share = hidden_share

    def forward(
        self, encoder: VideoEncoder, predictor: Predictor, images: Tensor, states: Tensor,
        actions: Tensor, generator: Generator,
    ) -> Predicted:  # fmt: skip
        """Shapes as in `NextLatent`; in training the teacher first takes its step toward the encoder, which it
        is at the first one.
        """
        if self.training:
            self.teacher.update_parameters(encoder)
        with torch.no_grad():
            targets = encode_windows(cast(VideoEncoder, self.teacher.module), images[:, 1:], generator)
        latents = encode_windows(encoder, self.hide(images, encoder.config.patch_size, generator), generator)
        predicted = predictor.normalise_output(predictor(latents[:, :-1], actions, states[:, :-1]))
        return Predicted(latents, predicted, (predicted - targets).pow(2).mean())

    def hide(self, images: Tensor, patch: int, generator: Generator) -> Tensor:
        """Images [.., 3, H, W] in which random square patches are 0, the mean of normalised pixels."""
        rows, columns = images.shape[-2] // patch, images.shape[-1] // patch
        draw = torch.rand(*images.shape[:-3], 1, rows, columns, generator=generator, device="cpu").to(images.device)
        seen = (draw >= self.hidden_share).repeat_interleave(patch, dim=-2).repeat_interleave(patch, dim=-1)
        return images * seen


class NextPicture(nn.Module):
    """The baseline that predicts pixels: squared error of the next pictures, drawn from predicted latents, and of the
    present ones, drawn from latents as seen, so that one decoder serves both.
    """

    def __init__(self, encoder: VideoEncoder) -> None:
        super().__init__()
        self.decoder = PixelDecoder(encoder.config)

    def forward(
        self, encoder: VideoEncoder, predictor: Predictor, images: Tensor, states: Tensor,
        actions: Tensor, generator: Generator,
    ) -> Predicted:  # fmt: skip
        """Shapes as in `NextLatent`."""
        latents = encode_windows(encoder, images, generator)
        predicted = predictor.normalise_output(predictor(latents[:, :-1], actions, states[:, :-1]))
        drawn, foreseen = self.decoder(latents), self.decoder(predicted)
        return Predicted(latents, predicted, (drawn - images).pow(2).mean() + (foreseen - images[:, 1:]).pow(2).mean())
