"""What a model's training data looked like, measured and written into its bundle, so that it knows its limits."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from jepa_planner.core.context import Context
from jepa_planner.core.strict_fields import to_plain
from jepa_planner.learning.data.episode_checks import check_episodes, heed
from jepa_planner.learning.data.episodes import Episodes, read_episodes, seeds_in_words
from jepa_planner.learning.data.reference_checks import check_frames
from jepa_planner.learning.training.encoder_training import encode_some_alone
from jepa_planner.learning.training.latent_cache import cached_latents
from jepa_planner.learning.training.manifest import Run
from jepa_planner.learning.training.windows import split
from jepa_planner.model.bundle import write_latent_statistics
from jepa_planner.model.bundle_files import ENCODER_FILE
from jepa_planner.model.contract_sections import OutOfDistributionSpec
from jepa_planner.model.encoder import VideoEncoder
from jepa_planner.model.latent_statistics import LatentStatistics, latent_features
from jepa_planner.model.rollout.engine import Score
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.energy import Energy, energy_of
from jepa_planner.planning.planner_settings import PlannerSettings

HEADROOM = 1.15
"""Limits are so many times the largest value in held-out episodes."""
LEAST_SURPRISE = 0.5
"""Share of the energy of unrelated frames that an outcome must be off by to be a surprise. Few episodes of a calm hand
show no error as large as a search makes that goes where no hand went.
"""
LEAST_ARM_ERROR_M = 0.05
"""A picture that shows the tcp nearer to where joints say it is agrees with them. Places at the border of the box, of
which few held-out episodes show any, are read less well.
"""


class TooLittleToTell(ValueError):
    """Episodes from which no limits follow: they are too few, or nothing in them differs."""


@dataclass(frozen=True)
class Examples:
    """Latents [E, T+1, N, D], states [E, T+1, S] in the model's channels and actions [E, T, A], float32."""

    latents: Tensor
    states: Tensor
    actions: Tensor


def add_latent_statistics(
    data: Path | Sequence[Path], folder: Path, limit: int | None = None, trust_data: bool = False
) -> OutOfDistributionSpec:
    """Adds statistics of episodes to a bundle that was trained without; otherwise as `learn_latent_statistics`.

    trust_data: what is surely wrong is only said. Raises EpisodeError, ContractError or BundleError for what does not
    fit.
    """
    run = Run("out_of_distribution", {"limit": limit})
    model = WorldModel.load(folder)
    episodes = read_episodes(data, limit)
    heed(check_episodes(episodes), trust_data)
    check_frames(episodes, model.contract)
    with tempfile.TemporaryDirectory() as scratch:
        spec = learn_latent_statistics(folder, episodes, Path(scratch))
    run.note(folder, {"data": episodes})
    return spec


def learn_latent_statistics(
    folder: Path, episodes: Episodes, run_folder: Path, content: str = "", views: Sequence[int] | None = None,
    device: str = "cpu",
) -> OutOfDistributionSpec:  # fmt: skip
    """Writes statistics of episodes into a bundle; returns the limits, taken from the twentieth that was held out.

    episodes: the most varied ones last, as it is their end that is held out. With an encoder that can do with any one
    view, as many are seen by one as in training. run_folder: where latents are kept by the episodes' content_hash.
    views: where those of the model stand in the pictures, if not by their names. Raises TooLittleToTell, and then
    writes nothing.
    """
    model = WorldModel.load(folder, device=device)
    contract = model.contract
    views = contract.pick_views(episodes.views) if views is None else list(views)
    latents = encoded(model, episodes, views, run_folder, content)
    channels = contract.state.columns
    states, actions = torch.from_numpy(episodes.states[..., channels]).float(), torch.from_numpy(episodes.actions)
    parts = split(episodes)
    features = torch.stack([latent_features(torch.from_numpy(np.array(latents[number]))) for number in parts.train])
    latent_statistics = LatentStatistics.of(features.flatten(0, 1)[:, None], states[parts.train].flatten(0, 1))
    held_out = Examples(
        torch.from_numpy(latents[parts.held_out]), states[parts.held_out], actions[parts.held_out].float()
    )
    measured = PlannerSettings.load(folder, contract).energy
    energy = energy_of(measured.kind, model.decoder)
    largest = {
        "latent_distance": latent_statistics.distance(held_out.latents).max(),
        "arm_error_m": latent_statistics.arm_error_m(held_out.latents, held_out.states).max(),
        "surprise": surprises(model, energy, held_out).max(),
    }
    shown = f"{len(episodes)} episodes, seeds {seeds_in_words(episodes.seeds)}"
    limits = {name: HEADROOM * float(value) for name, value in largest.items()}
    least = {"arm_error_m": LEAST_ARM_ERROR_M, "surprise": LEAST_SURPRISE * measured.scale}
    limits |= {name: max(limits[name], limit) for name, limit in least.items() if limits[name] > 0.0}
    try:
        spec = OutOfDistributionSpec(**limits, data=shown)
    except ValueError as error:
        raise TooLittleToTell(f"what the model knows cannot be told from {shown}: {error}") from error
    write_latent_statistics(folder, latent_statistics, spec)
    return spec


def latent_statistics_noted(*given: Any, **named: Any) -> dict[str, object] | None:
    """As `learn_latent_statistics`, with the limits as plain data; where there are none None, which is said."""
    try:
        return to_plain(learn_latent_statistics(*given, **named))
    except TooLittleToTell as error:
        print(f"warning: {error}; the model will not say that it does not know a scene", file=sys.stderr)
        return None


def encoded(
    model: WorldModel, episodes: Episodes, views: Sequence[int], run_folder: Path, content: str = ""
) -> np.ndarray:
    """Latents [E, T+1, N, D] of episodes in the model's views, some of them by one alone where it can do with any."""
    key = f"{model.contract.files[ENCODER_FILE]} {model.contract.image} {list(views)} {content}"
    latents = cached_latents(lambda x: model.encode(x).cpu().numpy(), episodes.images, views, key, run_folder)
    if not isinstance(model.encoder, VideoEncoder):
        raise TypeError(f"the encoder is a {type(model.encoder).__name__}; expected that of backend torch")
    seen, rng = episodes.images[:, :, views], np.random.default_rng(0)
    return encode_some_alone(model.encoder, seen, latents, rng, warps=model.contract.image.warps)


def surprises(model: WorldModel, energy: Energy, examples: Examples) -> Tensor:
    """Energies [E, T] between each observation and what the model imagines from the one before."""

    def toward(goal: Tensor) -> Score:
        return lambda imagined, actions: energy(imagined, goal, actions)

    energies = []
    for latents, states, actions in zip(examples.latents, examples.states, examples.actions, strict=True):
        for time in range(len(actions)):
            context = Context(latents[time : time + 1], states[time : time + 1], actions[:0])
            goal, action = latents[time + 1], actions[time][None, None]
            score = model.evaluate(context, action, toward(goal))
            energies.append(float(score[0]))
    return torch.tensor(energies).reshape(examples.actions.shape[:2])
