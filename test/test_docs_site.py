import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from docs_site import file_of, for_the_site, linked, place_of  # noqa: E402


@pytest.mark.parametrize(
    "file", ["README.md", "docs/safety.md", "docs/reports/a.md", "config/panda.urdf", "CHANGELOG.md"]
)
def test_a_place_in_the_site_leads_back_to_its_file(file):
    assert file_of(place_of(file)) == file


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("README.md", "[x](docs/safety.md#setpoints)", "[x](safety.md#setpoints)"),
        ("README.md", "![x](docs/demo.gif)", "![x](demo.gif)"),
        ("docs/safety.md", "[x](../config/panda.urdf)", "[x](repository/config/panda.urdf)"),
        ("docs/quick_start.md", "[x](../README.md#in-python)", "[x](index.md#in-python)"),
        ("models/panda-varied/README.md", "[x](../../docs/safety.md)", "[x](../../../safety.md)"),
        ("studies/failures/REPORT.md", "![x](pictures/push.png)", "![x](pictures/push.png)"),
    ],
)
def test_links_lead_to_the_same_files_inside_the_site(file, text, expected):
    assert for_the_site(file, text) == expected


@pytest.mark.parametrize(
    "text", ["[x](nowhere.md)", "[x](#anchor)", "[x](https://a.org/safety.md)", "```\n[x](../README.md)\n```"]
)
def test_what_is_no_link_to_a_file_of_the_repository_stays(text):
    assert for_the_site("docs/planning.md", text) == text


def test_pages_bring_the_files_that_they_link_to():
    assert set(linked("docs/safety.md", "[a](../test/guards.yaml) [b](formats.md#episodes) [c](gone.md)")) == {
        "test/guards.yaml",
        "docs/formats.md",
    }
