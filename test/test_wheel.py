"""The wheel that `make build` makes, alone in an environment of its own: it finds what ships with it, and plans."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("jepa_planner", "sim", "config", "launch", "models", "pyproject.toml", "setup.py", "README.md", "LICENSE")
PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check")
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def run(*command: str | Path, folder: Path) -> str:
    ended = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=200)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The bin/ of an environment that holds the wheel and, by a .pth file, sees the libraries of this one.

    What a .pth file names is searched, but .pth files in there, such as an editable installation's, are not read.
    """
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    sources.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, sources / name)
    build = (*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, sources)
    run(sys.executable, *build, folder=folder)
    shutil.rmtree(sources)
    (wheel,) = folder.glob("*.whl")
    run(sys.executable, "-m", "venv", folder / "env", folder=folder)
    run(folder / "env" / "bin" / "python", *PIP, "install", "--no-deps", "--no-index", wheel, folder=folder)
    (packages,) = folder.glob("env/lib/python*/site-packages")
    libraries = [place for place in sys.path if Path(place).is_relative_to(sysconfig.get_path("purelib"))]
    (packages / "libraries.pth").write_text("\n".join(libraries))
    return folder / "env" / "bin"


def test_the_modules_and_the_models_are_those_of_the_wheel(installed, tmp_path):
    script = (
        "import jepa_planner, jepa_planner_sim; from jepa_planner.model.bundle import model_folder;"
        "print(jepa_planner.__file__, jepa_planner_sim.__file__, model_folder(), sep='\\n')"
    )
    found = run(installed / "python", "-c", script, folder=tmp_path).split()
    assert len(found) == 3 and all(Path(place).is_relative_to(installed.parent) for place in found), found


def test_the_shipped_model_is_tried_in_two_scenes(installed, tmp_path):
    command = (installed / "jepa-planner", "eval", "--task", "reach", "--episodes", "2")
    run(*command, "--json", tmp_path / "found.json", folder=tmp_path)
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["episodes"] == 2 and found["successes"] == 2
