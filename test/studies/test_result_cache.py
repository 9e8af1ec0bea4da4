import json

import pytest

from jepa_planner.learning.data.episodes import EpisodeError
from jepa_planner.learning.evaluation.trials import TrialSettings
from jepa_planner.model.bundle import model_folder
from studies.result_cache import ASKED, cached, episodes_asked, trials_asked


def test_what_was_found_is_kept_with_what_was_asked_and_read_the_next_time_as_is_said(tmp_path, capsys):
    file, found = tmp_path / "out" / "cell.json", iter([{"successes": 3}])
    first = cached(file, {"seed": 1}, lambda: next(found))
    assert first == {"successes": 3, ASKED: {"seed": 1}} == json.loads(file.read_text())
    assert capsys.readouterr().out == ""
    assert cached(file, {"seed": 1}, lambda: next(found)) == first
    assert capsys.readouterr().out == f"{file}: made before, read from there\n"


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({"seed": 2, "files": {"a": "2"}}, "seed, files"),
        ({"seed": 1, "files": {"a": "1"}, "deadline_s": None}, "deadline_s"),
        ({"seed": 1}, "files"),
    ],
)
def test_what_was_asked_otherwise_is_refused_by_name_and_kept(asked, names, tmp_path):
    file = tmp_path / "cell.json"
    cached(file, {"seed": 1, "files": {"a": "1"}}, dict)
    with pytest.raises(ValueError, match=rf"cell\.json was made with another {names}: choose another --out, or delete"):
        cached(file, asked, dict)
    assert json.loads(file.read_text())[ASKED]["seed"] == 1


def test_the_same_asked_in_other_types_is_the_same(tmp_path):
    cached(tmp_path / "cell.json", {"tasks": ("reach", "push")}, dict)
    cached(tmp_path / "cell.json", {"tasks": ["reach", "push"]}, pytest.fail)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"successes": 3', "cannot be read: .*; choose another --out, or delete it"),
        ("", "cannot be read"),
        ('{"successes": 3, "seed": 1}', "does not say what it was made with: choose another --out, or delete it"),
        ("[1]", "does not say what it was made with"),
    ],
)
def test_a_file_that_was_cut_short_or_is_of_before_is_refused_and_stays(content, says, tmp_path):
    file = tmp_path / "cell.json"
    file.write_text(content)
    with pytest.raises(ValueError, match=rf"cell\.json {says}"):
        cached(file, {"seed": 1}, pytest.fail)
    assert file.read_text() == content


def test_an_evaluation_that_is_broken_off_leaves_no_file(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        cached(tmp_path / "cell.json", {}, lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    assert list(tmp_path.iterdir()) == []


def test_trials_depend_on_all_of_contract_and_settings():
    asked = trials_asked(model_folder(), TrialSettings("push", 2, vary=frozenset({"light", "camera"})), way="flat")
    assert asked["vary"] == ["camera", "light"] and asked["way"] == "flat"
    assert {"package", "files", "planner", "out_of_distribution", "task", "episodes", "seed", "strength"} <= set(asked)
    json.dumps(asked)


def test_trials_in_a_scene_of_ones_own_depend_on_the_file_that_says_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "own_scene.py"
    imported = "from jepa_planner.learning.evaluation.scene_adapter import SceneAdapter"
    file.write_text(f"{imported}\nclass Own(SceneAdapter):\n    pass\n")
    settings = TrialSettings("own_scene:Own", 2)
    before = trials_asked(model_folder(), settings)["adapter"]
    file.write_text(file.read_text() + "    max_steps = 9\n")
    assert trials_asked(model_folder(), settings)["adapter"] != before


def test_episodes_are_known_by_the_content_of_their_shards(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "episodes-000000.h5").write_text("same")
    same = episodes_asked([tmp_path / "one"])
    assert episodes_asked([tmp_path / "other"]) == same
    (tmp_path / "other" / "episodes-000001.h5").write_text("more")
    assert episodes_asked([tmp_path / "other"]) != same
    with pytest.raises(EpisodeError, match="no episodes"):
        episodes_asked([tmp_path])
