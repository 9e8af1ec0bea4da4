"""How time grows with the number of candidates and with the horizon."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from jepa_planner.learning.evaluation.benchmark.linearity import Line, fitted_line
from jepa_planner.learning.evaluation.benchmark.subjects import Subject
from jepa_planner.learning.evaluation.benchmark.tables import Table, milliseconds
from jepa_planner.learning.evaluation.benchmark.timing import Timing, timed
from jepa_planner.model.rollout.engine import RolloutEngine

SAMPLES = (64, 128, 256, 512, 1024, 2048)
HORIZONS = tuple(range(1, 9))


@dataclass(frozen=True)
class Scaling:
    """Rollouts of different sizes: what was varied, the sizes, seconds of each, and the line through them."""

    name: str
    dtype: str
    varied: str
    fixed: str
    sizes: tuple[int, ...]
    timings: tuple[Timing, ...]
    candidate_steps: tuple[int, ...]
    line: Line

    @property
    def candidate_steps_per_s(self) -> float:
        """At the largest size."""
        return self.candidate_steps[-1] / self.timings[-1].best_s


def scaling_in_samples(
    subject: Subject, engine: RolloutEngine, sizes: Sequence[int], rounds: int, advance: Callable[[], object]
) -> Scaling:
    """Rollouts of so many candidates, at the horizon of the subject's search."""
    horizon = subject.search.horizon
    return _scaling(
        subject, engine, "samples", f"horizon {horizon}", [(size, size, horizon) for size in sizes], rounds, advance
    )


def scaling_in_horizon(
    subject: Subject, engine: RolloutEngine, sizes: Sequence[int], rounds: int, advance: Callable[[], object]
) -> Scaling:
    """Rollouts of so many steps, with the samples of the subject's search."""
    samples = subject.search.samples
    return _scaling(
        subject, engine, "horizon", f"{samples} samples", [(size, samples, size) for size in sizes], rounds, advance
    )


def _scaling(
    subject: Subject,
    engine: RolloutEngine,
    varied: str,
    fixed: str,
    shapes: Sequence[tuple[int, int, int]],
    rounds: int,
    advance: Callable[[], object],
) -> Scaling:
    """All sizes take turns, `rounds` times, so that a disturbance does not meet one of them alone."""
    energies = subject.rough_energies(engine, subject.problem(seed=0))
    seconds: dict[int, list[float]] = {size: [] for size, _, _ in shapes}
    for number in range(rounds):
        for size, samples, horizon in shapes:
            candidates = subject.candidates(samples, horizon)
            seconds[size] += timed(partial(energies, candidates), subject.device, 1, warm_up=number == 0).seconds
            advance()
    timings = tuple(Timing(tuple(times)) for times in seconds.values())
    line = fitted_line(tuple(seconds), [timing.best_s for timing in timings])
    steps = tuple(samples * horizon for _, samples, horizon in shapes)
    return Scaling(subject.name, engine.dtype, varied, fixed, tuple(seconds), timings, steps, line)


def scaling_table(title: str, results: Sequence[Scaling]) -> Table:
    """A row per number type and a column per size; all results vary the same thing in the same sizes."""
    first = results[0]
    columns = (f"{first.varied} ({first.fixed})", *map(str, first.sizes), "off a line by", "candidate-steps per s")
    rows = tuple(
        (
            f"{result.dtype}, ms", *(milliseconds(timing.best_s) for timing in result.timings),
            f"{result.line.worst:.0%}", f"{result.candidate_steps_per_s:,.0f}",
        )
        for result in results
    )  # fmt: skip
    return Table(title, columns, rows, ("Off a line: largest deviation of a time from the best straight line.",))
