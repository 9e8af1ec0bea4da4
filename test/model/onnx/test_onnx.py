"""Exported models in ONNX Runtime on the CPU beside torch: the released layout, and the model that ships."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from reference_vectors import reference_world_model, vectors
from small_models import small_world_model

from jepa_planner.cli.main import main
from jepa_planner.core.context import Context
from jepa_planner.model.bundle import load_contract, model_folder, save_bundle
from jepa_planner.model.bundle_files import BundleError, sha256
from jepa_planner.model.onnx import export as onnx_export
from jepa_planner.model.onnx import runtime as onnx_runtime
from jepa_planner.model.onnx.export import ExportError, export_bundle, relative_error
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.energy import latent_energy
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.rollout_cost import WorldModelCost
from jepa_planner.planning.solvers.noise import SeededNoise
from jepa_planner.planning.solvers.plan import PlanningProblem

TOLERANCE = 1e-5
ONNX_FILES = ("encoder.onnx", "predictor.onnx")


@pytest.fixture(scope="module")
def released_layout(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("released")
    model = reference_world_model()
    save_bundle(folder, model.encoder, model.predictor, model.contract)
    assert main(["model", "export", "--model", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def shipped(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shipped") / "model"
    shutil.copytree(model_folder(), folder)
    assert main(["model", "export", "--model", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def of_slots(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("slots")
    model = small_world_model(kind="mlp")
    save_bundle(folder, model.encoder, model.predictor, model.contract)
    assert main(["model", "export", "--model", str(folder)]) == 0
    return folder


@pytest.fixture(params=["released_layout", "shipped", "of_slots"])
def both(request) -> tuple[WorldModel, WorldModel]:
    """The same bundle in torch and in ONNX Runtime."""
    folder = request.getfixturevalue(request.param)
    return WorldModel.load(folder), WorldModel.load(folder, backend="onnx")


def images(model: WorldModel, batch: int) -> np.ndarray:
    image = model.contract.image
    shape = (batch, len(image.views), image.height + 4, image.width + 4, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def moment(model: WorldModel, frames: int) -> tuple[Context, torch.Tensor]:
    """What the encoder makes of random pictures, as a context and a goal."""
    generator = torch.Generator().manual_seed(0)
    latents = model.encode(images(model, frames + 1))
    states = model.predictor.state_mean + 0.05 * torch.randn(
        frames, len(model.contract.state.channels), generator=generator
    )
    return Context(latents[:frames], states, actions(model, frames - 1, 1)[:, 0]), latents[frames]


def actions(model: WorldModel, candidates: int, horizon: int) -> torch.Tensor:
    draws = torch.rand(candidates, horizon, 7, generator=torch.Generator().manual_seed(1)) * 2.0 - 1.0
    return draws * torch.tensor(model.contract.action.max_abs)


def test_the_export_adds_both_files_with_their_hashes_and_leaves_the_weights_alone(shipped):
    before, after = load_contract(model_folder()), load_contract(shipped)
    for name in ONNX_FILES:
        assert after.files[name] == sha256(shipped / name)
    assert {name: after.files[name] for name in before.files} == before.files
    assert sorted(file.name for file in shipped.iterdir() if file.name.startswith(".")) == []


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_latents_equal_those_of_torch(both, batch):
    torch_model, onnx_model = both
    assert (torch_model.backend, onnx_model.backend) == ("torch", "ONNX Runtime, CPUExecutionProvider")
    given, expected = (model.encode(images(model, batch)) for model in (onnx_model, torch_model))
    assert relative_error(given, expected) < TOLERANCE


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize(("candidates", "horizon"), [(1, 1), (7, 3)])
def test_imagined_latents_equal_those_of_torch(both, frames, candidates, horizon):
    torch_model, onnx_model = both
    context, _ = moment(torch_model, frames)
    given, expected = (
        model.rollout(context, actions(model, candidates, horizon)) for model in (onnx_model, torch_model)
    )
    assert given.shape == expected.shape
    assert relative_error(given, expected) < TOLERANCE


def test_chunks_change_nothing(shipped):
    model = WorldModel.load(shipped, backend="onnx")
    context, _ = moment(model, 2)
    whole = model.rollout(context, actions(model, 7, 2))
    model.engine._chunk = 3
    assert torch.allclose(model.rollout(context, actions(model, 7, 2)), whole, atol=1e-5)


@pytest.mark.parametrize("solver", ["cem", "mppi"])
def test_the_plan_equals_that_of_torch(shipped, solver):
    plans = []
    for backend in ("torch", "onnx"):
        model = WorldModel.load(shipped, backend=backend)
        settings = PlannerSettings.load(shipped, model.contract)
        context, goal = moment(model, 2)
        cost = WorldModelCost(model, latent_energy(settings.energy.kind))
        search = settings.search(solver).resized(samples=24, iterations=3).solver()
        space = settings.action_space(model.contract)

        def energy_of(candidates, cost=cost, context=context, goal=goal):
            return cost.energies(context, goal, candidates)

        plans.append(search.plan(PlanningProblem(energy_of, space), SeededNoise(0)))
    assert (plans[0].actions - plans[1].actions).abs().max() < 1e-3
    assert plans[0].energy == pytest.approx(plans[1].energy, rel=1e-4)


def test_gradients_still_flow_through_torch(shipped):
    model = WorldModel.load(shipped, backend="onnx")
    context, goal = moment(model, 1)
    candidates = actions(model, 2, 2).requires_grad_()
    WorldModelCost(model, latent_energy("last_step_mse")).energies(context, goal, candidates).sum().backward()
    assert candidates.grad.abs().max() > 0


def test_the_reference_vectors_pass_through_the_exported_encoder(released_layout):
    model = WorldModel.load(released_layout, backend="onnx")
    latents = model.encode(vectors()["frames"][:, None])
    assert relative_error(latents, vectors()["latents"]) < TOLERANCE


def test_a_bundle_without_onnx_files_runs_in_torch_and_says_how_to_get_them(tmp_path, caplog):
    model = small_world_model()
    save_bundle(tmp_path, model.encoder, model.predictor, model.contract)
    loaded = WorldModel.load(tmp_path, backend="onnx")
    assert loaded.backend == "torch"
    assert "has no encoder.onnx and no predictor.onnx" in caplog.text
    assert "jepa-planner model export --model" in caplog.text and "Torch is used" in caplog.text


def test_without_onnx_runtime_torch_is_used_and_the_message_names_the_package(shipped, caplog, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    model = WorldModel.load(shipped, backend="onnx")
    assert model.backend == "torch" and model.encode(images(model, 1)).shape == (1, 8, 16)
    assert "pip install 'jepa_planner[onnx]', or 'jepa_planner[gpu]'" in caplog.text


def test_a_file_that_onnx_runtime_cannot_run_is_named_and_torch_is_used(shipped, caplog, monkeypatch):
    monkeypatch.setattr(onnx_runtime, "PREDICTOR_ONNX", "predictor.safetensors")
    assert WorldModel.load(shipped, backend="onnx").backend == "torch"
    assert "predictor.safetensors: ONNX Runtime cannot run it" in caplog.text


def test_an_altered_onnx_file_is_refused_like_altered_weights(shipped, tmp_path):
    shutil.copytree(shipped, tmp_path / "model")
    with (tmp_path / "model" / "predictor.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match=r"predictor\.onnx: sha256 is"):
        WorldModel.load(tmp_path / "model")


def test_the_best_provider_that_is_there_is_taken(shipped, monkeypatch):
    asked = []
    monkeypatch.setattr(onnx_runtime, "_session", lambda path, providers: asked.append(providers))
    for available in (
        ["CPUExecutionProvider", "CUDAExecutionProvider"],
        ["CPUExecutionProvider", "AzureExecutionProvider"],
    ):
        monkeypatch.setattr("onnxruntime.get_available_providers", lambda available=available: available)
        onnx_runtime.best_session(shipped / "encoder.onnx")
    assert asked == [["CUDAExecutionProvider", "CPUExecutionProvider"], ["CPUExecutionProvider"]]


def test_an_export_that_computes_something_else_is_refused_and_leaves_the_bundle_as_it_was(
    shipped, tmp_path, monkeypatch, capsys
):
    """The exporters are replaced by ones that write the shipped model; the bundle has an encoder of other weights."""
    folder = tmp_path / "model"
    shutil.copytree(model_folder(), folder)
    model = WorldModel.load(folder)
    with torch.no_grad():
        model.encoder.slot_readout.weight.mul_(1.01)
    save_bundle(folder, model.encoder, model.predictor, model.contract)
    for part in ("encoder", "predictor"):
        ready = shipped / f"{part}.onnx"
        monkeypatch.setattr(onnx_export, f"export_{part}", lambda module, path, ready=ready: shutil.copy(ready, path))
    before = {file.name: sha256(file) for file in folder.iterdir()}
    assert main(["model", "export", "--model", str(folder)]) == 2
    assert "encoder.onnx differs from torch by" in capsys.readouterr().err
    assert {file.name: sha256(file) for file in folder.iterdir()} == before


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_an_export_without_its_packages_says_what_to_install(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ExportError, match=rf"{package} is not installed: pip install 'jepa_planner\[onnx\]'"):
        export_bundle(model_folder())


def test_an_unknown_backend_is_refused():
    with pytest.raises(ValueError, match="backend is 'tpu'; it must be one of torch, onnx"):
        WorldModel.load(model_folder(), backend="tpu")
