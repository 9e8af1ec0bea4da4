"""Planning with a predictor of the size of V-JEPA 2-AC: at what pace a machine that is too slow for it would go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from jepa_planner.learning.evaluation.benchmark.machine import free_memory_bytes
from jepa_planner.learning.evaluation.benchmark.subjects import FULL_SIZE, PAPER_SEARCH, full_subject
from jepa_planner.learning.evaluation.benchmark.tables import Table, milliseconds
from jepa_planner.learning.evaluation.benchmark.timing import Timing, timed
from jepa_planner.learning.evaluation.benchmark.work import fast_flops, search_flops
from jepa_planner.model.rollout.engine import RolloutEngine

NEEDED_BYTES = 4 << 30
CANDIDATES = 8
HORIZONS = (1, 2)


class TooLittleMemoryError(RuntimeError):
    """The machine cannot hold the predictor; the message says what is needed."""


@dataclass(frozen=True)
class Pace:
    """Rollouts of a few candidates, and how long as many as a search of the paper has would take."""

    path: str
    dtype: str
    horizon: int
    candidates: int
    rollout: Timing
    search_s: float
    peak_share: float


def require_memory(device: torch.device) -> None:
    """Raises TooLittleMemoryError where the predictor does not fit."""
    if (free := free_memory_bytes(device)) < NEEDED_BYTES:
        raise TooLittleMemoryError(
            f"its predictor has 305 million weights: {NEEDED_BYTES / 1e9:.1f} GB of memory are needed, "
            f"{free / 1e9:.1f} GB are free"
        )


def measure_paces(
    peaks: Mapping[str, float], device: torch.device, threads: int, advance: Callable[[], object] = lambda: None
) -> list[Pace]:
    """The plain path in float32 and the fast one in every type of `peaks`, which are operations per second.

    `advance` is called len(HORIZONS) * (1 + types) times. Raises TooLittleMemoryError.
    """
    require_memory(device)
    subject = full_subject(device)
    engines = {dtype: RolloutEngine(subject.predictor, dtype, threads=threads) for dtype in peaks}
    paces = []
    for horizon in HORIZONS:
        current = subject.with_search(horizon=horizon)
        problem, candidates = current.problem(seed=0), current.candidates(CANDIDATES)
        energies = {("plain", "float32"): current.plain_energies(problem)}
        for dtype, engine in engines.items():
            energies["fast", dtype] = current.rough_energies(engine, problem)
        for (path, dtype), energies_of in energies.items():
            rollout = timed(partial(energies_of, candidates), device, 1, warm_up=path == "fast")
            per_candidate_s = rollout.best_s / CANDIDATES
            share = fast_flops(subject.predictor.config, horizon) / per_candidate_s / peaks[dtype]
            search_s = per_candidate_s * PAPER_SEARCH.samples * PAPER_SEARCH.iterations
            paces.append(Pace(path, dtype, horizon, CANDIDATES, rollout, search_s, share))
            advance()
    return paces


def pace_table(paces: Sequence[Pace]) -> Table:
    """A row per path and horizon."""
    size = f"{PAPER_SEARCH.samples} x {PAPER_SEARCH.iterations}"
    columns = ("", f"{paces[0].candidates} candidates, ms", f"{size} would take, s", "of matmul peak")
    rows = tuple(
        (
            f"horizon {pace.horizon}, {pace.path} {pace.dtype}", milliseconds(pace.rollout.best_s),
            f"{pace.search_s:.0f}", f"{pace.peak_share:.0%}",
        )
        for pace in paces
    )  # fmt: skip
    return Table("V-JEPA 2-AC's predictor (305 million weights, drawn at random)", columns, rows, (work_note(),))


def work_note() -> str:
    """The arithmetic of the paper's search."""
    flops = search_flops(FULL_SIZE, PAPER_SEARCH)
    return (
        f"{PAPER_SEARCH.samples} samples x {PAPER_SEARCH.iterations} iterations at horizon {PAPER_SEARCH.horizon} are "
        f"{flops / 1e15:.2f} PFLOP (the paper gives 16 s for them on an RTX 4090): {flops / 0.99e15:.1f} s at the 0.99 "
        "PFLOP/s in bfloat16 of an NVIDIA H100's data sheet, 1.7 s at what large products reach there."
    )
