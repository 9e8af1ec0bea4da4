"""Where the imagined futures of one context begin, and how one chunk of them is run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from jepa_planner.core.context import Context
from jepa_planner.model.rollout.delta_block import Delta
from jepa_planner.model.rollout.network import Memory, StepNetwork


@dataclass(frozen=True)
class Start:
    """What all candidates share: the network, the present, and what earlier steps left in a memory of one.

    latent [1, N, D], state [S]; steps: so many before the present.
    """

    network: StepNetwork
    latent: Tensor
    state: Tensor
    steps: int
    past: Memory

    @classmethod
    def from_context(cls, network: StepNetwork, context: Context) -> Start:
        """Runs the steps before the present, once."""
        steps = len(context.actions)
        memory = network.new_memory(1, steps)
        for step in range(steps):
            latent, action, state = (x[step, None] for x in (context.latents, context.actions, context.states))
            network.observe(latent, action, state, step, memory)
        return cls(network, context.latents[-1:], context.states[-1], steps, memory)

    def new_memory(self, candidates: int, horizon: int) -> Memory:
        """A memory for so many candidates that begins with the shared steps."""
        memory = self.network.new_memory(candidates, self.steps + horizon)
        self.write_into(memory)
        return memory

    def write_into(self, memory: Memory) -> None:
        """Makes the shared steps the first ones in a memory."""
        memory.begin_with(self.past, self.steps)

    def imagine(self, memory: Memory, actions: Tensor, states: Tensor) -> Tensor:
        """Latents after each action: actions [C, H, A] taken in states [C, H, S] -> float32 [C, H, N, D]."""
        latent, imagined = self.latent, []
        for step in range(actions.shape[1]):
            latent = self.network.predict(latent, actions[:, step], states[:, step], self.steps + step, memory)
            imagined.append(latent)
        return torch.stack(imagined, dim=1)

    def around(self, reference: Tensor, states: Tensor, parts: Delta) -> Start:
        """The same start for candidates near a reference [1, H, A] taken in states [1, H, S], which is run here."""
        known, near = parts.around(self.network.parts)
        exact = replace(self, network=self.network.with_parts(known))
        exact.imagine(exact.new_memory(1, reference.shape[1]), reference, states)
        return replace(self, network=self.network.with_parts(near))
