"""What a watch hears of real nodes is in the recording, as Rerun's own program reads it."""

import subprocess
import sys
from pathlib import Path

import pytest
from harness import small_bundle, under_way

from jepa_planner.cli import main as cli
from jepa_planner.cli.view.rerun_log import RerunLog
from jepa_planner.model.bundle import add_viewing_decoder, load_contract
from jepa_planner.model.pixel_decoder import PixelDecoder
from jepa_planner.nodes.client import PlannerClient
from jepa_planner.nodes.watch.planner_watch import PlannerWatch

RERUN = Path(sys.executable).with_name("rerun")


def test_a_goal_is_logged_from_its_pictures_to_its_end(rig, tmp_path):
    folder = Path(small_bundle(tmp_path / "bundle"))
    add_viewing_decoder(folder, folder, PixelDecoder(load_contract(folder).encoder))
    rig.bundle = str(folder)
    watch = PlannerWatch(rig.namespace)
    log = RerunLog(watch, str(tmp_path / "goal.rrd"))
    try:
        rig.planner()
        rig.until(lambda: watch.described is not None)
        watch.watch(True)
        handle = under_way(rig)
        rig.until(lambda: watch.plans.newest is not None and watch.plans.newest.expected is not None)
        rig.until(lambda: watch.path is not None)
        log._log_news()  # before the path is gone with the goal
        with PlannerClient(rig.namespace) as client:
            client.cancel_goals()
        rig.result(handle)
        rig.until(lambda: watch.goals.ended)
    finally:
        log.close()
        watch.close()
    printed = subprocess.run(
        [RERUN, "rrd", "print", str(tmp_path / "goal.rrd")], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    for entity in (
        "cameras/front", "cameras/side", "plan", "candidates", "energy/energy", "energy/tolerance", "goals",
        "imagined/side/came", "imagined/front/was_imagined", "imagined/front/after_the_plan",
    ):  # fmt: skip
        assert f"/{entity}" in printed, entity
    subprocess.run([RERUN, "rrd", "verify", str(tmp_path / "goal.rrd")], check=True, timeout=60)


@pytest.mark.parametrize("target", ["log.txt", "/nowhere/log.rrd", "http://127.0.0.1:9876"])
def test_what_is_no_recording_is_refused_before_anything_starts(target, capsys):
    assert cli.main(["view", "--rerun", target]) == 2
    assert f"--rerun {target}: expected a file that ends in .rrd" in capsys.readouterr().err
