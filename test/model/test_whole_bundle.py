"""A bundle is there as a whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from jepa_planner.model.whole_bundle import whole_bundle


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text(f"new {name}")


def test_a_new_folder_comes_into_being_with_all_of_its_files(tmp_path):
    place = tmp_path / "models" / "mine"
    with whole_bundle(place) as new:
        write(new, "model.yaml", "encoder.safetensors")
        assert not place.exists()
    assert sorted(path.name for path in place.iterdir()) == ["encoder.safetensors", "model.yaml"]
    assert [path.name for path in place.parent.iterdir()] == ["mine"]
    (tmp_path / "plain").mkdir()
    assert stat.S_IMODE(place.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_in_a_folder_that_is_there_the_contract_comes_last_and_other_files_stay(tmp_path, monkeypatch):
    write(tmp_path, "README.md", "model.yaml")
    moved, replace = [], Path.replace
    monkeypatch.setattr(Path, "replace", lambda path, to: (moved.append(path.name), replace(path, to)))
    with whole_bundle(tmp_path) as new:
        (new / "model.yaml").write_text("newer")
        write(new, "a.safetensors", "z.safetensors")
    assert moved == ["a.safetensors", "z.safetensors", "model.yaml"]
    assert (tmp_path / "model.yaml").read_text() == "newer" and (tmp_path / "README.md").exists()
    assert len(list(tmp_path.iterdir())) == 4


def test_what_a_killed_process_of_the_same_number_left_is_no_obstacle(tmp_path):
    place = tmp_path / "mine"
    left = tmp_path / f".mine-{os.getpid()}"
    left.mkdir()
    write(left, "half.safetensors")
    with whole_bundle(place) as new:
        write(new, "model.yaml")
    assert [path.name for path in place.iterdir()] == ["model.yaml"]


def test_where_taking_its_place_is_cut_short_the_rest_is_kept(tmp_path, monkeypatch):
    write(tmp_path, "model.yaml")

    def full(path: Path, to: Path) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space left"), whole_bundle(tmp_path) as new:
        (new / "model.yaml").write_text("newer")
    assert (new / "model.yaml").read_text() == "newer"


@pytest.mark.parametrize("is_there", [False, True])
def test_what_fails_on_the_way_leaves_no_trace(is_there, tmp_path):
    place = tmp_path / "mine"
    if is_there:
        place.mkdir()
        write(place, "model.yaml")
    with pytest.raises(KeyboardInterrupt), whole_bundle(place) as new:
        (new / "model.yaml").write_text("half")
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == (["mine"] if is_there else [])
    assert not is_there or (place / "model.yaml").read_text() == "new model.yaml"
