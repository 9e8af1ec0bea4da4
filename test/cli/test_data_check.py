"""`jepa-planner data check` as it is typed: exit status, JSON and page."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tiny_training import episodes

from jepa_planner.cli.main import main
from jepa_planner.learning.data.episodes import write_shard


@pytest.fixture
def folder(tmp_path):
    write_shard(tmp_path / "episodes-000000.h5", episodes(count=10, steps=24))
    return tmp_path


def test_what_was_found_is_said_and_warnings_count_only_when_strict(folder, capsys):
    assert main(["data", "check", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "good    what numbers and pictures mean: units, signs, axes, frames and times of 10 episodes fit" in out
    assert "warning how much:" in out and "-> record more" in out
    assert main(["data", "check", str(folder), "--strict"]) == 1


def test_scripts_get_json_and_somebody_who_looks_gets_a_page(folder, capsys, tmp_path):
    assert main(["data", "check", str(folder), "--json", "--page", str(tmp_path / "page")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["level"] == "warning" and told["episodes"] == 10
    assert {"workspace", "gripper", "dead time", "how much"} <= {finding["topic"] for finding in told["findings"]}
    page = (tmp_path / "page" / "index.html").read_text()
    for picture in ("pictures.png", "workspace.png", "gripper.png", "actions.png", "delay.png"):
        assert picture in page
        assert (tmp_path / "page" / picture).read_bytes().startswith(b"\x89PNG")


def test_episodes_that_train_refuses_are_wrong(tmp_path, capsys):
    good = episodes(count=10, steps=24)
    states = good.states.copy()
    states[..., :3] *= 1000.0
    write_shard(tmp_path / "episodes-000000.h5", replace(good, states=states))
    assert main(["data", "check", str(tmp_path), "--page", str(tmp_path / "page")]) == 2
    assert "expected at most 3 m from the base: is it in" in capsys.readouterr().out


def test_actions_that_are_all_zero_are_wrong_and_not_an_accident(tmp_path, capsys):
    good = episodes(count=10, steps=24)
    write_shard(tmp_path / "episodes-000000.h5", replace(good, actions=np.zeros_like(good.actions)))
    assert main(["data", "check", str(tmp_path)]) == 2
    assert "the actions are all 0" in capsys.readouterr().err


def test_a_folder_without_episodes_is_refused(tmp_path, capsys):
    assert main(["data", "check", str(tmp_path)]) == 2
    assert "no episodes-*.h5" in capsys.readouterr().err
