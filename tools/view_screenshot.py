"""Makes docs/view.png: the page of `jepa-planner view` while the simulated arm pursues a goal.

Needs chromium (Debian's package), playwright and nicegui: python tools/view_screenshot.py
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Error, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "view.png"
SIZE = {"width": 1280, "height": 1490}
COLOURS, MOST_BYTES = 256, 200_000
START_MS, GOAL_MS, PLANS = 120_000, 60_000, 9


def main() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", **os.environ}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "sim"), environment.get("PYTHONPATH", "")])
    with tempfile.TemporaryDirectory() as folder:
        calls = (["run", "--sim", "--log-level", "warn"], ["view", "--port", str(port), "--goals", folder])
        programs = [
            subprocess.Popen([sys.executable, "-m", "jepa_planner.cli.main", *call], env=environment) for call in calls
        ]
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
                take(browser.new_page(viewport=SIZE), f"http://localhost:{port}/")
                browser.close()
        finally:
            for program in programs:
                program.terminate()
                program.wait(20)
    print(f"{OUT}: {OUT.stat().st_size} bytes")
    return int(OUT.stat().st_size > MOST_BYTES)


def take(page: Page, address: str) -> None:
    for _ in range(60):  # until the page is served
        try:
            page.goto(address)
            break
        except Error:
            page.wait_for_timeout(1000)
    page.get_by_test_id("simulator").click(timeout=START_MS)
    page.get_by_test_id("send").click()
    page.wait_for_function(
        "n => (document.querySelector('[data-testid=goal]').innerText.match(/step (\\d+)/) || [0, 0])[1] >= n",
        arg=PLANS, timeout=GOAL_MS,
    )  # fmt: skip
    page.get_by_test_id("imagined").locator("img").nth(7).wait_for()
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_timeout(300)
    page.screenshot(path=OUT)
    Image.open(OUT).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(OUT, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
