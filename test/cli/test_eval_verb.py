import pytest
from typed import complaint, evaluate

from jepa_planner_sim.scene_draws import PERTURBATIONS


def test_the_noop_baseline_solves_nothing_and_reports_it(tmp_path, capsys):
    arguments = ["--task", "reach", "--episodes", "2", "--baseline", "noop", "--goal-images", "one"]
    report = evaluate(tmp_path / "deep" / "report.json", *arguments)
    assert (report["episodes"], report["successes"], report["success_rate"]) == (2, 0, 0.0)
    assert (report["wilson_low"], report["model"], report["plan_seconds_median"]) == (0.0, None, None)
    assert 0.5 < report["wilson_high"] < 0.7
    assert "0/2 solved = 0%" in capsys.readouterr().out


def test_varied_scenes_are_all_perturbations_and_chosen_ones_only_those(tmp_path):
    common = ["--task", "reach", "--episodes", "1", "--baseline", "noop", "--strength", "0.5"]
    varied = evaluate(tmp_path / "a.json", *common, "--scenes", "varied")
    assert varied["vary"] == sorted(PERTURBATIONS)
    assert varied["strength"] == 0.5
    assert evaluate(tmp_path / "b.json", *common, "--perturb", "table", "light")["vary"] == ["light", "table"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--task", "juggle"], "unknown task 'juggle'; known are reach"),
        (["--task", "reach", "--baseline", "lava"], "invalid choice: 'lava'"),
        (["--task", "reach", "--baseline", "noop", "--episodes", "0"], "at least 1 episode"),
        (["--task", "reach", "--baseline", "noop", "--seed", "-1"], "a seed from 0 up"),
        (["--task", "reach", "--baseline", "noop", "--perturb", "fog"], "unknown perturbation fog; known are camera"),
        (["--task", "grasp", "--baseline", "noop", "--goal-images", "9"], "'dense', 'one' or a count of 1 to 4"),
        (["--task", "reach", "--model", "/nowhere/model"], "/nowhere/model"),
        (["--task", "reach", "--baseline", "noop", "--ros"], "leave out --ros"),
        (["--task", "reach", "--baseline", "noop", "--samples", "9"], "baselines do not search: leave out --samples"),
        (["--task", "reach", "--ros", "--deadline", "0.2"], "mpc_node's parameters: leave out --deadline"),
        (["--task", "reach", "--solver", "anneal"], "'anneal' is unknown; known are cem, icem"),
        (
            ["--task", "reach", "--baseline", "noop", "--imagine-sub-goals", "auto"],
            "baselines imagine nothing: leave out",
        ),
        (
            ["--task", "reach", "--baseline", "noop", "--no-monitor"],
            "baselines monitor nothing: leave out --no-monitor",
        ),
        (
            ["--task", "reach", "--ros", "--no-monitor"],
            "monitor_out_of_distribution is one of mpc_node's parameters: leave out --no-monitor",
        ),
        (["--task", "my.scenes:Drawer", "--scenes", "varied"], "my.scenes:Drawer draws its own scenes; leave it out"),
        (["--task", "reach", "--imagine-sub-goals", "on"], "invalid choice: 'on'"),
        (["--task", "reach", "--iterations", "-1"], "argument --iterations: -1 given; expected 1 or more"),
        ([], "--task"),
    ],
)
def test_an_evaluation_that_makes_no_sense_is_refused_in_words(arguments, says, capsys):
    assert says in complaint(capsys, "eval", *arguments)
