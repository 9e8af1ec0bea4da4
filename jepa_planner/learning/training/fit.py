"""The optimisation loop that encoder and predictor share: schedule, log, checkpoints that resume."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm

from jepa_planner.learning.training import distributed

LOG_EVERY = 20


@dataclass(frozen=True)
class FitSettings:
    """AdamW with linear warm-up and a cosine to zero."""

    iterations: int
    """Batches to learn from, one after another."""
    learning_rate: float = 6e-4
    """Where the warm-up ends, more than 0."""
    weight_decay: float = 0.03
    """Decay of weights of two or more dimensions, others having none; at least 0."""
    warm_up: int = 60
    """Iterations until the learning rate is reached, at least 0."""
    clip_norm: float = 1.0
    """Length of the whole gradient, to which a longer one is shortened; more than 0."""
    checkpoint_every: int = 200
    """Iterations from one checkpoint to the next, at least 1."""


def fit(
    name: str, module: nn.Module, losses_at: Callable[[int], dict[str, Tensor]], settings: FitSettings, folder: Path
) -> None:
    """Minimise `losses_at(iteration)["total"]` over the module's parameters.

    `losses_at` must draw its data from the iteration number alone: then a run that was interrupted and continues from
    `folder/NAME.ckpt` sees the same data as one that was not. Losses are appended to `folder/NAME.jsonl`. Of several
    processes (see `distributed`) the first one writes. Raises FloatingPointError when the loss is not finite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parameters = [p for p in module.parameters() if p.requires_grad]
    decayed = [p for p in parameters if p.ndim > 1]
    plain = [p for p in parameters if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=settings.learning_rate,
        betas=(0.9, 0.95),
    )
    checkpoint = folder / f"{name}.ckpt"
    first = _resume(checkpoint, module, optimiser)
    for group in optimiser.param_groups:
        group["initial_lr"] = settings.learning_rate  # what a schedule that goes on takes its shares of
    schedule = LambdaLR(optimiser, lambda iteration: _share_of_rate(iteration, settings), last_epoch=first - 1)
    writes = distributed.rank() == 0
    log_file = folder / f"{name}.jsonl" if writes else Path(os.devnull)
    if writes:
        if first:
            print(f"{name}: {checkpoint} holds {first} of {settings.iterations} iterations; going on from there")
        _keep_log_until(first, log_file)
    started = time.monotonic()
    module.train()
    with (
        log_file.open("a") as log,
        tqdm(total=settings.iterations, initial=first, desc=name, disable=not writes) as bar,
    ):
        for iteration in range(first, settings.iterations):
            losses = losses_at(iteration)
            if not torch.isfinite(losses["total"]):
                raise FloatingPointError(
                    f"{name}: loss is {losses['total'].item()} at iteration {iteration}; lower the learning rate"
                )
            optimiser.zero_grad(set_to_none=True)
            losses["total"].backward()
            distributed.average_gradients(parameters)
            nn.utils.clip_grad_norm_(parameters, settings.clip_norm)
            optimiser.step()
            schedule.step()
            bar.update()
            if iteration % LOG_EVERY == 0 or iteration + 1 == settings.iterations:
                record = {key: round(value.item(), 5) for key, value in losses.items()}
                bar.set_postfix({key: f"{value:.3f}" for key, value in record.items()})
                seconds = round(time.monotonic() - started, 1)
                log.write(json.dumps({"iteration": iteration, "seconds": seconds, **record}) + "\n")
                log.flush()
            if (iteration + 1) % settings.checkpoint_every == 0 or iteration + 1 == settings.iterations:
                distributed.average_buffers(module)
                if writes:
                    _save(checkpoint, module, optimiser, iteration + 1)
    module.eval()


def _share_of_rate(iteration: int, settings: FitSettings) -> float:
    warm = min(1.0, (iteration + 1) / max(settings.warm_up, 1))
    return warm * 0.5 * (1.0 + math.cos(math.pi * iteration / max(settings.iterations, 1)))


def _save(path: Path, module: nn.Module, optimiser: torch.optim.Optimizer, iteration: int) -> None:
    partial = path.with_suffix(".partial")
    torch.save({"module": module.state_dict(), "optimiser": optimiser.state_dict(), "iteration": iteration}, partial)
    os.replace(partial, path)


def _resume(path: Path, module: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    if not path.exists():
        return 0
    try:
        saved = torch.load(path, weights_only=True, map_location="cpu")
    except (RuntimeError, EOFError, UnpicklingError) as error:
        raise ValueError(f"{path} is damaged or no checkpoint: delete it to begin again") from error
    try:
        module.load_state_dict(saved["module"])
        optimiser.load_state_dict(saved["optimiser"])
        return int(saved["iteration"])
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is of a run with other settings: {error}; use another run folder, or move it away"
        ) from error


def _keep_log_until(iteration: int, log: Path) -> None:
    """Takes out what was logged after the checkpoint that a run goes on from: it comes again."""
    lines = log.read_text().splitlines(keepends=True) if log.exists() else []
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)["iteration"] < iteration]
    if kept != lines:
        log.write_text("".join(kept))
