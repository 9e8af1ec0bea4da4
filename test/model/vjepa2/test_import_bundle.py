import subprocess
import sys
from pathlib import Path

import pytest
import torch
from reference_vectors import CHECKPOINT, SIZE, reference_bundle, vectors

from jepa_planner.model.bundle import load_bundle, load_contract, load_encoder
from jepa_planner.model.bundle_files import BundleError, sha256
from jepa_planner.model.vjepa2.ac_checkpoint import find_vjepa2_ac, find_vjepa2_encoder
from jepa_planner.model.vjepa2.contract import ImportSettings, vjepa2_contract
from jepa_planner.model.vjepa2.foreign_weights import FoundModel
from jepa_planner.model.vjepa2.import_bundle import TargetError, import_bundle, work_bytes
from jepa_planner.model.world_model import WorldModel

PLANNER = {"reached_energy": 0.0}


def import_into(target: Path, found: FoundModel | None = None, dtype: torch.dtype = torch.float32, **options):
    found = found or find_vjepa2_ac(CHECKPOINT, SIZE)
    contract = vjepa2_contract(found, ImportSettings(name="tiny"), "jepa-planner model import ...")
    return import_bundle(found, contract, PLANNER, target, dtype, **options)


def stored(part: str) -> dict[str, torch.Tensor]:
    tensors = torch.load(CHECKPOINT, weights_only=True)[part]
    return {name.replace("module.", "").replace("backbone.", ""): tensor for name, tensor in tensors.items()}


def test_the_bundle_holds_the_weights_of_the_file():
    encoder, predictor, contract = load_bundle(reference_bundle())
    for module, part in ((encoder, "encoder"), (predictor, "predictor")):
        for name, tensor in stored(part).items():
            if name != "pos_embed":
                assert torch.equal(module.state_dict()[name], tensor), name
    assert torch.equal(predictor.state_mean, torch.zeros(7)) and torch.equal(predictor.action_std, torch.ones(7))
    assert not encoder.training and not predictor.training
    assert set(contract.files) == {"encoder.safetensors", "predictor.safetensors"}


def test_the_source_stands_in_the_contract_with_its_hash():
    training = load_contract(reference_bundle()).training
    assert training.source_files == {CHECKPOINT.name: sha256(CHECKPOINT)}
    assert training.data == f"imported from {CHECKPOINT.name}"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_are_stored_in_the_number_type_asked_for(tmp_path, dtype):
    import_into(tmp_path / "half", dtype=dtype)
    whole, half = (folder / "encoder.safetensors" for folder in (reference_bundle(), tmp_path / "half"))
    assert 1.9 < whole.stat().st_size / half.stat().st_size < 2.0
    encoder, _, _ = load_bundle(tmp_path / "half")
    weight = stored("encoder")["norm.weight"]
    assert encoder.norm.weight.dtype == torch.float32
    assert torch.equal(encoder.norm.weight, weight.to(dtype).float()) and not torch.equal(encoder.norm.weight, weight)


def test_matrices_can_be_held_in_the_type_of_the_arithmetic(tmp_path):
    encoder, predictor, _ = load_bundle(reference_bundle(), torch.bfloat16)
    assert encoder.blocks[0].attn.qkv.weight.dtype == predictor.predictor_proj.weight.dtype == torch.bfloat16
    assert encoder.norm.weight.dtype == encoder.patch_embed.proj.weight.dtype == torch.float32


def test_numbers_that_the_type_cannot_hold_are_refused_and_nothing_is_left(tmp_path):
    found = find_vjepa2_ac(CHECKPOINT, SIZE)
    weights = {**found.predictor, "predictor_norm.bias": (torch.full((64,), 1e6),)}
    found = FoundModel(found.files, found.encoder_config, found.encoder, found.predictor_config, weights)
    with pytest.raises(ValueError, match=r"predictor_norm\.bias: holds numbers that are not finite as torch\.float16"):
        import_into(tmp_path / "out", found, torch.float16)
    assert list(tmp_path.iterdir()) == []


def test_progress_adds_up_to_the_work(tmp_path):
    done: list[int] = []
    import_into(tmp_path / "out", dtype=torch.bfloat16, advance=done.append)
    assert sum(done) == work_bytes(find_vjepa2_ac(CHECKPOINT, SIZE), torch.bfloat16)


@pytest.mark.parametrize("what", ["a full disk", "Ctrl-C"])
def test_an_import_that_ends_early_leaves_what_was_there(tmp_path, what):
    import_into(tmp_path / "out")
    before = (tmp_path / "out" / "model.yaml").read_bytes()
    error = OSError("no space left on device") if what == "a full disk" else KeyboardInterrupt()
    calls = []

    def fail_late(_: int) -> None:
        calls.append(1)
        if len(calls) > 20:
            raise error

    with pytest.raises(type(error)):
        import_into(tmp_path / "out", force=True, advance=fail_late)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "model.yaml").read_bytes() == before


def test_a_bundle_is_replaced_only_by_force(tmp_path):
    import_into(tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(TargetError, match="exists; name another folder, or replace it with --force"):
        import_into(tmp_path / "out")
    import_into(tmp_path / "out", force=True)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "encoder.safetensors", "model.yaml", "out", "planner.yaml", "predictor.safetensors",
    ]  # fmt: skip


def test_a_folder_that_is_no_bundle_is_never_replaced(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"dear")
    with pytest.raises(TargetError, match="no model bundle"):
        import_into(tmp_path, force=True)
    assert (tmp_path / "holiday.jpg").read_bytes() == b"dear"


def test_the_folder_that_holds_the_source_is_not_replaced(tmp_path):
    import_into(tmp_path / "out")
    source = tmp_path / "out" / "ac.pt"
    source.write_bytes(CHECKPOINT.read_bytes())
    with pytest.raises(TargetError, match="holds the file to import"):
        import_into(tmp_path / "out", find_vjepa2_ac(source, SIZE), force=True)


def test_an_empty_folder_is_filled_and_as_open_to_others_as_any(tmp_path):
    for name in ("out", "any"):
        (tmp_path / name).mkdir()
    import_into(tmp_path / "out")
    load_contract(tmp_path / "out")
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "any").stat().st_mode


def test_an_encoder_alone_encodes_but_does_not_plan(tmp_path):
    import_into(tmp_path / "alone", find_vjepa2_encoder(CHECKPOINT, SIZE))
    encoder, contract = load_encoder(tmp_path / "alone")
    assert contract.predictor is None and set(contract.files) == {"encoder.safetensors"}
    with torch.inference_mode():
        latents = encoder(vectors()["clip"].movedim(0, 1)[:, None])
    assert torch.allclose(latents, vectors()["latents"], atol=1e-5)
    with pytest.raises(BundleError, match=r"model\.yaml: predictor is null: .* planning needs a predictor; train one"):
        WorldModel.load(tmp_path / "alone")


def test_the_encoder_of_a_whole_model_can_be_loaded_alone():
    encoder, contract = load_encoder(reference_bundle())
    assert encoder.config == contract.encoder


MEASURED_IMPORT = """
import sys, torch
from pathlib import Path
from jepa_planner.model.vjepa2.import_bundle import import_bundle
from jepa_planner.model.vjepa2.ac_checkpoint import find_vjepa2_ac
from jepa_planner.model.vjepa2.contract import ImportSettings, vjepa2_contract

def peak_bytes_of_import(checkpoint, size, out):
    found = find_vjepa2_ac(Path(checkpoint), size)
    contract = vjepa2_contract(found, ImportSettings(name="x"), "")
    import_bundle(found, contract, {}, Path(out), getattr(torch, sys.argv[4]))
    status = Path("/proc/self/status").read_text()  # ru_maxrss would begin with what the parent process had
    return 1024 * int(status.split("VmHWM:")[1].split()[0])

before = peak_bytes_of_import(sys.argv[1], (64, 64), sys.argv[3] + "/tiny")
print(peak_bytes_of_import(sys.argv[2], (256, 256), sys.argv[3] + "/large") - before)
"""
"""Prints by how much the peak of resident memory, mapped pages included, grows with the size of the checkpoint."""


@pytest.fixture(scope="module")
def large_checkpoint(tmp_path_factory) -> Path:
    """100 MB of weights with 200 MB of optimizer state behind them, in the released layout."""
    width, depth = 512, 6

    def blocks(name: str, depth: int) -> dict[str, torch.Tensor]:
        one = {"norm1.weight": (width,), "norm1.bias": (width,), "attn.qkv.weight": (3 * width, width),
               "attn.qkv.bias": (3 * width,), "attn.proj.weight": (width, width), "attn.proj.bias": (width,),
               "norm2.weight": (width,), "norm2.bias": (width,), "mlp.fc1.weight": (4 * width, width),
               "mlp.fc1.bias": (4 * width,), "mlp.fc2.weight": (width, 4 * width),
               "mlp.fc2.bias": (width,)}  # fmt: skip
        return {f"{name}.{i}.{key}": torch.zeros(shape) for i in range(depth) for key, shape in one.items()}

    def linear(name: str, inputs: int) -> dict[str, torch.Tensor]:
        return {f"{name}.weight": torch.zeros(width, inputs), f"{name}.bias": torch.zeros(width)}

    norms = {name: torch.zeros(width) for name in ("weight", "bias")}
    encoder = {"patch_embed.proj.weight": torch.zeros(width, 3, 2, 16, 16), "patch_embed.proj.bias": torch.zeros(width),
               **{f"norm.{name}": zeros for name, zeros in norms.items()}, **blocks("blocks", depth)}  # fmt: skip
    predictor = {
        **linear("predictor_embed", width), **linear("action_encoder", 7), **linear("state_encoder", 7),
        **linear("predictor_proj", width), **{f"predictor_norm.{name}": zeros for name, zeros in norms.items()},
        **blocks("predictor_blocks", 2),
    }  # fmt: skip
    path = tmp_path_factory.mktemp("large") / "large.pt"
    torch.save({"encoder": encoder, "predictor": predictor, "opt": {"state": torch.zeros(50_000_000)}}, path)
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read the Linux way")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_peak_memory_stays_below_the_weights_kept(large_checkpoint, tmp_path, dtype):
    command = [sys.executable, "-c", MEASURED_IMPORT, str(CHECKPOINT), str(large_checkpoint), str(tmp_path), dtype]
    grown_bytes = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    kept_bytes = sum(file.stat().st_size for file in (tmp_path / "large").glob("*.safetensors"))
    assert kept_bytes > 50_000_000
    assert grown_bytes < 1.2 * kept_bytes
