"""Sub-goals looked up instead of imagined: what came next where a demonstration was about here and went about there."""

from __future__ import annotations

import torch
from torch import Tensor

from jepa_planner.core.observation import Observation
from jepa_planner.learning.training.demonstrations import Demonstrations
from jepa_planner.model.sub_goal_head import Hypotheses

STATE_WEIGHT = 0.2
"""Of arm states, in units of their spread, beside latents: as in training the head."""


class RetrievedKeyframes:
    """Stands in for a `SubGoalHead`: the next keyframes of the demonstrations that fit best, one of each.

    A frame and a later frame of the same demonstration, at most `span` steps on, fit by the mean squared differences of
    their latents to the present one and to the goal's, and of the arm states.
    """

    def __init__(self, demonstrations: Demonstrations, span: int = 32, hypotheses: int = 4) -> None:
        self._latents = torch.from_numpy(demonstrations.latents[:].copy()).flatten(2)  # [E, T+1, N*D]
        self._states = torch.from_numpy(demonstrations.states).float()
        self._next = torch.tensor(demonstrations.next_keyframes)
        self._state_std = self._states.flatten(0, 1).std(dim=0).clamp_min(1e-6)
        self._span, self._hypotheses = span, min(hypotheses, len(self._latents))

    def __call__(self, now: Observation, goal: Observation) -> Hypotheses:
        """See `SubGoalHead.forward`; one at a time."""
        fitting = [self._fitting(*each) for each in zip(now.latent, now.state, goal.latent, strict=True)]
        return Hypotheses(*(torch.stack(parts) for parts in zip(*fitting, strict=True)))

    def _fitting(self, latent: Tensor, state: Tensor, goal: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        from_here = _distances(self._latents, latent.flatten())
        from_here += STATE_WEIGHT * _distances(self._states / self._state_std, state / self._state_std)
        to_goal, frames = _distances(self._latents, goal.flatten()), self._latents.shape[1]
        nearest, goal_frame = torch.full_like(to_goal, torch.inf), torch.zeros_like(self._next)
        for ahead in range(1, min(self._span, frames - 1) + 1):
            later = to_goal[:, ahead:]
            is_nearer = later < nearest[:, :-ahead]
            nearest[:, :-ahead][is_nearer] = later[is_nearer]
            goal_frame[:, :-ahead][is_nearer] = torch.arange(ahead, frames).expand_as(later)[is_nearer]
        misfits, frame = (from_here + nearest).min(dim=1)
        misfits, episode = misfits.topk(self._hypotheses, largest=False)
        frame = frame[episode]
        then = torch.minimum(self._next[episode, frame], goal_frame[episode, frame])
        return self._latents[episode, then].unflatten(-1, latent.shape), self._states[episode, then], -misfits


def _distances(all_of_them: Tensor, one: Tensor) -> Tensor:
    return (all_of_them - one).square().mean(dim=-1)
