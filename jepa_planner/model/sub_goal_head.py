"""What comes next on the way to a goal picture: several guesses at the latent and arm state of the next keyframe."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from jepa_planner.core.arm_layout import YAW, X, Y, Z
from jepa_planner.core.observation import Observation
from jepa_planner.core.poses import state_difference
from jepa_planner.model.keypoints import KeypointConfig, SpatialSoftmaxKeypoints

MAX_LATENT_NUMBERS = 8192
CONTACT_KINDS = 2
"""Kinds of contact: to grasp and let go, and to push."""
POSE = (X, Y, Z, YAW)
"""Numbers of the state's channels x, y, z and yaw."""


@dataclass(frozen=True, kw_only=True)
class SubGoalHeadConfig:
    """Sizes of a `SubGoalHead`."""

    latent_tokens: int
    """Tokens of a latent of its world model, at least 1."""
    latent_channels: int
    """Numbers in each token, at least 1."""
    state_dim: int
    """Channels of its arm states."""
    hypotheses: int = 4
    """Guesses at the next keyframe, at least 1, for the same picture may be reached in several ways and at several
    paces.
    """
    width: int = 512
    """Numbers in the stream between the blocks, at least 1."""
    depth: int = 3
    """Residual blocks, at least 1."""
    dropout: float = 0.05
    """Share of the numbers inside a block that training leaves out, in [0, 1)."""
    scene: KeypointConfig | None = None
    """Sizes of what looks at the pictures themselves; None: the head goes by latents alone."""

    def __post_init__(self) -> None:
        if min(self.hypotheses, self.width, self.depth) < 1 or not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"{self}: expected hypotheses, width and depth >= 1 and dropout in 0..1, 1 excluded")
        if not 1 <= self.latent_numbers <= MAX_LATENT_NUMBERS:
            raise ValueError(
                f"latents have {self.latent_tokens} x {self.latent_channels} numbers; this head is made for latents of "
                f"a few slots, at most {MAX_LATENT_NUMBERS} numbers"
            )

    @property
    def latent_numbers(self) -> int:
        """Numbers in one latent."""
        return self.latent_tokens * self.latent_channels


class Hypotheses(NamedTuple):
    """Guesses at the next keyframe: latents [.., K, N, D], arm states [.., K, S], logits [.., K] of their chances."""

    latents: Tensor
    states: Tensor
    logits: Tensor


def residual_blocks(width: int, depth: int, dropout: float) -> nn.ModuleList:
    """What is added, one after the other, to numbers [.., width]."""
    return nn.ModuleList(
        nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, width)
        )
        for _ in range(depth)
    )


class SubGoalHead(nn.Module):
    """A residual MLP from the present latent and arm state and a goal's latent to `Hypotheses`.

    It guesses how latent and state change. `set_scaling` brings states to unit size. Its output starts at random: from
    zeros all hypotheses would be one and stay one, as the loss could not tell them apart. A head with keypoints also
    says where the hand begins and ends to act on the way, which teaches it where things are: see contact_segments in
    learning/data.
    """

    state_mean: Tensor
    state_std: Tensor

    def __init__(self, config: SubGoalHeadConfig) -> None:
        super().__init__()
        self.config = config
        width, latent_numbers, states = config.width, config.latent_numbers, config.state_dim
        self.embed = nn.Linear(2 * latent_numbers + states, width)
        self.blocks = residual_blocks(width, config.depth, config.dropout)
        self.norm = nn.LayerNorm(width)
        self.logits = nn.Linear(width, config.hypotheses)
        self.changes = nn.Linear(width, config.hypotheses * (latent_numbers + states))
        if config.scene is not None:
            self.scene = SpatialSoftmaxKeypoints(config.scene)
            seen, poses = config.scene.features + states, CONTACT_KINDS * 2 * len(POSE)
            self.acts = nn.Sequential(
                nn.Linear(seen, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, poses)
            )
            self.embed_scene = nn.Linear(seen + poses, width)
        self.register_buffer("state_mean", torch.zeros(states))
        self.register_buffer("state_std", torch.ones(states))

    @torch.no_grad()
    def set_scaling(self, state_mean: Tensor, state_std: Tensor) -> None:
        """States enter and leave as (state - mean) / std inside, angles the short way from their mean; stored with the
        weights.
        """
        self.state_mean.copy_(state_mean)
        self.state_std.copy_(state_std)

    def forward(self, now: Observation, goal: Observation) -> Hypotheses:
        """Observations [B], `now` with arm states, and with images where the head sees -> hypotheses [B]."""
        return self.guess(now, goal)[0]

    def guess(self, now: Observation, goal: Observation) -> tuple[Hypotheses, Tensor | None]:
        """As `forward`, and of a head with keypoints the poses [B, kinds of contact, 2, 4] at which the hand begins and
        ends to act.
        """
        config, latents, states = self.config, now.latent, now.arm_state
        scaled = state_difference(states, self.state_mean) / self.state_std
        x, poses = self.embed(torch.cat([latents.flatten(1), scaled, goal.latent.flatten(1)], dim=-1)), None
        if config.scene is not None:
            seen = torch.cat([self.scene(now.images, goal.images), scaled], dim=-1)
            poses = self.acts(seen)
            x = x + self.embed_scene(torch.cat([seen, poses], dim=-1))
            poses = poses.unflatten(-1, (CONTACT_KINDS, 2, len(POSE)))
        for block in self.blocks:
            x = x + block(x)
        x = self.norm(x)
        changes = self.changes(x).unflatten(-1, (config.hypotheses, -1))
        of_latents, of_states = changes.split([config.latent_numbers, config.state_dim], dim=-1)
        hypotheses = Hypotheses(
            latents[:, None] + of_latents.unflatten(-1, latents.shape[1:]),
            states[:, None] + of_states * self.state_std,
            self.logits(x),
        )
        return hypotheses, poses

    def of_views(self, views: Sequence[int]) -> "SubGoalHead":
        """The same head, weights shared, where only some of the views are there, by number."""
        if self.config.scene is None:
            return self
        chosen = copy.copy(self)
        chosen._modules = {**self._modules, "scene": self.scene.of_views(views)}
        return chosen
