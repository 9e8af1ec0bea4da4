"""The parts of a benchmark in order, each giving tables for people and numbers for programs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from jepa_planner.learning.evaluation.benchmark import full_size, scaling
from jepa_planner.learning.evaluation.benchmark.comparison import compare, comparison_table
from jepa_planner.learning.evaluation.benchmark.encoding import encoding_table, time_encoding
from jepa_planner.learning.evaluation.benchmark.machine import free_memory_bytes, peak_memory_bytes
from jepa_planner.learning.evaluation.benchmark.peak import matmul_peak_flops
from jepa_planner.learning.evaluation.benchmark.replanning import replanning_table, time_replanning
from jepa_planner.learning.evaluation.benchmark.subjects import bundle_subject, full_subject, middle_subject
from jepa_planner.learning.evaluation.benchmark.tables import Table
from jepa_planner.model.bundle import load_contract
from jepa_planner.model.onnx.graphs import ENCODER_ONNX
from jepa_planner.model.rollout.engine import MEMORY_BYTES, RolloutEngine
from jepa_planner.model.rollout.precision import best_dtype
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings

Advance = Callable[[], object]
Progress = Callable[[str, int], AbstractContextManager[Advance]]
"""Shows that a part with so many pieces of work begins; the returned function is called after each piece."""


@contextmanager
def silent(name: str, total: int) -> Iterator[Advance]:
    """`Progress` that shows nothing."""
    yield lambda: None


@dataclass(frozen=True)
class Part:
    """What one part found."""

    tables: tuple[Table, ...]
    numbers: Any


class Suite:
    """Everything that is measured with one model on one device; quick: seconds for each part, and rougher numbers."""

    def __init__(
        self, folder: Path, device: torch.device, threads: int, quick: bool = False, progress: Progress = silent
    ) -> None:
        self._folder, self._device, self._threads, self._quick, self._progress = (
            folder,
            device,
            threads,
            quick,
            progress,
        )
        self._dtypes = tuple(dict.fromkeys(("float32", best_dtype(device))))
        self.parts: dict[str, Callable[[], Part]] = {
            "peak": self.peak,
            "encoder": self.encoder,
            "replanning": self.replanning,
            "scaling": self.scaling,
            "bundle": self.bundle,
            "middle": self.middle,
            "full-size": self.full_size,
            "ros": self.ros,
            "predictors": self.predictors,
        }

    @cached_property
    def peaks(self) -> dict[str, float]:
        """Operations per second of matrix products, by number type; measured once and used by all parts."""
        with self._progress("peak", len(self._dtypes)) as advance:
            found = {}
            for dtype in self._dtypes:
                found[dtype] = matmul_peak_flops(dtype, self._device, self._threads, 0.05 if self._quick else 0.4)
                advance()
            return found

    def model(self, dtype: str = "float32", backend: str = "torch") -> WorldModel:
        """The bundle, loaded."""
        return WorldModel.load(self._folder, self._device, dtype, backend, self._threads)

    def peak(self) -> Part:
        """What the machine can multiply."""
        rows = tuple((dtype, f"{flops / 1e9:,.0f}") for dtype, flops in self.peaks.items())
        table = Table("Matmul peak", ("", "billion operations per s"), rows)
        return Part((table,), self.peaks)

    def encoder(self) -> Part:
        """From pictures to latents."""
        repeats, found = (10 if self._quick else 100), {}
        with self._progress("encoder", len(self._backends)) as advance:
            for backend in self._backends:
                model = self.model(backend=backend)
                found[backend] = time_encoding(model, repeats)
                advance()
        return Part((encoding_table(found, model.contract.image),), found)

    def replanning(self) -> Part:
        """From pictures to plans, with the model's own search and with the smallest that is known to do."""
        plans, found = (5 if self._quick else 40), []
        ways = [("torch", dtype) for dtype in self._dtypes] + [(backend, "float32") for backend in self._backends[1:]]
        settings = self._settings
        searches = [settings.search()] + [settings.search("mppi")] * (settings.solver != "mppi")
        with self._progress("replanning", len(ways) * len(searches) * (plans + 5)) as advance:
            for search in searches:
                for backend, dtype in ways:
                    found.append(time_replanning(self.model(dtype, backend), settings, search, plans, advance))
        return Part((replanning_table(found),), found)

    def scaling(self) -> Part:
        """How time grows, and what memory is held."""
        samples, horizons = scaling.SAMPLES, scaling.HORIZONS
        bundle = bundle_subject(self.model(), self._settings)
        work = [(scaling.scaling_in_samples, bundle, samples, 5), (scaling.scaling_in_horizon, bundle, horizons, 20)]
        if self._quick:
            work = [(measure, subject, sizes[:4], 1) for measure, subject, sizes, _ in work]
        else:
            middle = middle_subject(self._device, horizon=2).with_search(samples=20)
            work.append((scaling.scaling_in_horizon, middle, horizons, 4))
        tables, results = [], []
        pieces = sum(len(sizes) * rounds for _, _, sizes, rounds in work) * len(self._dtypes)
        with self._progress("scaling", pieces) as advance:
            for measure, subject, sizes, rounds in work:
                engines = [RolloutEngine(subject.predictor, dtype, threads=self._threads) for dtype in self._dtypes]
                measurements = [measure(subject, engine, sizes, rounds, advance) for engine in engines]
                tables.append(scaling.scaling_table(f"Rollouts of {subject.name}", measurements))
                results += measurements
        peak_gb = peak_memory_bytes(self._device) / 1e9
        bound = f"Chunks hold at most {MEMORY_BYTES / 1e9:.1f} GB"
        note = f"{bound}; the process held {peak_gb:.1f} GB at most, model included."
        return Part((*tables, Table("Memory", notes=(note,))), {"runs": results, "process_peak_gb": peak_gb})

    def bundle(self) -> Part:
        """The bundle's own search, plain and fast."""
        repeats = 1 if self._quick else 5
        with self._progress("bundle", repeats * (1 + len(self._dtypes))) as advance:
            subject = bundle_subject(self.model(), self._settings)
            found = compare(subject, self.peaks, self._threads, repeats, advance)
        return Part((comparison_table(f"{subject.name}, its own search", [found]),), found)

    def middle(self) -> Part:
        """A predictor 384 wide, 6 deep, on 64 tokens, plain and fast."""
        repeats, horizons, found = 1, (2, 4), []
        with self._progress("middle", len(horizons) * repeats * (1 + len(self._dtypes))) as advance:
            for horizon in horizons:
                subject = middle_subject(self._device, horizon)
                if self._quick:
                    subject = subject.with_search(samples=60, iterations=2)
                found.append(compare(subject, self.peaks, self._threads, repeats, advance))
        return Part((comparison_table(f"Predictor {subject.name}", found),), found)

    def full_size(self) -> Part:
        """The sizes of V-JEPA 2-AC."""
        title = "V-JEPA 2-AC's sizes"
        if self._quick:
            return Part((Table(title, notes=("left out with --quick", full_size.work_note())),), None)
        try:
            full_size.require_memory(self._device)
        except full_size.TooLittleMemoryError as error:
            return Part((Table(title, notes=(f"left out: {error}", full_size.work_note())),), None)
        if self._device.type == "cuda":
            with self._progress("full-size", 1 + len(self._dtypes)) as advance:
                comparison = compare(full_subject(self._device), self.peaks, self._threads, 1, advance)
            table = comparison_table("V-JEPA 2-AC's predictor (305 million weights, drawn at random)", [comparison])
            return Part((table, Table("", notes=(full_size.work_note(),))), comparison)
        with self._progress("full-size", len(full_size.HORIZONS) * (1 + len(self._dtypes))) as advance:
            paces = full_size.measure_paces(self.peaks, self._device, self._threads, advance)
        return Part((full_size.pace_table(paces),), paces)

    def ros(self) -> Part:
        """What the predictor as a ROS 2 node adds, and where the time goes while goals are pursued."""
        try:
            from jepa_planner.cli.ros import goal_speed
            from jepa_planner.cli.ros.ros_latency import measure_ros_latency, ros_latency_table
        except ImportError as error:
            return Part((Table("ROS 2", notes=(f"left out: {error}",)),), None)
        calls = 10 if self._quick else 60
        with self._progress("ros", 1 + calls) as advance:
            latency = measure_ros_latency(self._folder, self._device, self._threads, calls, advance)
        if self._quick or self._device.type != "cpu":
            note = "left out with --quick" if self._quick else "left out: measured on the CPU only"
            table = Table("A search while a goal is pursued", notes=(note,))
            return Part((ros_latency_table(latency), table), {"calls": latency, "executed": None})
        with self._progress("ros, goals being pursued", len(goal_speed.WAYS)) as advance:
            speed = goal_speed.measure_goal_speed(
                self._folder, self.model(), self._settings, self._threads, 40, advance
            )
        tables = (goal_speed.search_table(speed), goal_speed.step_table(speed), goal_speed.goal_table(speed))
        return Part((ros_latency_table(latency), *tables), {"calls": latency, "executed": speed})

    def predictors(self) -> Part:
        """One search over several predictor nodes, as many as there are cores, one core each."""
        title = "Several predictor nodes"
        try:
            from jepa_planner.cli.ros.predictor_scaling import (
                COUNTS,
                SETTLING,
                measure_predictor_scaling,
                predictor_scaling_table,
            )
        except ImportError as error:
            return Part((Table(title, notes=(f"left out: {error}",)),), None)
        counts = [count for count in COUNTS if count <= (os.cpu_count() or 1)]
        work = [(middle_subject(self._device, horizon=2), 16 if self._quick else 64, 3 if self._quick else 6)]
        if not self._quick and full_size.NEEDED_BYTES * max(counts) < free_memory_bytes(self._device):
            work.append((full_subject(self._device), 4, 2))
        found = []
        with self._progress("predictors", sum(SETTLING + rounds for *_, rounds in work)) as advance:
            for subject, candidates, rounds in work:
                found.append(measure_predictor_scaling(subject, candidates, counts, rounds, advance))
        return Part((predictor_scaling_table(found),), found)

    @cached_property
    def _settings(self) -> PlannerSettings:
        return PlannerSettings.load(self._folder, load_contract(self._folder))

    @cached_property
    def _backends(self) -> tuple[str, ...]:
        exported = ENCODER_ONNX in load_contract(self._folder).files
        return ("torch", "onnx") if exported else ("torch",)
