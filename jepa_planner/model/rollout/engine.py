"""The fast path: the imagined futures of many candidates, nothing computed twice and nothing copied per candidate."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from queue import SimpleQueue
from threading import Lock
from typing import Protocol

import torch
from torch import Tensor

from jepa_planner.core.context import Context
from jepa_planner.core.poses import rollout_states
from jepa_planner.model.predictor_kind import Predictor
from jepa_planner.model.rollout.network import StepNetwork
from jepa_planner.model.rollout.networks import eight_bits_of, network_of
from jepa_planner.model.rollout.start import Start
from jepa_planner.model.rollout.threads import chunk_threads, planning_threads
from jepa_planner.model.rollout.workspace import Workspace

Score = Callable[[Tensor, Tensor], Tensor]
"""What is kept of a chunk: imagined latents [C, H, N, D] and actions [C, H, A] -> [C, ..]."""

MEMORY_BYTES = 2 << 30
CPU_TOKENS = 640  # of one step and one chunk: enough for whole-speed products, few enough for a core's cache
CPU_TOKENS_INT8 = 6600  # these blocks keep to the cache by themselves
LEAST_CPU_TOKENS = 64  # of one step and one chunk: fewer are multiplied in the time in which the weights are read


class Rollouts(Protocol):
    """What runs rollouts of candidates, in a number type; see `RolloutEngine`."""

    @property
    def dtype(self) -> str: ...

    def evaluate(self, context: Context, actions: Tensor, score: Score, exact: bool = False) -> Tensor: ...


class RolloutEngine:
    """Imagines candidates from one context after another, in chunks.

    The past is run once per context and shared. Attention is causal over steps, so of each candidate only the newest
    step is run, against the keys and values of the earlier ones. Imagined arm states follow `apply_action`.

    dtype: "float32", "bfloat16", "float16" or "int8" (see `DeltaBlock`). chunk: candidates per chunk; None chooses.
    threads: chunks run at a time; None: `planning_threads` on a CPU, else 1. All of them together hold at most
    memory_bytes of keys, values and activations, but at least a candidate each. Callers from several threads wait for
    each other.
    """

    def __init__(
        self,
        predictor: Predictor,
        dtype: str = "float32",
        chunk: int | None = None,
        threads: int | None = None,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self.dtype = dtype
        self._predictor, self._chunk, self._memory_bytes = predictor, chunk, memory_bytes
        self._device = predictor.device
        self.threads = threads or (planning_threads() if self._device.type == "cpu" else 1)
        self._network = network_of(predictor, torch.float32 if dtype == "int8" else getattr(torch, dtype))
        if dtype == "int8":
            self._eight_bits = eight_bits_of(self._network)
        self._workspaces: SimpleQueue[dict[str, Workspace]] = SimpleQueue()
        for _ in range(self.threads):
            self._workspaces.put({"float32": Workspace(), dtype: Workspace()})
        self._lock = Lock()
        self._context: Context | None = None
        self._starts: dict[str, Start] = {}

    @torch.inference_mode()
    def evaluate(self, context: Context, actions: Tensor, score: Score, exact: bool = False) -> Tensor:
        """Scores [K, ..] of candidates [K, H, A], in their order; exact: in float32 whatever the dtype."""
        with self._lock:
            return self._evaluate(context, actions.to(self._device), score, "float32" if exact else self.dtype)

    def _evaluate(self, context: Context, actions: Tensor, score: Score, dtype: str) -> Tensor:
        start = self._shared_start(context, "float32" if dtype == "int8" else dtype)
        states = rollout_states(start.state, actions)
        if dtype == "int8":
            mean = actions.mean(dim=0, keepdim=True)  # 8 bits tell candidates apart by how they differ from it
            start = start.around(mean, rollout_states(start.state, mean), self._eight_bits)
        parts = self._parts(len(actions), start.steps + actions.shape[1], dtype)

        def run(part: tuple[Tensor, Tensor]) -> Tensor:
            workspaces = self._workspaces.get()
            try:
                with torch.inference_mode():  # which is a matter of each thread
                    return score(workspaces[dtype].imagine(start, *part), part[0])
            finally:
                self._workspaces.put(workspaces)

        work = zip(actions.tensor_split(parts), states.tensor_split(parts), strict=True)
        keeps_here = self._device.type != "cpu" or torch.get_num_threads() == self.threads == 1
        run_all = map if keeps_here else chunk_threads(self.threads).map
        return torch.cat(list(run_all(run, work)))

    def candidate_bytes(self, steps: int) -> int:
        """See `StepNetwork`."""
        return self._network.candidate_bytes(steps, eight_bits=self.dtype == "int8")

    def _parts(self, candidates: int, steps: int, dtype: str) -> int:
        """Into how many chunks of equal size, the same number for each thread unless they would be too small; steps:
        shared ones included.
        """
        workspaces = self.threads * (1 if self.dtype == "float32" else 2)
        chunk = max(1, self._memory_bytes // (workspaces * self.candidate_bytes(steps)))
        if self._chunk is not None:
            chunk = min(chunk, self._chunk)
        elif self._device.type == "cpu":
            tokens = CPU_TOKENS_INT8 if dtype == "int8" else CPU_TOKENS
            chunk = min(chunk, max(1, tokens // self._network.tokens_per_step))
        rounds = -(-candidates // (chunk * self.threads))
        parts = min(candidates, rounds * self.threads)
        if self._chunk is None and self._device.type == "cpu":
            parts = min(parts, max(1, candidates * self._network.tokens_per_step // LEAST_CPU_TOKENS))
        return max(parts, -(-candidates // chunk))

    def _shared_start(self, context: Context, dtype: str) -> Start:
        if not self._is_known(context):
            self._context, self._starts = context, {}
        if dtype not in self._starts:
            network = self._exact_network if dtype == "float32" else self._network
            self._starts[dtype] = Start.from_context(network, context.to(self._device))
        return self._starts[dtype]

    @cached_property
    def _exact_network(self) -> StepNetwork:
        return self._network if self._network.dtype == torch.float32 else network_of(self._predictor, torch.float32)

    def _is_known(self, context: Context) -> bool:
        known = self._context
        if known is None or known is context:
            return known is context
        parts = [(getattr(known, x), getattr(context, x)) for x in ("latents", "states", "actions")]
        return all(a.device.type == b.device.type == "cpu" and torch.equal(a, b) for a, b in parts)
