"""The tiny checkpoint in the released layout, imported, with a search that takes no time."""

from dataclasses import replace
from pathlib import Path

import torch

from jepa_planner.core.strict_fields import to_plain
from jepa_planner.model.vjepa2.ac_checkpoint import find_vjepa2_ac
from jepa_planner.model.vjepa2.contract import ImportSettings, vjepa2_contract
from jepa_planner.model.vjepa2.import_bundle import import_bundle
from jepa_planner.planning.solvers.cem import CemSettings
from jepa_planner.planning.vjepa2_planner import vjepa2_planner

CHECKPOINT = Path(__file__).parents[1] / "data" / "vjepa2_ac_tiny.pt"
SMALL_SEARCH = CemSettings(horizon=2, samples=16, iterations=2, elites=4)


def import_tiny(folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    """Writes the bundle and returns its folder."""
    found = find_vjepa2_ac(CHECKPOINT, image_size=(64, 64))
    contract = vjepa2_contract(found, ImportSettings(name="tiny"), "jepa-planner model import")
    import_bundle(found, contract, to_plain(replace(vjepa2_planner(), cem=SMALL_SEARCH)), folder, dtype)
    return folder
