"""What ROS adds to an energy: calls to a predictor_node in another process, in this one, and without any node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import rclpy
import torch
from rclpy.signals import SignalHandlerOptions

from jepa_planner.cli.ros.calling_node import calling_node
from jepa_planner.cli.ros.trials import own_domain
from jepa_planner.learning.evaluation.benchmark.subjects import bundle_subject
from jepa_planner.learning.evaluation.benchmark.tables import Table, milliseconds
from jepa_planner.learning.evaluation.benchmark.timing import Timing, clocked
from jepa_planner.nodes.graph import PLANNER_MODULES, Processes, ros_arguments
from jepa_planner.nodes.local_model import LocalCost
from jepa_planner.nodes.models import world_model
from jepa_planner.nodes.planner_node import start
from jepa_planner.nodes.predictor_node import PredictorNode
from jepa_planner.nodes.predictor_pool import PredictorPool
from jepa_planner.nodes.remote_model import ServiceTimeouts
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.rollout_cost import RolloutCost

START_TIMEOUT_S = 60.0
WAYS = ("no node", "composed", "apart")


@dataclass(frozen=True)
class RosLatency:
    """Seconds until the energies of one batch are there, by way; a batch is one iteration of the model's search."""

    candidates: int
    horizon: int
    calls: dict[str, Timing]

    def added_s(self, way: str) -> float:
        """What a way adds to the computation: the difference of the calls that were disturbed least."""
        return self.calls[way].best_s - self.calls["no node"].best_s


def measure_ros_latency(
    folder: Path, device: torch.device, threads: int, calls: int, advance: Callable[[], object] = lambda: None
) -> RosLatency:
    """Calls each way in turns, so that what else the machine does meets all; `advance` is called after each turn."""
    own_domain()
    arguments = ros_arguments({"model": str(folder), "device": str(device), "threads": threads}, log_level="warn")
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    try:
        with _predictor_apart(arguments), calling_node() as caller:
            predictor = PredictorNode(namespace="here")  # another name than that of the one apart
            start([predictor])
            model = world_model(predictor.parameters)
            subject = bundle_subject(model, PlannerSettings.load(folder, model.contract))
            problem, actions = subject.problem(seed=0), subject.candidates(subject.search.samples)
            ways: dict[str, RolloutCost] = {
                "no node": predictor.cost,
                "composed": LocalCost(predictor, predictor.model_id, _nothing),
                "apart": PredictorPool(
                    caller,
                    ["predictor_node"],
                    predictor.model_id,
                    ServiceTimeouts(START_TIMEOUT_S, START_TIMEOUT_S, _nothing),
                ),
            }
            seconds: dict[str, list[float]] = {way: [] for way in WAYS}
            for turn in range(1 + calls):
                for way, cost in ways.items():
                    taken_s, _ = clocked(partial(cost.energies, problem.context, problem.goal, actions), device)
                    if turn:  # the first turn finds the other process and warms it up
                        seconds[way].append(taken_s)
                advance()
            predictor.destroy_node()
    finally:
        rclpy.shutdown()
    timings = {way: Timing(tuple(taken)) for way, taken in seconds.items()}
    return RosLatency(len(actions), subject.search.horizon, timings)


def ros_latency_table(result: RosLatency) -> Table:
    """A row per way."""
    rows = tuple(
        (
            way,
            milliseconds(timing.best_s),
            milliseconds(timing.p50_s),
            milliseconds(timing.p95_s),
            f"{1e3 * result.added_s(way):.2f}",
        )
        for way, timing in result.calls.items()
    )
    title = f"Energies of {result.candidates} candidates, {result.horizon} steps, through ROS 2"
    return Table(title, ("predictor_node", "best, ms", "median, ms", "95 %, ms", "added to the best, ms"), rows)


def _nothing() -> None:
    """What is done while a service is waited for."""


@contextmanager
def _predictor_apart(arguments: list[str]) -> Iterator[None]:
    processes = Processes({"predictor_node": PLANNER_MODULES["predictor_node"]}, arguments)
    try:
        yield
    finally:
        processes.stop()
