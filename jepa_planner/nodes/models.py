"""Model bundles for nodes: where they are, and one copy per process however many nodes use it."""

from functools import cache
from pathlib import Path

from jepa_planner.nodes.parameters import Parameter
from jepa_planner.world_model.bundle import load_contract, model_folder
from jepa_planner.world_model.contract import Contract
from jepa_planner.world_model.world_model import WorldModel

MODEL_PARAMETERS = (
    Parameter("model", "", "Folder of the model bundle; empty: the one that ships."),
    Parameter("device", "cpu", "Where the model runs: cpu, cuda, cuda:0 ..."),
    Parameter("dtype", "float32", "Type of matrix products.", choices=("float32", "bfloat16", "float16")),
)


def model_id(contract: Contract) -> str:
    """What latents are labelled with: latents of encoders whose weights differ never mix."""
    return f"{contract.name} {contract.version} {contract.files.get('encoder.safetensors', '')[:12]}".strip()


def contract_of(given: str | Path = "") -> Contract:
    """Reads a bundle's contract without its weights."""
    return load_contract(model_folder(given))


def world_model(given: str | Path = "", device: str = "cpu", dtype: str = "float32") -> WorldModel:
    """Loads a bundle once per process. Raises BundleError, or RuntimeError for a device that is not there."""
    return _load(model_folder(given).resolve(), device, dtype)


@cache
def _load(folder: Path, device: str, dtype: str) -> WorldModel:
    return WorldModel.load(folder, device, dtype)
