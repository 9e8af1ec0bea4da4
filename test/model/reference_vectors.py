"""What the V-JEPA 2-AC reference code computed with tiny random weights in the released layout."""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from jepa_planner.core.strict_fields import to_plain
from jepa_planner.model.vjepa2.ac_checkpoint import find_vjepa2_ac
from jepa_planner.model.vjepa2.contract import ImportSettings, vjepa2_contract
from jepa_planner.model.vjepa2.import_bundle import import_bundle
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.vjepa2_planner import vjepa2_planner

DATA = Path(__file__).parent.parent / "data"
CHECKPOINT = DATA / "vjepa2_ac_tiny.pt"
SIZE = (64, 64)
_FOLDER = tempfile.TemporaryDirectory(prefix="reference_bundle_")


@cache
def vectors() -> dict[str, Tensor]:
    # Kept for all tests: whoever asks first, they have to serve those that need gradients.
    with torch.inference_mode(False), np.load(DATA / "vjepa2_ac_tiny_vectors.npz") as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


@cache
def reference_bundle() -> Path:
    """The tiny checkpoint, imported in fp32 as a user would."""
    folder = Path(_FOLDER.name) / "tiny-vjepa2-ac"
    found = find_vjepa2_ac(CHECKPOINT, SIZE)
    contract = vjepa2_contract(found, ImportSettings(name=folder.name), "none")
    import_bundle(found, contract, to_plain(vjepa2_planner()), folder, torch.float32)
    return folder


def reference_world_model(dtype: str = "float32") -> WorldModel:
    return WorldModel.load(reference_bundle(), dtype=dtype)


def relative_error(given: Tensor, expected: Tensor) -> float:
    """Largest difference over the largest expected magnitude."""
    assert given.shape == expected.shape
    return ((given - expected).abs().max() / expected.abs().max()).item()
