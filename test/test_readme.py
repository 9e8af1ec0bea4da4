"""What the first page promises: the example runs, it is short, and no link of any page leads nowhere."""

import re
from pathlib import Path

import pytest

from jepa_planner_sim.envs import PandaTaskEnv

ROOT = Path(__file__).resolve().parent.parent
PAGES = [page for kind in ("*.md", "docs/**/*.md", "models/*/README.md", "studies/*/*.md") for page in ROOT.glob(kind)]
MOST_LINES, MOST_ROWS = 120, 8


def anchor_of(heading: str) -> str:
    """As the pages' host makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def test_the_example_plans_an_action(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    env = PandaTaskEnv("reach")
    try:
        seen, _ = env.reset(seed=1_000_000, options={"goal_images": "one"})
        names = {"goal": env.goal_images[0], "pictures": seen["images"], "state": seen["state"]}
    finally:
        env.close()
    exec(example, names)
    assert names["decision"].action.shape == (7,) and "goal image 1" in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_leads_nowhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{target} of {page.name}"
        if anchor:
            headings = re.findall(r"(?m)^#+ (.*)$", file.read_text())
            assert anchor in map(anchor_of, headings), f"{target} of {page.name}"


def test_the_first_page_is_for_five_minutes():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= MOST_LINES and "**No real arm has been driven yet.**" in text
    results = text[text.index("## What it can do") : text.index("## In Python")]
    assert len(re.findall(r"(?m)^\| (?:standard|varied) ", results)) <= MOST_ROWS
