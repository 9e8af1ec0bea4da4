"""Model bundles for nodes: where they are, and one copy per process however many nodes use it."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jepa_planner.core.goal_library import GoalLibrary
from jepa_planner.model.bundle import load_contract, model_folder
from jepa_planner.model.contract import Contract
from jepa_planner.model.rollout.precision import DTYPES
from jepa_planner.model.world_model import BACKENDS, WorldModel
from jepa_planner.nodes.parameters import Parameter, Parameters

VIEWS = Parameter("views", [""], "Of the model's views, those that there are cameras for; empty: all of them.")
MODEL_PARAMETERS = (
    Parameter("model", "", "Folder of the model bundle; empty: the one that ships."),
    VIEWS,
    Parameter("device", "cpu", "Where the model runs: cpu, cuda, cuda:0 ..."),
    Parameter(
        "dtype", "float32", "Type of matrix products; auto: the fastest here, confirmed in float32.", choices=DTYPES
    ),
    Parameter("threads", 0, "Cores for rollouts; 0: all, or OMP_NUM_THREADS where that is set.", 0, 1024),
    Parameter(
        "backend", "torch", "What runs the model; onnx needs its ONNX files, else torch is used.", choices=BACKENDS
    ),
)


def model_id(contract: Contract) -> str:
    """What latents are labelled with: latents of encoders whose weights or views differ never mix."""
    encoder, views = contract.files.get("encoder.safetensors", "")[:12], "+".join(contract.image.views)
    return " ".join(filter(None, (contract.name, contract.version, encoder, views)))


def contract_of(given: str | Path = "", views: Sequence[str] = ()) -> Contract:
    """Reads a bundle's contract without its weights; views: those that are there, empty names aside, if not all."""
    return load_contract(model_folder(given), [view for view in views if view])


def goal_library(contract: Contract) -> GoalLibrary:
    """The goals that were saved for a model, on this computer."""
    return GoalLibrary(contract.name, model_id(contract), contract.image.views)


def world_model(parameters: Parameters) -> WorldModel:
    """Loads a node's bundle, once per process. Raises BundleError, or RuntimeError for a device that is not there."""
    folder = model_folder(parameters["model"]).resolve()
    views = tuple(view for view in parameters["views"] if view)
    return _load(folder, *(parameters[name] for name in ("device", "dtype", "backend", "threads")), views)


@cache
def _load(folder: Path, device: str, dtype: str, backend: str, threads: int, views: tuple[str, ...]) -> WorldModel:
    return WorldModel.load(folder, device, dtype, backend, threads or None, views)
