"""What of a goal picture does not hold yet: how far its objects are off, and how the arm stands in it."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from jepa_planner.core.observation import Observation
from jepa_planner.core.poses import state_difference
from jepa_planner.model.keypoints import KeypointConfig, SpatialSoftmaxKeypoints
from jepa_planner.model.sub_goal_head import MAX_LATENT_NUMBERS, residual_blocks

GOAL_STATE_WIDTH = 256


@dataclass(frozen=True, kw_only=True)
class VerdictHeadConfig:
    """Sizes of a `VerdictHead`."""

    latent_tokens: int
    """Tokens of a latent of its world model, at least 1."""
    latent_channels: int
    """Numbers in each token, at least 1."""
    state_dim: int
    """Channels of its arm states."""
    edges_m: tuple[float, ...] = (0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.10, 0.15, 0.25, 0.50)
    """Distances between the classes into which it sorts how far objects are off: at least one, positive and growing."""
    width: int = 512
    """Numbers in the stream between the blocks, at least 1."""
    depth: int = 3
    """Residual blocks, at least 1."""
    dropout: float = 0.05
    """Share of the numbers inside a block that training leaves out, in [0, 1)."""
    scene: KeypointConfig | None = None
    """Sizes of what looks at the pictures themselves; None: the head goes by latents alone."""
    arm_from_latents: bool = False
    """Whether in a head with keypoints, too, how the arm stands in the goal is read from the goal's latent, which is
    finer where cameras stand where they always did.
    """

    def __post_init__(self) -> None:
        if min(self.width, self.depth) < 1 or not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"{self}: expected width and depth >= 1 and dropout in 0..1, 1 excluded")
        if not self.edges_m or self.edges_m[0] <= 0.0 or any(one >= next_ for one, next_ in pairwise(self.edges_m)):
            raise ValueError(f"edges_m are {self.edges_m}; expected at least one distance, positive and growing")
        if not 1 <= self.latent_numbers <= MAX_LATENT_NUMBERS:
            raise ValueError(
                f"latents have {self.latent_tokens} x {self.latent_channels} numbers; this head is made for latents of "
                f"a few slots, at most {MAX_LATENT_NUMBERS} numbers"
            )

    @property
    def latent_numbers(self) -> int:
        """Numbers in one latent."""
        return self.latent_tokens * self.latent_channels

    @property
    def reads_goal_alone(self) -> bool:
        """Whether how the arm stands in the goal is read from the goal's latent alone."""
        return self.scene is None or self.arm_from_latents

    @property
    def classes(self) -> int:
        """Those below and between the edges, the one beyond, and last that of things that are not the same ones, or
        that no hand can bring there.
        """
        return len(self.edges_m) + 2


class Opinion(NamedTuple):
    """logits [.., classes] of how far the objects are off; goal_states [.., S]: how the arm stands in the goal."""

    logits: Tensor
    goal_states: Tensor


class VerdictHead(nn.Module):
    """A residual MLP from the present latent and arm state and a goal's latent to an `Opinion`.

    The distance is that of the object that is farthest from where the goal shows it. Where the arm stands in the goal
    is read from the goal alone, or, of a head with keypoints, from how its picture differs from the present one, unless
    `arm_from_latents` says otherwise.
    `set_scaling` brings states to unit size, inside.
    """

    state_mean: Tensor
    state_std: Tensor
    temperature: Tensor

    def __init__(self, config: VerdictHeadConfig) -> None:
        super().__init__()
        self.config = config
        width, latent_numbers, states = config.width, config.latent_numbers, config.state_dim
        self.embed = nn.Linear(2 * latent_numbers + states, width)
        self.blocks = residual_blocks(width, config.depth, config.dropout)
        self.norm = nn.LayerNorm(width)
        self.logits = nn.Linear(width, config.classes)
        if config.reads_goal_alone:
            self.goal_state = nn.Sequential(
                nn.Linear(latent_numbers, GOAL_STATE_WIDTH), nn.GELU(), nn.Linear(GOAL_STATE_WIDTH, GOAL_STATE_WIDTH),
                nn.GELU(), nn.Linear(GOAL_STATE_WIDTH, states),
            )  # fmt: skip
        else:
            self.state_change = nn.Linear(width, states)
        if config.scene is not None:
            self.scene = SpatialSoftmaxKeypoints(config.scene)
            self.embed_scene = nn.Sequential(
                nn.Linear(config.scene.features, width), nn.GELU(), nn.Linear(width, width)
            )
        self.register_buffer("state_mean", torch.zeros(states))
        self.register_buffer("state_std", torch.ones(states))
        self.register_buffer("temperature", torch.ones(()))

    @torch.no_grad()
    def set_scaling(self, state_mean: Tensor, state_std: Tensor) -> None:
        """States enter and leave as (state - mean) / std inside, angles the short way from their mean; stored with the
        weights.
        """
        self.state_mean.copy_(state_mean)
        self.state_std.copy_(state_std)

    @torch.no_grad()
    def set_temperature(self, temperature: float) -> None:
        """What logits are divided by, so that the chances that they give are those that are met."""
        self.temperature.fill_(temperature)

    def forward(self, now: Observation, goal: Observation) -> Opinion:
        """Observations [B], `now` with arm states, and with images where the head sees -> an opinion [B]."""
        seen, shown_latent = now.latent.flatten(1), goal.latent.flatten(1)
        scaled = state_difference(now.arm_state, self.state_mean) / self.state_std
        x = self.embed(torch.cat([seen, shown_latent - seen, scaled], dim=-1))
        if self.config.scene is not None:
            x = x + self.embed_scene(self.scene(now.images, goal.images))
        for block in self.blocks:
            x = x + block(x)
        x = self.norm(x)
        shown = self.goal_state(shown_latent) if self.config.reads_goal_alone else scaled + self.state_change(x)
        return Opinion(self.logits(x) / self.temperature, shown * self.state_std + self.state_mean)

    def of_views(self, views: Sequence[int]) -> "VerdictHead":
        """The same head, weights shared, where only some of the views are there, by number."""
        if self.config.scene is None:
            return self
        chosen = copy.copy(self)
        chosen._modules = {**self._modules, "scene": self.scene.of_views(views)}
        return chosen
