"""The fast path beside the plain one: the same plan, how many times sooner."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from torch import Tensor

from jepa_planner.learning.evaluation.benchmark.subjects import Subject
from jepa_planner.learning.evaluation.benchmark.tables import Table, milliseconds
from jepa_planner.learning.evaluation.benchmark.timing import Timing, clocked
from jepa_planner.learning.evaluation.benchmark.work import search_flops
from jepa_planner.model.rollout.engine import RolloutEngine

WARM_UP_CANDIDATES = 20


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
    search, device, candidates = subject.search, subject.device, subject.candidates(subject.search.samples)
    engines = {dtype: RolloutEngine(subject.predictor, dtype, threads=threads) for dtype in peaks}
    for engine in engines.values():  # the first use of an engine costs more than all later ones
        subject.rough_energies(engine, subject.problem(seed=repeats))(candidates[:WARM_UP_CANDIDATES])
    plain_s: list[float] = []
    runs: dict[str, _Runs] = {dtype: _Runs() for dtype in engines}
    for number in range(repeats):
        problem = subject.problem(seed=number)  # of which no engine knows anything yet
        seconds, expected = clocked(partial(subject.plain_energies(problem), candidates), device)
        plain_s.append(seconds)
        advance()
        for dtype, engine in engines.items():
            run, energies = runs[dtype], subject.fast_energies(engine, problem)
            seconds, plan = clocked(partial(subject.plan, energies), device)
            run.seconds.append(seconds)
            run.plans.append(plan.actions)
            if number == 0:
                rough = subject.rough_energies(engine, problem)(candidates)
                run.energy_difference = (rough - expected).abs().max().item()
            advance()
    plain_plan_s = min(plain_s) * search.iterations
    flops = search_flops(subject.predictor.config, search, subject.frames - 1)
    fast = tuple(
        FastPlan(
            dtype=dtype,
            plan=Timing(tuple(run.seconds)),
            speedup=plain_plan_s / min(run.seconds),
            peak_share=flops / min(run.seconds) / peaks[dtype],
            energy_difference=run.energy_difference,
            plan_difference=_largest_difference(run.plans, runs["float32"].plans),
        )
        for dtype, run in runs.items()
    )
    timing = Timing(tuple(plain_s))
    return Comparison(
        subject.name, search.samples, search.iterations, search.horizon, timing, plain_plan_s, flops, fast
    )


@dataclass
class _Runs:
    """What the rounds found out about one number type."""

    seconds: list[float] = field(default_factory=list)
    plans: list[Tensor] = field(default_factory=list)
    energy_difference: float = 0.0


def _largest_difference(plans: Sequence[Tensor], others: Sequence[Tensor]) -> float:
    return max((a - b).abs().max().item() for a, b in zip(plans, others, strict=True))


def comparison_table(title: str, results: Sequence[Comparison]) -> Table:
    """A row per horizon and path."""
    columns = ("", "plan, ms", "times plain", "of matmul peak", "energies off by", "plan off by")
    rows = []
    for result in results:
        size = f"{result.samples} x {result.iterations}, horizon {result.horizon}"
        rows.append((f"{size}, plain float32", milliseconds(result.plain_plan_s), "1", "", "", ""))
        for fast in result.fast:
            cells = f"{fast.speedup:.1f}", f"{fast.peak_share:.0%}", f"{fast.energy_difference:.1e}"
            name, plan_ms = f"{size}, {fast.dtype}", milliseconds(fast.plan.best_s)
            rows.append((name, plan_ms, *cells, f"{fast.plan_difference:.1e}"))
    notes = (
        f"Best of {len(results[0].plain_iteration.seconds)}. Plain: one iteration, times their number; see "
        "jepa_planner/model/rollout/plain.py. Energies: before confirmation, largest difference to the plain "
        "path's; plan: largest difference to the plan in float32 with the same draws.",
    )
    return Table(title, columns, tuple(rows), notes)
