"""Removes each safety guard of test/guards.yaml in a copy of the sources, and shows that its test then fails.

`python tools/check_guards.py` tries them all and prints a table; `--only TEXT` those whose invariant holds the text.
Exit status 1 where a test passes without its guard, or where one fails with all of them.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

SOURCE = Path(__file__).resolve().parent.parent
LIST = SOURCE / "test" / "guards.yaml"
COPIED = ("jepa_planner", "sim", "studies", "test", "config", "pyproject.toml", "launch", "tools", "msg", "examples")
PASSED, FAILED = 0, 1
"""Exit statuses of pytest; others are mistakes in the list."""


@dataclass(frozen=True)
class Guard:
    """One guard: what it ensures, where it stands, what takes its place, and the test that notices."""

    invariant: str
    file: str
    code: str
    without: str
    test: str

    def removed_from(self, text: str) -> str:
        """The file's text without the guard; raises ValueError unless it occurs exactly once."""
        if (count := text.count(self.code)) != 1:
            raise ValueError(f"{self.file}: {self.code!r} occurs {count} times, expected once; mend {LIST.name}")
        return text.replace(self.code, self.without)


def guards() -> list[Guard]:
    """The list."""
    return [Guard(**entry) for entry in yaml.safe_load(LIST.read_text())]


def copy_sources(folder: Path) -> None:
    """What tests need, without what was built; models are linked."""
    for name in COPIED:
        if (SOURCE / name).is_dir():
            shutil.copytree(SOURCE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(SOURCE / name, folder / name)
    (folder / "models").symlink_to(SOURCE / "models")


def run_tests(folder: Path, *tests: str) -> int:
    """Exit status of pytest for tests in a copy."""
    # The copy comes before an editable installation; what else is on the path stays on it.
    path = [str(folder), str(folder / "sim"), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--timeout", "120", *tests]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True).returncode


def main() -> int:
    """Tries every guard."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="TEXT")
    chosen = [guard for guard in guards() if parser.parse_args().only.lower() in guard.invariant.lower()]
    holes = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "copy"
        folder.mkdir()
        copy_sources(folder)
        if run_tests(folder, *dict.fromkeys(guard.test for guard in chosen)) != PASSED:
            print("some of the tests fail with all guards in place: run `make test` first")
            return 1
        for guard in chosen:
            file = folder / guard.file
            text = file.read_text()
            file.write_text(guard.removed_from(text))
            without = run_tests(folder, guard.test)
            file.write_text(text)
            is_noticed = without == FAILED or without < 0  # by a signal: a test that takes its process down, too, fails
            holes += not is_noticed
            verdict = "ok" if is_noticed else "NOT PROVEN"
            print(f"{verdict:10s} {guard.invariant}  [{guard.file}: {guard.test.split('::')[-1]}]", flush=True)
    print(f"{len(chosen) - holes} of {len(chosen)} guards proven by a test that fails without them")
    return 1 if holes else 0


if __name__ == "__main__":
    sys.exit(main())
