import json

import pytest

from jepa_planner.evaluation.kept import kept


def test_what_was_found_is_kept_with_what_was_asked_and_read_the_next_time(tmp_path):
    file, found = tmp_path / "out" / "cell.json", iter([{"successes": 3}])
    first = kept(file, {"seed": 1}, lambda: next(found))
    assert first == {"successes": 3, "seed": 1} == json.loads(file.read_text())
    assert kept(file, {"seed": 1}, lambda: next(found)) == first


def test_what_was_asked_otherwise_is_refused_by_name_and_kept(tmp_path):
    file = tmp_path / "cell.json"
    kept(file, {"seed": 1, "files": {"a": "1"}}, dict)
    with pytest.raises(ValueError, match=r"cell\.json was made with another seed, files: choose another --out"):
        kept(file, {"seed": 2, "files": {"a": "2"}}, dict)
    assert json.loads(file.read_text())["seed"] == 1
