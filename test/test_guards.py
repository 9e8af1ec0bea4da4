import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from check_guards import guards  # noqa: E402
from docs_site import guards_page  # noqa: E402


@pytest.mark.parametrize("guard", guards(), ids=lambda guard: guard.invariant)
def test_every_guard_stands_where_the_list_says_and_its_test_exists(guard):
    text = (ROOT / guard.file).read_text()
    assert guard.removed_from(text) != text
    file, _, name = guard.test.partition("::")
    assert f"def {name}" in (ROOT / file).read_text()


def test_the_page_of_guards_names_each_with_its_test():
    page = guards_page()
    for guard in guards():
        assert f"| {guard.invariant} | `{guard.file}` | `{guard.test}` |" in page
