"""Demonstrations as what learns from them sees them: latents, arm states, actions, and the next keyframe."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from jepa_planner.learning.data.alike_scenes import alike_scenes
from jepa_planner.learning.data.contact_segments import ContactSegment, contact_segments
from jepa_planner.learning.data.episodes import Episodes, seeds_in_words
from jepa_planner.learning.data.hand_thresholds import HandThresholds, hand_thresholds
from jepa_planner.learning.data.images_on_disk import Images
from jepa_planner.learning.data.keyframes import keyframes, next_keyframes
from jepa_planner.learning.data.straight_ways import without_detours
from jepa_planner.learning.training.latent_cache import cached_latents
from jepa_planner.learning.training.mixed_precision import mixed_precision
from jepa_planner.learning.training.run_folder import content_hash
from jepa_planner.model.bundle_files import ENCODER_FILE
from jepa_planner.model.picture_warp import Warp
from jepa_planner.model.world_model import WorldModel

FRAMES_AT_ONCE = 64
"""Heads are for small encoders, which are fast with many."""


@dataclass(frozen=True)
class Demonstrations:
    """What is left of episodes once they are encoded: latents [E, T+1, N, D], states [E, T+1, S] in the model's
    channels, arm_states [E, T+1, 8] in STATE_CHANNELS, next_keyframes int [E, T+1], actions [E, T, A]; scenes int [E]:
    a number, the same for those of which it is told that they show the same things. images uint8 [E, T+1, V, H, W, 3]
    where they were to be kept, with views, where the model's stand in V, and image_size, rows and columns as the model
    sees them, and warps, see `ImageSpec`; alike int [E]: as scenes, but found in these pictures, see `alike_scenes`.
    thresholds: what counts as holding and being low.
    """

    latents: np.ndarray
    states: np.ndarray
    arm_states: np.ndarray
    next_keyframes: np.ndarray
    actions: np.ndarray
    scenes: np.ndarray
    keyframes_per_episode: float
    content: str
    in_words: str
    images: Images | None = None
    alike: np.ndarray | None = None
    views: tuple[int, ...] = ()
    image_size: tuple[int, int] = (0, 0)
    warps: tuple[Warp, ...] = ()
    thresholds: HandThresholds = field(default_factory=HandThresholds)

    def only(self, episode_indices: np.ndarray) -> Demonstrations:
        """What there is of consecutive episodes."""
        chosen = slice(int(episode_indices[0]), int(episode_indices[-1]) + 1)
        parts = ("latents", "states", "arm_states", "next_keyframes", "actions", "scenes", "images", "alike")
        whole = {name: getattr(self, name) for name in parts}
        values: dict[str, Any] = {name: None if value is None else value[chosen] for name, value in whole.items()}
        return replace(self, **values)

    def part(self, episode_indices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Latents, states and next keyframes of consecutive episodes: views, not copies."""
        first, last = int(episode_indices[0]), int(episode_indices[-1]) + 1
        return self.latents[first:last], self.states[first:last], self.next_keyframes[first:last]

    def contacts(self, episode_indices: np.ndarray) -> list[list[ContactSegment]]:
        """The contact segments of each of consecutive episodes."""
        first, last = int(episode_indices[0]), int(episode_indices[-1]) + 1
        return [contact_segments(states, self.thresholds.contacts) for states in self.arm_states[first:last]]


def encoded_demonstrations(
    episodes: Episodes, model: WorldModel, run_folder: Path, keep_images: bool = False
) -> Demonstrations:
    """Encodes episodes, only once per `run_folder`; their pictures are kept if asked for.

    Raises ContractError for what does not fit the model.
    """
    contract = model.contract
    views = contract.pick_views(episodes.views)
    contract.check_images((1, len(views), *episodes.images.shape[3:]))
    content = content_hash(episodes)
    key = f"{contract.files[ENCODER_FILE]} {contract.image} {views} {content}"

    def encode(frames: np.ndarray) -> np.ndarray:
        with mixed_precision(model.device):
            return model.encode(frames).cpu().numpy()

    latents = cached_latents(encode, episodes.images, views, key, run_folder, FRAMES_AT_ONCE)
    count, steps = episodes.actions.shape[:2]
    in_each = [np.sum(keyframes(states)) for states in episodes.states]
    thresholds = hand_thresholds(episodes.states)
    return Demonstrations(
        latents=latents,
        states=episodes.states[..., contract.state.columns],
        arm_states=episodes.states,
        next_keyframes=np.stack(
            [
                without_detours(next_keyframes(states), states, contact_segments(states, thresholds.contacts))
                for states in episodes.states
            ]
        ),
        actions=episodes.actions,
        scenes=episodes.scenes,
        keyframes_per_episode=float(np.mean(in_each)),
        content=content,
        in_words=f"{count} episodes of {steps} steps, seeds {seeds_in_words(episodes.seeds)}",
        images=episodes.images if keep_images else None,
        alike=alike_scenes(episodes.images) if keep_images else None,
        views=tuple(views),
        image_size=contract.encoder.image_size,
        warps=contract.image.warps,
        thresholds=thresholds,
    )
