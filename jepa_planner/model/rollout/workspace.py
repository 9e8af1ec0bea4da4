"""Memory that one thread uses again and again for its chunks."""

from __future__ import annotations

import torch
from torch import Tensor

from jepa_planner.model.rollout.cuda_graph import GraphedRollout
from jepa_planner.model.rollout.start import Start


class Workspace:
    """Keeps a memory from chunk to chunk, so that the shared steps are written into it once per context.

    On CUDA it keeps the recorded kernels too; parts smaller than the recorded ones are filled up.
    """

    def __init__(self) -> None:
        self._candidates = self._horizon = 0
        self._start: Start | None = None
        self._graph: GraphedRollout | None = None

    def imagine(self, start: Start, actions: Tensor, states: Tensor) -> Tensor:
        """`Start.imagine`; actions [C, H, A], states [C, H, S] -> [C, H, N, D]."""
        candidates = len(actions)
        self._prepare(start, *actions.shape[:2])
        if not actions.is_cuda:
            return start.imagine(self._memory, actions, states)
        if missing := self._candidates - candidates:
            actions, states = (torch.cat([x, x[-1:].expand(missing, -1, -1)]) for x in (actions, states))
        if self._graph is None:
            self._graph = GraphedRollout(start, self._memory, actions, states)
        return self._graph(start.latent, actions, states)[:candidates]

    def _prepare(self, start: Start, candidates: int, horizon: int) -> None:
        before = self._start
        fits = before is not None and before.steps == start.steps and self._horizon == horizon
        if not fits or self._candidates < candidates:
            self._memory = start.new_memory(candidates, horizon)
            self._candidates, self._horizon, self._graph = candidates, horizon, None
        elif before is not start:
            start.write_into(self._memory)
        self._start = start
