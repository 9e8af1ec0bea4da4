"""Verbs, options and terms by their names of before."""

import argparse

import pytest

from jepa_planner.cli import eval as eval_verb
from jepa_planner.cli import train
from jepa_planner.cli.main import verbs
from jepa_planner.learning.training.objectives.joint import names_in
from jepa_planner_sim.cli import collect
from studies.__main__ import STUDIES


def test_verbs_of_before_say_what_they_are_called_now(capsys):
    for program, words, now in (
        (verbs(), ["model", "familiarity"], "jepa-planner model out-of-distribution"),
        (verbs(), ["familiarity"], "jepa-planner model out-of-distribution"),
        (STUDIES, ["doubts"], "python -m studies out-of-distribution"),
    ):
        assert program.run(words) == 2
        assert f"it is `{now}` now" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verb", "words", "name", "value"),
    [
        (eval_verb, ["--task", "reach", "--floor", "noop"], "baseline", "noop"),
        (eval_verb, ["--task", "reach", "--not-wary"], "no_monitor", True),
        (collect, ["out", "--takes", "3"], "variants", 3),
        (collect, ["out", "--take-steps", "5"], "variant_steps", 5),
        (train, ["--out", "out", "--seeing"], "keypoints", True),
    ],
)
def test_options_of_before_stand_for_those_of_now(verb, words, name, value):
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    assert getattr(parser.parse_args(words), name) == value


def test_a_term_of_before_stands_for_that_of_now():
    assert names_in("takes+sigreg") == ("appearance", "sigreg")
