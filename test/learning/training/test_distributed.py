import json
import subprocess
import sys
from pathlib import Path

import torch

from jepa_planner.learning.training import distributed


def test_two_processes_see_different_windows_and_take_the_same_steps(tmp_path):
    script = Path(__file__).parent / "train_together.py"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    subprocess.run([*command, str(tmp_path)], check=True, timeout=100, capture_output=True)
    one, two = (torch.load(tmp_path / f"found-{rank}.pt", weights_only=True) for rank in (0, 1))
    assert one["drawn"] != two["drawn"]
    assert one["state"] == two["state"], "weights, and statistics averaged"
    assert one["state"]["seen"] == [0.5]
    log = [json.loads(line) for line in (tmp_path / "number.jsonl").read_text().splitlines()]
    assert [entry["iteration"] for entry in log] == [0, 5], "one of them writes"
    assert torch.load(tmp_path / "number.ckpt", weights_only=True)["iteration"] == 6


def test_alone_nothing_is_joined_and_the_windows_are_those_of_ever():
    distributed.join_group("cpu")
    assert (distributed.size(), distributed.rank(), distributed.own_device("cuda")) == (1, 0, "cuda")
    assert distributed.draw_seed(3, 7) == [3, 7]
