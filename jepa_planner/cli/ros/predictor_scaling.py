"""One search over several predictor nodes: candidates per second with one, two and more of them, a core each."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import rclpy
import torch
from rclpy.signals import SignalHandlerOptions

from jepa_planner.cli.ros.calling_node import calling_node
from jepa_planner.cli.ros.trials import own_domain
from jepa_planner.core.arm_layout import STATE_LAYOUTS
from jepa_planner.learning.evaluation.benchmark.subjects import Subject
from jepa_planner.learning.evaluation.benchmark.tables import Table, milliseconds
from jepa_planner.learning.evaluation.benchmark.timing import Timing, clocked
from jepa_planner.model.bundle import save_bundle
from jepa_planner.model.contract import Contract
from jepa_planner.model.contract_sections import ActionSpec, ImageSpec, LatentSpec, StateSpec, TrainingSpec
from jepa_planner.model.encoder import EncoderConfig, VideoEncoder
from jepa_planner.model.predictor import PredictorConfig
from jepa_planner.nodes.graph import PLANNER_MODULES, Processes
from jepa_planner.nodes.models import model_id
from jepa_planner.nodes.planner_node import wait_until
from jepa_planner.nodes.predictor_pool import PredictorPool
from jepa_planner.nodes.remote_model import ServiceTimeouts
from jepa_planner.planning.planner_settings import EnergySettings, PlannerSettings
from jepa_planner.planning.solvers.cem import CemSettings

START_TIMEOUT_S, ANSWER_TIMEOUT_S = 120.0, 600.0
COUNTS = (1, 2, 4)
SETTLING = 2
"""Batches before the measured ones, in which the shares find the speeds."""


@dataclass(frozen=True)
class PredictorScaling:
    """Seconds of a batch of so many candidates by the number of predictor nodes."""

    name: str
    candidates: int
    horizon: int
    seconds: dict[int, Timing]

    def per_second(self, count: int) -> float:
        """Candidates, of the median batch."""
        return self.candidates / self.seconds[count].p50_s

    def of_linear(self, count: int) -> float:
        """Share of `count` times what one does."""
        return self.per_second(count) / count / self.per_second(1)


def measure_predictor_scaling(
    subject: Subject, candidates: int, counts: Sequence[int], rounds: int, advance: Callable[[], object] = lambda: None
) -> PredictorScaling:
    """All counts take turns; `advance` is called after each turn. The weights are the subject's."""
    own_domain()
    with tempfile.TemporaryDirectory() as folder:
        contract = write_subject(subject, Path(folder))
        arguments = ["--ros-args", "--log-level", "warn", "-p", f"model:={folder}", "-p", "threads:=1"]
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        names = [f"predictor_{number}" for number in range(1, max(counts) + 1)]
        try:
            with _apart(names, arguments), calling_node() as caller:
                problem, actions = subject.problem(seed=0), subject.candidates(candidates)
                timeouts = ServiceTimeouts(START_TIMEOUT_S, ANSWER_TIMEOUT_S, lambda: None)
                pools = {count: PredictorPool(caller, names[:count], model_id(contract), timeouts) for count in counts}
                seconds: dict[int, list[float]] = {count: [] for count in counts}
                if not wait_until(lambda: len(pools[max(counts)].ready()) == max(counts), START_TIMEOUT_S):
                    raise RuntimeError(f"of {max(counts)} predictor nodes some are not there after {START_TIMEOUT_S} s")
                for turn in range(-SETTLING, rounds):
                    for count, pool in pools.items():
                        ask = partial(pool.energies, problem.context, problem.goal, actions)
                        taken_s, _ = clocked(ask, torch.device("cpu"))
                        if turn >= 0:
                            seconds[count].append(taken_s)
                    advance()
        finally:
            rclpy.shutdown()
    timings = {count: Timing(tuple(taken)) for count, taken in seconds.items()}
    return PredictorScaling(subject.name, candidates, subject.search.horizon, timings)


def predictor_scaling_table(results: Sequence[PredictorScaling]) -> Table:
    """A row per model and number of nodes."""
    rows = tuple(
        (
            f"{result.name}, {result.candidates} candidates, horizon {result.horizon}", str(count),
            milliseconds(timing.p50_s), f"{result.per_second(count):.1f}", f"{result.of_linear(count):.2f}",
            "" if count == 1 else milliseconds(result.seconds[1].p50_s - timing.p50_s),
        )
        for result in results
        for count, timing in result.seconds.items()
    )  # fmt: skip
    columns = ("", "predictor nodes", "median, ms", "candidates per s", "of linear", "saved, ms")
    note = "A node on another computer pays while a call to it takes less, there and back, than what is saved."
    return Table("One search over several predictor nodes, one core each", columns, rows, (note,))


def write_subject(subject: Subject, folder: Path) -> Contract:
    """A bundle with the subject's predictor, and an encoder of random weights that is as small as its latents allow."""
    sizes = subject.predictor.config
    if not isinstance(sizes, PredictorConfig):
        raise ValueError(f"{subject.name}: expected a predictor of many tokens")
    rows, columns = sizes.grid
    config = EncoderConfig(
        image_size=(16 * rows, 16 * columns), width=sizes.latent_channels, depth=1, heads=sizes.latent_channels // 64,
        mlp_hidden=64, tubelet_size=1,
    )  # fmt: skip
    contract = Contract(
        name="random", version="1", licence="Apache-2.0",
        image=ImageSpec(height=16 * rows, width=16 * columns, views=("camera",)),
        latent=LatentSpec(tokens=config.latent_tokens, channels=config.latent_channels, grid=config.latent_grid),
        state=StateSpec(channels=STATE_LAYOUTS[0], frame="base", tcp_frame="tcp"),
        action=ActionSpec(max_abs=subject.space.max_abs, time_step_s=0.25),
        training=TrainingSpec(data="none", command="", seeds=(0,), steps={}), encoder=config, predictor=sizes,
    )  # fmt: skip
    PlannerSettings(
        energy=EnergySettings(kind="last_step_l1", scale=1.0), reached_energy=0.0, steps_per_sub_goal=1,
        cem=CemSettings(horizon=subject.search.horizon),
    ).save(folder)  # fmt: skip
    return save_bundle(folder, VideoEncoder(config), subject.predictor, contract)


@contextmanager
def _apart(names: Sequence[str], arguments: list[str]) -> Iterator[None]:
    module = PLANNER_MODULES["predictor_node"]
    threads = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"  # of the nodes
    running = [Processes({name: module}, [*arguments, "-r", f"__node:={name}"]) for name in names]
    if threads is None:
        del os.environ["OMP_NUM_THREADS"]
    else:
        os.environ["OMP_NUM_THREADS"] = threads
    try:
        yield
    finally:
        for each in running:
            each.stop()
