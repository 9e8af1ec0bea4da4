"""import as a user types it: what is written, and what a refusal says and leaves behind."""

from pathlib import Path

import pytest
import torch

from jepa_planner.cli.main import main
from jepa_planner.model.bundle import load_contract, load_encoder
from jepa_planner.model.world_model import WorldModel
from jepa_planner.planning.planner_settings import PlannerSettings

TINY = Path(__file__).parent.parent / "data" / "vjepa2_ac_tiny.pt"
AC, ENCODER = ["vjepa2-ac", "--image-size", "64"], ["vjepa2-encoder", "--image-size", "64"]


def complaint(capsys, *arguments: str) -> str:
    """The one line that the user reads, with status 2."""
    capsys.readouterr()
    assert main(["model", "import", *arguments]) == 2
    lines = [
        line
        for line in capsys.readouterr().err.replace("\r", "\n").splitlines()
        if "it/s" not in line and "B/s" not in line
    ]
    assert len(lines) == 1 and lines[0].startswith("jepa-planner model import: ")
    return lines[0]


def test_a_checkpoint_becomes_a_bundle_that_loads(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["jepa-planner", "model", "import", "vjepa2-ac", "my file.pt"])
    assert main(["model", "import", *AC, str(TINY), str(tmp_path / "my-model"), "--dtype", "bf16"]) == 0
    shown = capsys.readouterr()
    assert "encoder 128 wide, 2 deep, 2 heads, 64 px; predictor 64 wide, 2 deep, 1 heads" in shown.out
    assert "100%" in shown.err
    contract = WorldModel.load(tmp_path / "my-model").contract
    assert contract.name == "my-model"
    assert contract.training.command == "jepa-planner model import vjepa2-ac 'my file.pt'"


def test_the_switches_reach_the_contract(tmp_path):
    switches = ["--crop", "1.35", "--view", "front", "--frame", "base", "--tcp-frame", "tool0", "--time-step", "1.0"]
    more = ["--max-step", "0.075", "--reached-energy", "0.3", "--name", "mine", "--predictor-head-width", "32"]
    assert main(["model", "import", *AC, str(TINY), str(tmp_path / "out"), *switches, *more]) == 0
    contract = load_contract(tmp_path / "out")
    assert (contract.image.crop_aspect, contract.image.views, contract.name) == (1.35, ("front",), "mine")
    assert (contract.state.frame, contract.state.tcp_frame, contract.action.time_step_s) == ("base", "tool0", 1.0)
    assert (contract.action.max_abs[0], PlannerSettings.load(tmp_path / "out", contract).reached_energy) == (0.075, 0.3)
    assert contract.predictor.heads == 2


@pytest.mark.parametrize("key", ["encoder", "target_encoder"])
def test_an_encoder_is_imported_alone(tmp_path, key):
    assert main(["model", "import", *ENCODER, str(TINY), str(tmp_path / "out"), "--key", key]) == 0
    encoder, contract = load_encoder(tmp_path / "out")
    stored = torch.load(TINY, weights_only=True)[key]["module.backbone.norm.bias"]
    assert torch.equal(encoder.norm.bias, stored) and contract.predictor is None


def test_an_encoder_of_hugging_face_is_imported_from_a_folder_or_a_file(tmp_path):
    from transformers import VJEPA2Config, VJEPA2Model

    sizes = {"hidden_size": 64, "num_attention_heads": 1, "num_hidden_layers": 1, "crop_size": 64, "frames_per_clip": 2}
    predictor = {"pred_hidden_size": 24, "pred_num_attention_heads": 2, "pred_num_hidden_layers": 1}
    VJEPA2Model(VJEPA2Config(**sizes, **predictor)).save_pretrained(tmp_path / "hf")
    assert main(["model", "import", "vjepa2-encoder", str(tmp_path / "hf"), str(tmp_path / "a")]) == 0
    assert main(["model", "import", *ENCODER, str(tmp_path / "hf" / "model.safetensors"), str(tmp_path / "b")]) == 0
    a, b = (load_contract(tmp_path / name) for name in "ab")
    assert a.encoder == b.encoder and a.files == b.files


class Malicious:
    def __reduce__(self):
        return (Path.touch, (Path("code_ran"),))


def test_a_file_with_code_is_refused_and_its_code_does_not_run(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"encoder": {}, "predictor": {}, "opt": Malicious()}, "bad.pt")
    assert "loading it would run code: refused" in complaint(capsys, *AC, "bad.pt", "out")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.pt"]


def test_refusals_are_one_line_and_leave_nothing_behind(tmp_path, capsys):
    out, text, cut = str(tmp_path / "out"), tmp_path / "text.pt", tmp_path / "cut.pt"
    text.write_text("hello")
    cut.write_bytes(TINY.read_bytes()[:1_000_000])
    parts = torch.load(TINY, weights_only=True)
    del parts["predictor"]["module.predictor_norm.bias"]
    parts["opt"] = torch.full((64,), float("nan"))  # nobody looks at it
    torch.save(parts, tmp_path / "less.pt")
    before = sorted(tmp_path.iterdir())
    for says, arguments in (
        ("nowhere.pt: no such file", [*AC, "nowhere.pt", out]),
        (f"{tmp_path}: no such file", [*AC, str(tmp_path), out]),
        ("cut short", [*AC, str(text), out]),
        ("cut short", [*AC, str(cut), out]),
        ("predictor: missing predictor_norm.bias [64]", [*AC, str(tmp_path / "less.pt"), out]),
        ("expected multiples of 16", ["vjepa2-ac", "--image-size", "100", str(TINY), out]),
        ("no multiple of head width 48", [*AC, str(TINY), out, "--encoder-head-width", "48"]),
        ("action.time_step_s: must be positive", [*AC, str(TINY), out, "--time-step", "0"]),
        ("is no model bundle", [*AC, str(TINY), str(tmp_path), "--force"]),
        ("config.json: cannot be read", [*ENCODER, str(tmp_path), out]),
        ("leave it out", [*ENCODER, str(tmp_path), out, "--key", "encoder"]),
    ):
        assert says in complaint(capsys, *arguments)
        assert sorted(tmp_path.iterdir()) == before


def test_a_bundle_that_is_there_stays_unless_forced(tmp_path, capsys):
    assert main(["model", "import", *AC, str(TINY), str(tmp_path / "out"), "--name", "first"]) == 0
    assert "replace it with --force" in complaint(capsys, *AC, str(TINY), str(tmp_path / "out"), "--name", "second")
    assert load_contract(tmp_path / "out").name == "first"
    assert main(["model", "import", *AC, str(TINY), str(tmp_path / "out"), "--name", "second", "--force"]) == 0
    assert load_contract(tmp_path / "out").name == "second"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([*AC, "a.pt", "out", "--dtype", "int8"], "invalid choice: 'int8'"),
        (["gpt", "a.pt", "out"], "invalid choice: 'gpt'"),
        ([], "required"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(arguments, says, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["model", "import", *arguments])
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_import_explains_itself(capsys):
    for arguments in (["--help"], ["vjepa2-ac", "--help"], ["vjepa2-encoder", "--help"]):
        with pytest.raises(SystemExit) as ended:
            main(["model", "import", *arguments])
        assert ended.value.code == 0
    assert "usage: jepa-planner model import vjepa2-encoder" in capsys.readouterr().out
