"""What the V-JEPA 2-AC reference code computed with tiny random weights in the released layout."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from jepa_planner.world_model.contract import (
    STATE_LAYOUTS,
    ActionSpec,
    Contract,
    EnergySpec,
    ImageSpec,
    LatentSpec,
    PlanningSpec,
    StateSpec,
    TrainingSpec,
)
from jepa_planner.world_model.vjepa2_ac_checkpoint import load_checkpoint
from jepa_planner.world_model.world_model import WorldModel

DATA = Path(__file__).parent.parent / "data"
CHECKPOINT = DATA / "vjepa2_ac_tiny.pt"
SIZE = (64, 64)


@cache
def vectors() -> dict[str, Tensor]:
    with np.load(DATA / "vjepa2_ac_tiny_vectors.npz") as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def reference_world_model() -> WorldModel:
    encoder, predictor = load_checkpoint(CHECKPOINT, SIZE)
    contract = Contract(
        name="tiny-vjepa2-ac",
        version="1",
        licence="none",
        image=ImageSpec(height=64, width=64, views=("camera",)),
        latent=LatentSpec(tokens=16, channels=128, grid=(4, 4)),
        state=StateSpec(channels=STATE_LAYOUTS[0], frame="panda_link0", tcp_frame="tcp"),
        action=ActionSpec(max_abs=(0.075, 0.075, 0.075, 0.0, 0.0, 0.0, 0.75), time_step_s=0.25),
        energy=EnergySpec(kind="last_step_l1", scale=1.0),
        planning=PlanningSpec(reached_energy=0.1, steps_per_sub_goal=4, gripper_deadband=0.25),
        training=TrainingSpec(data="random weights", command="none"),
        encoder=encoder.config,
        predictor=predictor.config,
    )
    return WorldModel(contract, encoder, predictor)


def relative_error(given: Tensor, expected: Tensor) -> float:
    """Largest difference over the largest expected magnitude."""
    assert given.shape == expected.shape
    return ((given - expected).abs().max() / expected.abs().max()).item()
