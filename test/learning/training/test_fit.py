import json
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from jepa_planner.learning.training.fit import FitSettings, fit

SETTINGS = FitSettings(iterations=30, learning_rate=1e-2, warm_up=5, checkpoint_every=10)


def network(width: int = 8) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 2))


def losses_of(module: nn.Module, stop_at: int | None = None) -> Callable[[int], dict[str, Tensor]]:
    """A regression whose data depends on the iteration alone; `stop_at` is where the power fails."""

    def losses_at(iteration: int) -> dict[str, Tensor]:
        if iteration == stop_at:
            raise KeyboardInterrupt
        x = torch.randn(32, 4, generator=torch.Generator().manual_seed(iteration))
        return {"total": (module(x) - x[:, :2].sin()).pow(2).mean()}

    return losses_at


def run(folder: Path, module: nn.Module, stop_at: int | None = None, settings: FitSettings = SETTINGS) -> nn.Module:
    fit("net", module, losses_of(module, stop_at), settings, folder)
    return module


def log_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "net.jsonl").read_text().splitlines()]


def assert_same(one: nn.Module, other: nn.Module) -> None:
    for (name, given), expected in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(given, expected), name


def test_training_lowers_the_loss_and_logs_it(tmp_path):
    run(tmp_path, network())
    records = log_of(tmp_path)
    assert [record["iteration"] for record in records] == [0, 20, 29]
    assert records[-1]["total"] < 0.7 * records[0]["total"]
    assert all(record["seconds"] >= 0 for record in records)


def test_a_trained_module_is_left_in_evaluation_mode(tmp_path):
    assert not run(tmp_path, network()).training


@pytest.mark.parametrize("stop_at", [10, 14, 29])
def test_an_interrupted_run_ends_with_the_same_weights_as_one_that_was_not(tmp_path, stop_at):
    whole = run(tmp_path / "whole", network())
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", network(), stop_at)
    assert_same(run(tmp_path / "cut", network()), whole)


def test_an_interrupted_run_logs_no_iteration_twice(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, network(), stop_at=24)  # after a checkpoint at 20, and that iteration is logged
    with (tmp_path / "net.jsonl").open("a") as log:
        log.write('{"iteration": 24, "tot')
    run(tmp_path, network())
    assert [record["iteration"] for record in log_of(tmp_path)] == [0, 20, 29]


def test_an_interruption_before_the_first_checkpoint_starts_over(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", network(), stop_at=3)
    assert_same(run(tmp_path / "cut", network()), run(tmp_path / "whole", network()))


def test_a_longer_run_has_the_rates_of_its_own_schedule_at_once(tmp_path):
    settings = FitSettings(iterations=10, learning_rate=1e-2, warm_up=5, checkpoint_every=10)
    run(tmp_path, network(), settings=settings)  # whose last rate was near 0
    path = tmp_path / "net.ckpt"
    saved = torch.load(path, weights_only=True)
    for group in saved["optimiser"]["param_groups"]:
        del group["initial_lr"]  # as before there was one
    torch.save(saved, path)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, network(), 11, replace(settings, iterations=12, checkpoint_every=11))
    groups = torch.load(path, weights_only=True)["optimiser"]["param_groups"]
    assert groups[0]["lr"] == pytest.approx(1e-2 * 0.5 * (1 + math.cos(math.pi * 11 / 12)))


def test_no_iterations_leave_all_as_it_is(tmp_path):
    assert_same(run(tmp_path, network(), 0, FitSettings(iterations=0)), network())


def test_a_finished_run_is_taken_as_it_is(tmp_path):
    first = run(tmp_path, network())
    again = run(tmp_path, network(), stop_at=0)
    assert_same(again, first)


def test_a_longer_run_goes_on_from_a_shorter_one(tmp_path):
    run(tmp_path, network(), settings=FitSettings(iterations=10, checkpoint_every=10))
    calls = []
    module = network()
    losses_at = losses_of(module)
    fit("net", module, lambda i: calls.append(i) or losses_at(i), FitSettings(iterations=12), tmp_path)
    assert calls == [10, 11]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_run_by_name_and_iteration(tmp_path, value):
    module = network()
    losses_at = losses_of(module)

    def spoilt(iteration: int) -> dict[str, Tensor]:
        return {"total": losses_at(iteration)["total"] * (value if iteration == 17 else 1.0)}

    with pytest.raises(FloatingPointError, match=r"net: loss is (nan|inf) at iteration 17; lower the learning rate"):
        fit("net", module, spoilt, SETTINGS, tmp_path)
    assert all(parameter.isfinite().all() for parameter in module.parameters())
    assert torch.load(tmp_path / "net.ckpt", weights_only=True)["iteration"] == 10


def test_a_checkpoint_of_another_size_is_refused_by_name(tmp_path):
    run(tmp_path, network(width=8))
    with pytest.raises(ValueError, match=r"net\.ckpt is of a run with other settings"):
        run(tmp_path, network(width=9))


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None], ids=["empty", "text", "cut short"])
def test_a_damaged_checkpoint_is_refused_by_name(tmp_path, content):
    run(tmp_path, network())
    path = tmp_path / "net.ckpt"
    path.write_bytes(path.read_bytes()[:200] if content is None else content)
    with pytest.raises(ValueError, match=r"net\.ckpt is damaged or no checkpoint: delete it to begin again"):
        run(tmp_path, network())


def test_two_names_share_a_folder_without_touching_each_other(tmp_path):
    first, second = network(), network()
    fit("one", first, losses_of(first), SETTINGS, tmp_path)
    fit("two", second, losses_of(second), SETTINGS, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"one.ckpt", "one.jsonl", "two.ckpt", "two.jsonl"}


def test_weights_decay_and_biases_and_norms_do_not(tmp_path):
    module = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(1.0)

    def no_gradient(iteration: int) -> dict[str, Tensor]:
        return {"total": sum(0.0 * parameter.sum() for parameter in module.parameters())}

    fit("net", module, no_gradient, FitSettings(iterations=20, learning_rate=0.1, weight_decay=0.1), tmp_path)
    assert module[0].weight.max() < 0.99
    assert torch.all(module[0].bias == 1.0) and torch.all(module[1].weight == 1.0)


def test_frozen_parameters_stay_as_they_are(tmp_path):
    module = network()
    module[0].requires_grad_(False)
    before = module[0].weight.clone()
    run(tmp_path, module)
    assert torch.equal(module[0].weight, before)


def test_the_first_and_the_last_steps_are_small(tmp_path):
    """Warm-up at the start and a cosine to zero at the end."""
    module = nn.Linear(1, 1, bias=False)
    weights = []

    def constant_slope(iteration: int) -> dict[str, Tensor]:
        weights.append(module.weight.item())
        return {"total": module.weight.sum()}

    fit("net", module, constant_slope, FitSettings(40, learning_rate=0.1, weight_decay=0.0, warm_up=10), tmp_path)
    steps = [before - after for before, after in pairwise(weights)]
    assert steps[0] == pytest.approx(0.01, rel=0.05)
    assert max(steps) == pytest.approx(0.09, abs=0.01)
    assert steps[-1] < 0.002
