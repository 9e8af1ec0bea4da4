"""Command lines as a user types them."""

import json
from collections.abc import Callable
from pathlib import Path

from jepa_planner.cli import main as cli

PROMISED_KEYS = {
    "task", "episodes", "successes", "success_rate", "wilson_low", "wilson_high", "plan_seconds_median",
    "plan_seconds_p95", "baseline", "seed", "model",
}  # fmt: skip


def evaluate(report: Path, *arguments: str) -> dict:
    assert cli.main(["eval", *arguments, "--json", str(report)]) == 0
    found = json.loads(report.read_text())
    assert set(found) >= PROMISED_KEYS
    return found


def complaint(capsys, *arguments: str, main: Callable[[list[str]], int] = cli.main) -> str:
    """What the user reads, with status 2, when a command line makes no sense."""
    try:
        status = main(list(arguments))
    except SystemExit as ended:  # argparse's way
        status = ended.code
    assert status == 2
    return capsys.readouterr().err
