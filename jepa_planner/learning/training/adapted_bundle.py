"""The bundle that becomes of one whose parts went on learning: what changed, and all else byte by byte."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from jepa_planner.learning.training.add_latent_statistics import HEADROOM, Examples, surprises
from jepa_planner.learning.training.change import Change
from jepa_planner.learning.training.demonstrations import Demonstrations
from jepa_planner.model.bundle import copy_planner, write_bundle
from jepa_planner.model.bundle_files import (
    ENCODER_FILE,
    PREDICTOR_FILE,
    STATISTICS_FILE,
    SUB_GOALS_FILE,
    VERDICT_FILE,
    VIEWING_DECODER_FILE,
    inside,
)
from jepa_planner.model.contract import Contract
from jepa_planner.model.latent_statistics import LatentStatistics
from jepa_planner.model.weights_file import stored_dtype
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.energy import energy_of
from jepa_planner.planning.planner_settings import PlannerSettings

BUNDLE_FILES = (ENCODER_FILE, PREDICTOR_FILE, STATISTICS_FILE, SUB_GOALS_FILE, VERDICT_FILE, VIEWING_DECODER_FILE)


@dataclass(frozen=True)
class Stage:
    """A part of a bundle: its name and file, its weights as they are now, and what it was and is worth."""

    part: str
    file: str
    module: torch.nn.Module
    change: Change


def write_adapted(folder: Path, init: Path, contract: Contract, stages: Sequence[Stage]) -> None:
    """Writes the bundle `init` with a contract and with those stages that got better.

    What was exported of it before is left out: it is of the old weights.
    """
    changed = {stage.file: stage.module for stage in stages if stage.change.better}
    kept = [name for name in BUNDLE_FILES if name in contract.files]
    for name in kept:
        shutil.copyfile(inside(init, name), folder / name)
    copy_planner(init, folder)
    weights = {
        name: {key: (tensor,) for key, tensor in module.state_dict().items()} for name, module in changed.items()
    }
    write_bundle(folder, replace(contract, files=dict.fromkeys(kept, "")), weights, stored_dtype(folder / ENCODER_FILE))


def widen_limits(folder: Path, statistics: LatentStatistics, seen: Demonstrations) -> None:
    """What episodes show is known from now on: limits of what is not, in the bundle in a folder, reach beyond it."""
    model = WorldModel.load(folder)
    contract, limits = model.contract, model.contract.out_of_distribution
    if limits is None:
        return
    shown = Examples(*(torch.from_numpy(np.array(part)) for part in (seen.latents, seen.states, seen.actions)))
    energy = energy_of(PlannerSettings.load(folder, contract).energy.kind, model.decoder)
    largest = {
        "latent_distance": statistics.distance(shown.latents).max(),
        "arm_error_m": statistics.arm_error_m(shown.latents, shown.states).max(),
        "surprise": surprises(model, energy, shown).max(),
    }
    wider = {name: max(getattr(limits, name), HEADROOM * float(value)) for name, value in largest.items()}
    spec = replace(limits, **wider, data=f"{limits.data}; widened to {len(seen.states)} episodes")
    write_bundle(folder, replace(contract, out_of_distribution=spec), {}, torch.float32)
