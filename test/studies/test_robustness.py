import pytest

from studies.__main__ import main as study
from studies.robustness.verb import ALL, scenes_of
from studies.sweep.sweep import Scenes


def test_all_is_everything_at_once_and_without_strength_the_scene_is_the_standard_one_of_all_rows():
    assert scenes_of(["camera", ALL], [0.0, 1.5], ("camera", "light")) == {
        "standard": Scenes(),
        "camera-1.5": Scenes(frozenset({"camera"}), 1.5),
        "all-1.5": Scenes(frozenset({"camera", "light"}), 1.5),
    }


def test_a_row_per_perturbation_and_a_column_per_strength(tmp_path, pretended, capsys):
    tried = pretended(lambda policy, settings, number: not settings.vary)
    arguments = ["--perturb", "light", "all", "--strengths", "1", "0", "--scenes", "2", "--out", str(tmp_path)]
    assert study(["robustness", *arguments]) == 0
    assert len(tried) == 3 and [s.vary == {"light"} for _, s in tried].count(True) == 1
    assert {(policy.imagine_sub_goals, policy.monitored) for policy, _ in tried} == {("auto", True)}
    assert "panda-tabletop, light-1, grasp: 0/2 (0% to 66%)" in capsys.readouterr().out
    assert (tmp_path / "table.md").read_text().splitlines() == [
        "| perturbation | 0 | 1 |",
        "|---|---|---|",
        "| light | 2/2 (34% to 100%) | 0/2 (0% to 66%) |",
        "| all | 2/2 (34% to 100%) | 0/2 (0% to 66%) |",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--perturb", "gravity"], "unknown perturbation gravity"),
        (["--strengths", "-1"], "-1 given; expected 0 or more"),
    ],
)
def test_what_cannot_be_tried_is_refused(arguments, says, capsys):
    assert study(["robustness", *arguments]) != 0
    assert says in capsys.readouterr().err
