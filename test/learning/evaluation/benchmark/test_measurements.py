"""The arithmetic of what is measured, on models so small that nothing takes time."""

from dataclasses import replace

import pytest
import torch
from small_models import small_world_model
from small_planner import small_planner

from jepa_planner.learning.evaluation.benchmark import full_size
from jepa_planner.learning.evaluation.benchmark.comparison import compare, comparison_table
from jepa_planner.learning.evaluation.benchmark.peak import matmul_peak_flops
from jepa_planner.learning.evaluation.benchmark.replanning import time_replanning
from jepa_planner.learning.evaluation.benchmark.scaling import scaling_in_horizon, scaling_in_samples, scaling_table
from jepa_planner.learning.evaluation.benchmark.subjects import (
    MIDDLE_SIZE,
    REFERENCE_SPACE,
    Subject,
    bundle_subject,
    middle_subject,
    random_predictor,
)
from jepa_planner.learning.evaluation.benchmark.work import search_flops
from jepa_planner.model.rollout.engine import RolloutEngine
from jepa_planner.planning.energy import LastStepL1
from jepa_planner.planning.solvers.cem import CemSettings

CPU = torch.device("cpu")
TINY = replace(MIDDLE_SIZE, latent_channels=24, grid=(2, 2), width=48, depth=2, heads=2, mlp_hidden=96)


def tiny_subject(samples: int = 12, iterations: int = 2, horizon: int = 2) -> Subject:
    search = CemSettings(samples=samples, iterations=iterations, horizon=horizon, elites=3)
    return Subject("tiny", random_predictor(TINY, CPU), search, REFERENCE_SPACE, LastStepL1())


def test_both_paths_give_the_same_energies_and_the_numbers_follow_from_the_times():
    subject, pieces = tiny_subject(), []
    result = compare(subject, {"float32": 2e9, "float16": 1e9}, threads=1, repeats=2, advance=lambda: pieces.append(1))
    exact, rough = result.fast
    assert exact.energy_difference < 1e-5 < rough.energy_difference
    assert (exact.plan_difference, len(exact.plan.seconds), len(pieces)) == (0.0, 2, 6)
    assert result.plain_plan_s == 2 * result.plain_iteration.best_s
    assert exact.speedup == pytest.approx(result.plain_plan_s / exact.plan.best_s)
    assert result.plan_flops == search_flops(subject.predictor.config, subject.search)
    assert rough.peak_share == pytest.approx(result.plan_flops / rough.plan.best_s / 1e9)
    table = comparison_table("Tiny", [result])
    assert [row[0].split(", ")[-1] for row in table.rows] == ["plain float32", "float32", "float16"]


def test_problems_are_the_same_for_a_predictor_held_in_16_bits():
    exact, rough = tiny_subject(), tiny_subject()
    rough.predictor.to(torch.bfloat16)
    one, other = exact.problem(seed=3), rough.problem(seed=3)
    assert other.context.latents.dtype == other.goal.dtype == torch.float32
    assert (one.goal - other.goal).abs().max() < 0.1
    assert rough.predictor.predictor_proj.weight.dtype == torch.bfloat16


def test_a_path_that_computes_something_else_is_seen(monkeypatch):
    subject = tiny_subject()
    other = replace(subject, predictor=random_predictor(TINY, CPU, seed=1))
    monkeypatch.setattr(
        Subject, "plain_energies", lambda self, problem: other.rough_energies(RolloutEngine(other.predictor), problem)
    )
    assert compare(subject, {"float32": 1e9}, 1, 1).fast[0].energy_difference > 1e-3


def test_problems_have_goals_that_some_candidate_reaches():
    subject = tiny_subject()
    problem, other = subject.problem(0), subject.problem(1)
    assert torch.equal(problem.goal, subject.problem(0).goal) and not torch.equal(problem.goal, other.goal)
    energies = subject.rough_energies(RolloutEngine(subject.predictor), problem)
    assert energies(subject.candidates(200)).min() < 0.9 * energies(torch.zeros(1, 2, 7)).item()


def test_scaling_has_a_time_for_each_size_and_counts_candidate_steps():
    subject, pieces = tiny_subject(samples=6), []
    engine = RolloutEngine(subject.predictor, threads=1)
    samples = scaling_in_samples(subject, engine, (2, 4, 8), 2, lambda: pieces.append(1))
    horizons = scaling_in_horizon(subject, engine, (1, 3), 2, lambda: pieces.append(1))
    assert samples.candidate_steps == (4, 8, 16) and horizons.candidate_steps == (6, 18)
    assert [len(timing.seconds) for timing in samples.timings] == [2, 2, 2]
    assert len(pieces) == 10
    assert samples.candidate_steps_per_s == pytest.approx(16 / samples.timings[-1].best_s)
    table = scaling_table("Rollouts", [samples, samples])
    assert table.columns[:4] == ("samples (horizon 2)", "2", "4", "8") and len(table.rows) == 2


def test_replanning_is_the_controllers_loop_without_a_simulator():
    model, pieces = small_world_model(), []
    search = small_planner().search()
    found = time_replanning(model, small_planner(), search, plans=7, advance=lambda: pieces.append(1))
    assert len(found.observe_and_plan.seconds) == 7
    assert len(pieces) == 15  # whole goals of 5 steps, the first one to warm up
    assert (found.backend, found.dtype, found.solver, found.samples) == ("torch", "float32", "cem", search.samples)
    assert found.evaluations >= search.samples * search.iterations
    assert found.rate_hz == pytest.approx(1.0 / found.observe_and_plan.p50_s)


def test_a_bundle_is_searched_with_its_own_settings():
    model = small_world_model()
    subject = bundle_subject(model, small_planner())
    assert (subject.search, subject.frames, subject.device) == (small_planner().search(), 2, CPU)
    problem = subject.problem(0)
    assert [len(x) for x in (problem.context.latents, problem.context.states, problem.context.actions)] == [2, 2, 1]


def test_the_middle_size_is_what_its_name_says():
    subject = middle_subject(CPU, horizon=4)
    blocks = sum(p.numel() for p in subject.predictor.predictor_blocks.parameters())
    assert subject.predictor.config.latent_tokens == 64
    assert blocks == pytest.approx(6 * 12 * 384**2, rel=0.01)
    assert (subject.search.samples, subject.search.iterations, subject.search.horizon) == (200, 5, 4)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_peak_is_a_positive_number_of_operations(threads):
    assert 0.0 < matmul_peak_flops("float32", CPU, threads, spell_s=0.01) < 1e16


def test_full_size_needs_memory_and_says_how_much(monkeypatch):
    monkeypatch.setattr(full_size, "free_memory_bytes", lambda device: 1_000_000_000)
    with pytest.raises(full_size.TooLittleMemoryError, match=r"4\.3 GB of memory are needed, 1\.0 GB are free"):
        full_size.measure_paces({"float32": 1e9}, CPU, threads=1)
    assert "1.31 PFLOP" in full_size.work_note()


def test_paces_are_worked_out_for_as_many_candidates_as_the_paper_has(monkeypatch):
    monkeypatch.setattr(full_size, "full_subject", lambda device: tiny_subject())
    pieces = []
    paces = full_size.measure_paces({"float32": 1e9}, CPU, threads=1, advance=lambda: pieces.append(1))
    assert [(pace.path, pace.horizon) for pace in paces] == [("plain", 1), ("fast", 1), ("plain", 2), ("fast", 2)]
    assert len(pieces) == 4
    assert paces[0].search_s == pytest.approx(paces[0].rollout.best_s / full_size.CANDIDATES * 8000)
    assert len(full_size.pace_table(paces).rows) == 4
