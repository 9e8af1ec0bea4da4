"""What a bundle says of itself."""

import shutil

from jepa_planner.cli.main import main
from jepa_planner.model.bundle import model_folder


def test_the_shipped_bundle_says_what_it_takes_and_how_it_is_planned_with(capsys):
    assert main(["model", "info"]) == 0
    said = capsys.readouterr().out
    assert "every file is as it was written" in said and "views in order: front, side" in said
    assert "mppi, 32 x 6, 2 steps ahead" in said and "a verdict on the objects" in said


def test_an_encoder_that_is_not_planned_with_says_so(capsys):
    assert main(["model", "info", "panda-dense"]) == 0
    said = capsys.readouterr().out
    assert "none: an encoder alone" in said and "256 x 128" in said and "search" not in said


def test_a_file_that_was_altered_is_named(tmp_path, capsys):
    bundle = shutil.copytree(model_folder(), tmp_path / "bundle")
    file = bundle / "encoder.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert main(["model", "info", str(bundle)]) == 2
    assert "encoder.safetensors: sha256 is" in capsys.readouterr().err
