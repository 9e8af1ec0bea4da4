"""The fast path beside the plain one: the same plan, how many times sooner."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from jepa_planner.evaluation.benchmark.subjects import Subject
from jepa_planner.evaluation.benchmark.tables import Table, milliseconds
from jepa_planner.evaluation.benchmark.timing import Timing, clocked
from jepa_planner.evaluation.benchmark.work import search_flops
from jepa_planner.world_model.rollouts.engine import RolloutEngine


@dataclass(frozen=True)
class FastPlan:
    """Plans in one number type: seconds, times faster than plain, share of the matmul peak, and how exact.

    energy_difference: largest, of rollouts in this type before any confirmation, to the plain path's energies;
    plan_difference: largest, of the plan's actions to the plan in float32 with the same draws.
    """

    dtype: str
    plan: Timing
    speedup: float
    peak_share: float
    energy_difference: float
    plan_difference: float


@dataclass(frozen=True)
class Comparison:
    """plain_iteration: all samples of one iteration along the plain path; plain_plan_s: a whole search of them."""

    name: str
    samples: int
    iterations: int
    horizon: int
    plain_iteration: Timing
    plain_plan_s: float
    plan_flops: float
    fast: tuple[FastPlan, ...]


def compare(
    subject: Subject,
    peaks: Mapping[str, float],
    threads: int,
    repeats: int,
    advance: Callable[[], object] = lambda: None,
) -> Comparison:
    """Plain and fast take turns, so that what else the machine does meets both; ratios are of the best times.

    peaks: matmul operations per second by number type, of the types to try; "float32" is the first of them. `advance`
    is called repeats * (1 + types) times.
    """
    search, device, problem = subject.search, subject.device, subject.problem(seed=0)
    plain_energies, candidates = subject.plain_energies(problem), subject.candidates(search.samples)
    engines = {dtype: RolloutEngine(subject.predictor, dtype, threads=threads) for dtype in peaks}
    plans = {dtype: subject.plan(subject.fast_energies(engine, problem)) for dtype, engine in engines.items()}
    plain_s, fast_s = [], {dtype: [] for dtype in engines}
    for number in range(repeats):
        seconds, expected = clocked(partial(plain_energies, candidates), device)
        plain_s.append(seconds)
        advance()
        for dtype, engine in engines.items():
            fresh = subject.fast_energies(engine, subject.problem(seed=1 + number))  # nothing is known of it yet
            seconds, _ = clocked(partial(subject.plan, fresh), device)
            fast_s[dtype].append(seconds)
            advance()
    plain_plan_s, flops = (
        min(plain_s) * search.iterations,
        search_flops(subject.predictor.config, search, subject.frames - 1),
    )
    found = []
    for dtype, engine in engines.items():
        rough = subject.rough_energies(engine, problem)(candidates)
        timing = Timing(tuple(fast_s[dtype]))
        found.append(
            FastPlan(
                dtype, timing, plain_plan_s / timing.best_s, flops / timing.best_s / peaks[dtype],
                (rough - expected).abs().max().item(),
                (plans[dtype].actions - plans["float32"].actions).abs().max().item(),
            )
        )  # fmt: skip
    return Comparison(
        subject.name, search.samples, search.iterations, search.horizon, Timing(tuple(plain_s)), plain_plan_s, flops,
        tuple(found),
    )  # fmt: skip


def comparison_table(title: str, results: Sequence[Comparison]) -> Table:
    """A row per horizon and path."""
    columns = (
        "", "plan, ms", "times plain", "of matmul peak", "energies off by", "plan off by",
    )  # fmt: skip
    rows = []
    for result in results:
        size = f"{result.samples} x {result.iterations}, horizon {result.horizon}"
        rows.append((f"{size}, plain float32", milliseconds(result.plain_plan_s), "1", "", "", ""))
        rows += [
            (
                f"{size}, {fast.dtype}", milliseconds(fast.plan.best_s), f"{fast.speedup:.1f}", f"{fast.peak_share:.0%}",
                f"{fast.energy_difference:.1e}", f"{fast.plan_difference:.1e}",
            )
            for fast in result.fast
        ]  # fmt: skip
    notes = (
        f"Best of {len(results[0].plain_iteration.seconds)}. Plain: one iteration, times their number; see "
        "jepa_planner/world_model/rollouts/plain.py. Energies: before confirmation, largest difference to the plain "
        "path's; plan: largest difference to the plan in float32 with the same draws.",
    )
    return Table(title, columns, tuple(rows), notes)
