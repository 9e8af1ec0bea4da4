import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from check_guards import guards  # noqa: E402


@pytest.mark.parametrize("guard", guards(), ids=lambda guard: guard.invariant)
def test_every_guard_stands_where_the_list_says_and_its_test_exists(guard):
    text = (ROOT / guard.file).read_text()
    assert guard.removed_from(text) != text
    file, _, name = guard.test.partition("::")
    assert f"def {name}" in (ROOT / file).read_text()


@pytest.mark.parametrize("guard", guards(), ids=lambda guard: guard.invariant)
def test_the_safety_page_names_every_guard_with_its_test(guard):
    file = guard.test.partition("::")[0]
    assert f"| {guard.invariant} | [{Path(file).name}](../{file})" in (ROOT / "docs" / "safety.md").read_text()
