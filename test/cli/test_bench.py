"""bench as a user types it, on a model so small that it takes seconds."""

import json
from pathlib import Path

import pytest
import torch
from small_models import small_contract, small_encoder, small_predictor
from small_planner import small_planner
from typed import complaint

from jepa_planner.cli.main import main
from jepa_planner.model.bundle import save_bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    save_bundle(folder, small_encoder(), small_predictor(), small_contract())
    small_planner().save(folder)
    return folder


@pytest.fixture(autouse=True)
def torch_threads():
    """What --threads changes is put back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_quick_run_prints_tables_and_writes_them_as_json_and_markdown(folder, tmp_path, capsys):
    parts = ["peak", "encoder", "replanning", "scaling", "bundle", "full-size"]
    files = ["--json", str(tmp_path / "out" / "bench.json"), "--markdown", str(tmp_path / "out" / "bench.md")]
    assert main(["bench", "--quick", "--model", str(folder), "--threads", "1", "--parts", *parts, *files]) == 0
    said = capsys.readouterr().out
    for title in ("Matmul peak", "Encoder: 2 pictures of 32 x 32", "Replanning", "Rollouts of small", "its own search"):
        assert title in said
    assert f"torch {torch.__version__}" in said.splitlines()[0]
    found = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert set(found) == {"machine", "model", "quick", *parts}
    assert found["machine"]["threads"] == 1
    assert found["bundle"]["fast"][0]["energy_difference"] < 1e-5
    assert "| float32 |" in (tmp_path / "out" / "bench.md").read_text()


def test_parts_run_in_their_own_order_and_once(folder, capsys):
    assert main(["bench", "--quick", "--model", str(folder), "--parts", "encoder", "peak", "peak"]) == 0
    said = capsys.readouterr().out
    assert said.index("Matmul peak") < said.index("Encoder")
    assert said.count("Matmul peak") == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--threads", "0"], "'0' is no number of cores; expected 1 or more"),
        (["--threads", "many"], "'many' is no number of cores"),
        (["--device", "abacus"], "device 'abacus' cannot be used"),
        (["--model", "nowhere"], "nowhere/model.yaml: no such file"),
        (["--parts", "everything"], "invalid choice: 'everything'"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_line(capsys, arguments, expected):
    assert expected in complaint(capsys, "bench", *arguments)


def test_a_folder_is_no_file_to_write(folder, tmp_path, capsys):
    assert "is a folder" in complaint(capsys, "bench", "--model", str(folder), "--json", str(tmp_path))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named(capsys):
    assert "device 'cuda' cannot be used" in complaint(capsys, "bench", "--device", "cuda")
