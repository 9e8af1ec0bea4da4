"""Observations to messages and back."""

from __future__ import annotations

import torch
from builtin_interfaces.msg import Time

from jepa_planner.core.observation import Observation
from jepa_planner.msg import Latent
from jepa_planner.nodes.conversions import ConversionError, array_from, float_array, seconds, time_message

IMAGE_DIMENSIONS = 4


def check_model(made_by: str, expected: str) -> None:
    """Raises ConversionError where latents of one model would be given to another."""
    if made_by != expected:
        raise ConversionError(
            f"latent was made by {made_by!r}, expected {expected!r}: give all nodes one bundle and the same views"
        )


def observation_from(message: Latent, model: str) -> Observation:
    """What was seen, without an arm state; raises ConversionError when it comes from another model."""
    check_model(message.model, model)
    latent = array_from(message.data, (message.tokens, message.channels), "latent")
    images = None
    if message.image_shape or message.images:
        if len(message.image_shape) != IMAGE_DIMENSIONS:
            given = list(message.image_shape)
            raise ConversionError(f"image_shape is {given}, expected views, 3, height and width")
        images = torch.from_numpy(array_from(message.images, tuple(message.image_shape), "images"))
    return Observation(torch.from_numpy(latent), images, stamp_s=seconds(message.header.stamp))


def latent_message(observation: Observation, model: str, stamp: Time | None = None, frame_id: str = "") -> Latent:
    """An observation as a message; where no stamp is given, its own."""
    tokens, channels = observation.latent.shape
    message = Latent(model=model, tokens=tokens, channels=channels, data=float_array(observation.latent.cpu().numpy()))
    if observation.images is not None:
        message.image_shape = list(observation.images.shape)
        message.images = float_array(observation.images.cpu().numpy())
    message.header.frame_id = frame_id
    message.header.stamp = time_message(observation.stamp_s) if stamp is None else stamp
    return message
