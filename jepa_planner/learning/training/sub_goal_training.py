"""Third stage: the head that imagines sub-goals, trained on what came next on the way to where episodes led.

Goals are set in hindsight: a later frame of an episode is a goal that it reached, as long as it went there straight
(`last_goals`). What is learned is the next keyframe on the way there, or the goal itself where that comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from jepa_planner.core.arm_layout import XYZ
from jepa_planner.core.observation import Observation
from jepa_planner.core.poses import state_difference
from jepa_planner.learning.data.contact_segments import last_goals
from jepa_planner.learning.training.demonstrations import Demonstrations
from jepa_planner.learning.training.fit import FitSettings, fit
from jepa_planner.model.sub_goal_head import Hypotheses, SubGoalHead

HELD_OUT_DRAWS = 3000


@dataclass(frozen=True)
class SubGoalTraining:
    """Settings of the third stage."""

    fit: FitSettings
    """How weights are fitted."""
    batch: int = 256
    """Pairs of a present and a goal per iteration."""
    span: int = 32
    """A goal lies at most so many steps ahead, at least 1."""
    latent_noise: float = 0.1
    """Spread of the noise on the latents that are given, at least 0."""
    temperature: float = 0.05
    """How fast a hypothesis' share in the loss falls with its error, more than 0: the lower, the faster."""
    relaxation: float = 0.05
    """Weight of all hypotheses alike, which leaves none behind; at least 0."""
    choice_weight: float = 0.1
    """Weight of guessing which hypothesis is right, at least 0."""
    state_weight: float = 0.2
    """Weight of arm states, in units of their spread, beside latents; at least 0."""
    keyframe_share: float = 0.0
    """Share of goals that are keyframes themselves, as pictures of goals mostly are; in [0, 1]."""


class Drawn(NamedTuple):
    """Which frames of which episodes a batch is made of, int [B] each; the goal may be of another episode."""

    episode: np.ndarray
    now: np.ndarray
    then: np.ndarray
    goal_episode: np.ndarray
    goal: np.ndarray


class KeyframeBatch(NamedTuple):
    """A batch: latents and goals [B, N, D], states [B, S]; the next keyframes' latents [B, N, D] and states [B, S]."""

    latents: Tensor
    states: Tensor
    goals: Tensor
    next_latents: Tensor
    next_states: Tensor

    def observations(self, pixels: Tensor | None = None) -> tuple[Observation, Observation]:
        """What a head is given of them: the present and the goal; pixels [B, 2, V, 3, H, W]: of both, if it sees."""
        now, goal = (None, None) if pixels is None else (pixels[:, 0], pixels[:, 1])
        return Observation(self.latents, now, self.states), Observation(self.goals, goal)


@dataclass(frozen=True)
class KeyframeSampler:
    """Draws frames and hindsight goals from latents [E, T+1, N, D], states [E, T+1, S], next_keyframes int [E, T+1].

    last_goals int [E, T+1]: up to which frame goals are drawn from each, None: to the end.
    """

    latents: np.ndarray
    states: np.ndarray
    next_keyframes: np.ndarray
    span: int
    batch: int
    seed: int
    keyframe_share: float = 0.0
    last_goals: np.ndarray | None = None

    def draw(self, iteration: int) -> KeyframeBatch:
        """The same iteration gives the same batch."""
        return self.at(self.numbers(iteration))

    def numbers(self, iteration: int) -> Drawn:
        """Where the batch of an iteration is taken from."""
        rng = np.random.default_rng([self.seed, iteration])
        episodes, frames = self.next_keyframes.shape
        episode = rng.integers(episodes, size=self.batch)
        now = rng.integers(frames - 1, size=self.batch)
        last = np.minimum(now + self.span, frames - 1)
        if self.last_goals is not None:
            last = np.minimum(last, np.maximum(self.last_goals[episode, now], now + 1))
        goal = rng.integers(now + 1, last + 1)
        if self.keyframe_share:
            at_keyframe = rng.random(self.batch) < self.keyframe_share
            key = self.next_keyframes[episode, goal - 1]  # the goal itself where it is one, else the first after it
            goal = np.where(at_keyframe & (key <= last), key, goal)
        return Drawn(episode, now, np.minimum(self.next_keyframes[episode, now], goal), episode, goal)

    def at(self, drawn: Drawn) -> KeyframeBatch:
        """What is seen at those frames."""
        episode, now, then, goal_episode, goal = drawn
        latents, states = self.latents, self.states
        parts = (latents[episode, now], states[episode, now], latents[goal_episode, goal], latents[episode, then],
                 states[episode, then])  # fmt: skip
        return KeyframeBatch(*(torch.from_numpy(np.asarray(part)) for part in parts))


def keyframe_sampler(
    data: Demonstrations, episode_indices: np.ndarray, settings: SubGoalTraining, seed: int
) -> KeyframeSampler:
    """Of consecutive demonstrations, by number."""
    first, last = int(episode_indices[0]), int(episode_indices[-1]) + 1
    of_each = zip(data.arm_states[first:last], data.contacts(episode_indices), strict=True)
    straight = [last_goals(states, segments) for states, segments in of_each]
    return KeyframeSampler(
        *data.part(episode_indices), settings.span, settings.batch, seed, settings.keyframe_share, np.stack(straight)
    )


def sub_goal_losses(head: SubGoalHead, keyframes: KeyframeBatch, settings: SubGoalTraining) -> dict[str, Tensor]:
    """Soft winner-takes-all: each hypothesis learns from a keyframe as much as it is the one that foresaw it.

    "winner" is the error weighted by those shares, "all" that of all hypotheses alike, "choice" the cross entropy of
    the logits with the shares.
    """
    guesses = head(*keyframes.observations())
    return hypothesis_losses(guesses, keyframes, head.state_std, settings)


def hypothesis_losses(
    guesses: Hypotheses, keyframes: KeyframeBatch, state_std: Tensor, settings: SubGoalTraining
) -> dict[str, Tensor]:
    """See `sub_goal_losses`; state_std [S]: the spread of arm states, in whose units they count."""
    errors = (guesses.latents - keyframes.next_latents[:, None]).square().mean((-1, -2))
    of_states = state_difference(guesses.states, keyframes.next_states[:, None]) / state_std
    errors = errors + settings.state_weight * of_states.square().mean(-1)
    shares = torch.softmax(-errors.detach() / settings.temperature, dim=-1)
    losses = {
        "winner": (shares * errors).sum(-1).mean(),
        "all": errors.mean(),
        "choice": -(shares * torch.log_softmax(guesses.logits, dim=-1)).sum(-1).mean(),
    }
    losses["total"] = losses["winner"] + settings.relaxation * losses["all"] + settings.choice_weight * losses["choice"]
    return losses


def train_sub_goal_head(
    head: SubGoalHead, sampler: KeyframeSampler, settings: SubGoalTraining, folder: Path, seed: int
) -> None:
    """Train in place. `folder` receives log and checkpoints."""

    def losses_at(iteration: int) -> dict[str, Tensor]:
        keyframes = sampler.draw(iteration)
        with torch.random.fork_rng(devices=[]):  # noise and dropout follow from the iteration as well
            torch.manual_seed(seed * 1_000_003 + iteration)
            seen = [x + settings.latent_noise * torch.randn_like(x) for x in (keyframes.latents, keyframes.goals)]
            return sub_goal_losses(head, keyframes._replace(latents=seen[0], goals=seen[1]), settings)

    fit("sub_goals", head, losses_at, settings.fit, folder)
    head.requires_grad_(False)


@torch.inference_mode()
def foresight(head: SubGoalHead, sampler: KeyframeSampler) -> dict[str, float]:
    """How well the next keyframe is foreseen, best of held-out episodes.

    Mean squared error of latents for the best hypothesis, the most probable one, and copying the present latent; and
    the median error of the tcp's position (cm) of each.
    """
    keyframes = replace(sampler, batch=HELD_OUT_DRAWS).draw(0)
    return foresight_errors([(keyframes, head.eval()(*keyframes.observations()))])


def foresight_errors(parts: Sequence[tuple[KeyframeBatch, Hypotheses]]) -> dict[str, float]:
    """The numbers of `foresight`, of keyframes and what was foreseen of them."""
    measured: dict[str, list[Tensor]] = {}
    for keyframes, guesses in parts:
        errors = (guesses.latents - keyframes.next_latents[:, None]).square().mean((-1, -2))
        tcp_cm = 100 * (guesses.states - keyframes.next_states[:, None])[..., XYZ].norm(dim=-1)
        for name, chosen in (("best", errors.argmin(-1)), ("most_probable", guesses.logits.argmax(-1))):
            measured.setdefault(name, []).append(errors.gather(1, chosen[:, None])[:, 0])
            measured.setdefault(f"{name}_tcp_cm", []).append(tcp_cm.gather(1, chosen[:, None])[:, 0])
        measured.setdefault("copy", []).append((keyframes.latents - keyframes.next_latents).square().mean((-1, -2)))
        measured.setdefault("copy_tcp_cm", []).append(
            100 * (keyframes.states - keyframes.next_states)[:, XYZ].norm(dim=-1)
        )
    joined = {name: torch.cat(values) for name, values in measured.items()}
    return {
        name: round((values.median() if name.endswith("_cm") else values.mean()).item(), 4)
        for name, values in joined.items()
    }
