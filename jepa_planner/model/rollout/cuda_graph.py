"""On CUDA, a chunk's thousands of kernel launches recorded once and replayed as one."""

from dataclasses import replace

import torch
from torch import Tensor

from jepa_planner.model.rollout.network import Memory
from jepa_planner.model.rollout.start import Start

WARM_UP_RUNS = 3


class GraphedRollout:
    """`Start.imagine` for one shape and one memory, whose first steps may be rewritten between calls."""

    def __init__(self, start: Start, memory: Memory, actions: Tensor, states: Tensor) -> None:
        self._inputs = start.latent.clone(), actions.clone(), states.clone()
        latent, actions, states = self._inputs
        start = replace(start, latent=latent)
        recording = torch.cuda.Stream()
        recording.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(recording):
            for _ in range(WARM_UP_RUNS):
                start.imagine(memory, actions, states)
        torch.cuda.current_stream().wait_stream(recording)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._imagined = start.imagine(memory, actions, states)

    def __call__(self, latent: Tensor, actions: Tensor, states: Tensor) -> Tensor:
        """latent [1, N, D], actions [C, H, A], states [C, H, S] of the recorded shape -> [C, H, N, D]."""
        for fixed, given in zip(self._inputs, (latent, actions, states), strict=True):
            fixed.copy_(given)
        self._graph.replay()
        return self._imagined.clone()
