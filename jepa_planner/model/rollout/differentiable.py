"""Rollouts that gradients flow through, from the imagined latents back to the actions."""

from typing import Protocol

import torch
from torch import Tensor

from jepa_planner.core.context import Context
from jepa_planner.core.poses import rollout_states
from jepa_planner.model.predictor_kind import C


class Stepping(Protocol[C]):
    """The calls of a `Predictor` that a rollout makes."""

    def new_cache(self) -> C: ...

    def step(self, latent: Tensor, action: Tensor, state: Tensor, cache: C) -> Tensor: ...

    def observe(self, latent: Tensor, action: Tensor, state: Tensor, cache: C) -> None: ...

    def normalise_output(self, x: Tensor) -> Tensor: ...


def differentiable_rollout(predictor: Stepping[C], context: Context, actions: Tensor) -> Tensor:
    """Imagined latents in float32: actions [K, H, A] from one context -> [K, H, N, D]; all K in one piece."""
    latents, states, past = (  # autograd refuses what was made in inference mode
        x.clone() if x.is_inference() else x for x in (context.latents, context.states, context.actions)
    )
    cache = predictor.new_cache()
    for step in range(len(past)):
        predictor.observe(latents[step, None], past[step, None], states[step, None], cache)
    cache = cache.expanded(len(actions))
    latent, states = latents[-1].expand(len(actions), -1, -1), rollout_states(states[-1], actions)
    imagined = []
    for step in range(actions.shape[1]):
        latent = predictor.normalise_output(predictor.step(latent, actions[:, step], states[:, step], cache))
        imagined.append(latent)
    return torch.stack(imagined, dim=1)
