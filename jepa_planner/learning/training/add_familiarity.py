"""Episodes and a bundle in, the same bundle out that knows what its training data looked like."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from jepa_planner.core.context import Context
from jepa_planner.learning.data.episode_checks import heed, look_at
from jepa_planner.learning.data.episodes import read_episodes, seeds_in_words
from jepa_planner.learning.data.reference_checks import check_frames
from jepa_planner.learning.training.encoder_training import encode_some_alone
from jepa_planner.learning.training.latent_cache import cached_latents
from jepa_planner.learning.training.windows import split
from jepa_planner.model.bundle import write_familiarity
from jepa_planner.model.contract_sections import FamiliaritySpec
from jepa_planner.model.familiarity import Familiarity
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.energy import Energy, energy_of
from jepa_planner.planning.planner_settings import PlannerSettings

HEADROOM = 1.15
"""Limits are so many times the largest value in held-out episodes."""


@dataclass(frozen=True)
class Examples:
    """Latents [E, T+1, N, D], states [E, T+1, S] in the model's channels and actions [E, T, A], float32."""

    latents: Tensor
    states: Tensor
    actions: Tensor


def add_familiarity(
    data: Path | Sequence[Path], folder: Path, limit: int | None = None, trust_data: bool = False
) -> FamiliaritySpec:
    """Writes statistics of episodes into a bundle; returns the limits, taken from the twentieth that was held out.

    data: a folder, or several, the most varied one last: it is its end that is held out. With an encoder that can do
    with any one view, as many episodes are seen by one as in training. trust_data: what is surely wrong is only said.

    Raises EpisodeError, ContractError or BundleError for what does not fit.
    """
    model = WorldModel.load(folder)
    episodes = read_episodes(data, limit)
    heed(look_at(episodes), trust_data)
    check_frames(episodes, model.contract)
    settings = PlannerSettings.load(folder, model.contract)
    energy = energy_of(settings.energy.kind, model.decoder)
    parts = split(episodes)
    examples = encoded(model, episodes)
    known = part(examples, parts.train)
    familiarity = Familiarity.of(known.latents.flatten(0, 1), known.states.flatten(0, 1))
    held_out = part(examples, parts.held_out)
    spec = FamiliaritySpec(
        latent_distance=HEADROOM * float(familiarity.distance(held_out.latents).max()),
        arm_error_m=HEADROOM * float(familiarity.arm_error_m(held_out.latents, held_out.states).max()),
        surprise=HEADROOM * float(surprises(model, energy, held_out).max()),
        data=f"{len(episodes)} episodes, seeds {seeds_in_words(episodes.seeds)}",
    )
    write_familiarity(folder, familiarity, spec)
    return spec


def encoded(model: WorldModel, episodes) -> Examples:
    """Encodes episodes in the model's views and state channels."""
    views = model.contract.pick_views(episodes.views)
    channels = model.contract.state.columns
    with tempfile.TemporaryDirectory() as scratch:
        latents = cached_latents(lambda x: model.encode(x).cpu().numpy(), episodes.images, views, "", Path(scratch))
        latents = np.array(latents)
    if model.contract.encoder.any_view:
        latents = encode_some_alone(model.encoder, episodes.images[:, :, views], latents, np.random.default_rng(0))
    latents = torch.from_numpy(latents)
    states, actions = torch.from_numpy(episodes.states[..., channels]), torch.from_numpy(episodes.actions)
    return Examples(latents, states.float(), actions.float())


def part(examples: Examples, numbers: np.ndarray) -> Examples:
    """Some of the episodes."""
    return Examples(examples.latents[numbers], examples.states[numbers], examples.actions[numbers])


def surprises(model: WorldModel, energy: Energy, examples: Examples) -> Tensor:
    """Energies [E, T] between each observation and what the model imagines from the one before."""
    found = []
    for latents, states, actions in zip(examples.latents, examples.states, examples.actions, strict=True):
        for time in range(len(actions)):
            context = Context(latents[time : time + 1], states[time : time + 1], actions[:0])
            goal, action = latents[time + 1], actions[time][None, None]
            score = model.evaluate(context, action, lambda imagined, a, goal=goal: energy(imagined, goal, a))
            found.append(float(score[0]))
    return torch.tensor(found).reshape(examples.actions.shape[:2])
