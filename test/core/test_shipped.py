"""Files that ship are found in the source tree or in the package's own installation, and nowhere else."""

from pathlib import Path

import pytest

from jepa_planner.control.limits import shipped_config
from jepa_planner.core import shipped as module
from jepa_planner.core.shipped import shipped

ROOT = Path(__file__).resolve().parents[2]


def test_in_a_source_tree_they_are_those_of_the_tree():
    assert shipped("config/panda.urdf") == ROOT / "config" / "panda.urdf"
    assert shipped_config("panda_limits.yaml") == ROOT / "config" / "panda_limits.yaml"
    assert shipped("models/panda-tabletop").is_dir()


@pytest.mark.parametrize(
    ("package", "share"),
    [
        ("lib/python3.12/site-packages/jepa_planner", "share"),
        ("local/lib/python3.12/dist-packages/jepa_planner", "share"),
        ("usr/local/lib/python3.12/dist-packages/jepa_planner", "usr/local/share"),
        ("target/jepa_planner", "target/share"),
    ],
    ids=["a virtual environment or colcon", "colcon on Debian", "pip on Debian", "pip install --target"],
)
def test_in_an_installation_they_are_those_of_its_share_folder(tmp_path, monkeypatch, package, share):
    file = tmp_path / share / "jepa_planner" / "config" / "panda.urdf"
    file.parent.mkdir(parents=True)
    file.touch()
    monkeypatch.setattr(module, "PACKAGE", tmp_path / package)
    assert shipped("config/panda.urdf") == file


def test_what_lies_above_the_package_is_not_taken_for_what_ships(tmp_path, monkeypatch):
    for above in (tmp_path, tmp_path / "home", tmp_path / "home" / "venv"):
        (above / "config").mkdir(parents=True, exist_ok=True)
        (above / "config" / "panda_limits.yaml").touch()
    installed = tmp_path / "home" / "venv" / "lib" / "python3.12" / "site-packages" / "jepa_planner"
    monkeypatch.setattr(module, "PACKAGE", installed)
    with pytest.raises(FileNotFoundError, match=r"config/panda_limits\.yaml of jepa_planner was found at none of "):
        shipped("config/panda_limits.yaml")
