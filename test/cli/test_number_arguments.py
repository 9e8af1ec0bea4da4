"""Numbers on the command lines of all verbs."""

import argparse
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typed import complaint

from jepa_planner.cli import main as cli
from jepa_planner.cli.number_arguments import VerbParser, at_least, not_negative, positive
from studies.__main__ import STUDIES
from studies.__main__ import main as study


def numeric(
    parser: argparse.ArgumentParser, verb: str
) -> Iterator[tuple[str, argparse.ArgumentParser, argparse.Action]]:
    """The verb, its parser, and each argument that is a number; verbs below a verb as well."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for kind, of_kind in action.choices.items():
                yield from numeric(of_kind, f"{verb} {kind}")
        elif action.option_strings and action.type not in (None, str, Path):
            yield verb, parser, action


def all_numeric() -> Iterator[tuple[str, argparse.ArgumentParser, argparse.Action]]:
    for verb, module in {**cli.verbs().commands(), **STUDIES.modules()}.items():
        parser = VerbParser()
        importlib.import_module(module).add_arguments(parser)
        yield from numeric(parser, verb)


NUMERIC = {f"{verb} {action.option_strings[-1]}": (parser, action) for verb, parser, action in all_numeric()}


@pytest.mark.parametrize("name", NUMERIC)
def test_what_is_no_number_is_refused_with_the_argument_that_it_was_given_for(name, capsys):
    parser, action = NUMERIC[name]
    for text in ("nan", "inf", "NaN", "1e999", "", "many", "9" * 30 + "e300"):
        with pytest.raises(SystemExit) as ended:
            parser.parse_args([action.option_strings[-1], *[text] * (action.nargs if action.nargs == 7 else 1)])
        assert ended.value.code == 2
        assert f"error: argument {'/'.join(action.option_strings)}: " in capsys.readouterr().err, text


def test_all_verbs_with_numbers_are_looked_at():
    assert len(NUMERIC) > 60
    some = {"check plan --at", "check landscape --goal-at", "model import vjepa2-ac --crop", "goal --wait"}
    assert some <= NUMERIC.keys()


@pytest.mark.parametrize("verb", ["plan", "landscape"])
@pytest.mark.parametrize("time", ["nan", "inf"])
def test_a_time_in_a_bag_that_is_no_number_is_refused_in_words(verb, time, capsys):
    said = complaint(capsys, "check", verb, "--bag", "bag", "--image-topic", "/front", "--at", time, "--goal-at", "1")
    assert f"argument --at: '{time}' given; expected a finite number" in said


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("ablation --data d --encoder-iterations 0", "--encoder-iterations: 0 given; expected 1 or more"),
        ("ablation --data d --episodes 30 -1", "--episodes: -1 given; expected 0 or more"),
        ("failures file --most -1", "--most: -1 given; expected 1 or more"),
        ("collect d --image-size 1000000", "--image-size: 1000000 given; expected at most 8192"),
        ("eval --task reach --strength -0.5", "--strength: -0.5 given; expected 0 or more"),
        ("eval --task reach --deadline 0", "--deadline: 0 given; expected more than 0"),
        ("model out-of-distribution --data d --episodes 0", "--episodes: 0 given; expected 1 or more"),
        ("few-goals --demonstrations d --iterations -5", "--iterations: -5 given; expected 1 or more"),
        ("goal a.png --budget -1", "--budget: -1 given; expected 0 or more"),
        ("goal a.png --budget 4294967296", "--budget: 4294967296 given; expected at most 4294967295"),
        ("goal a.png --wait -1e-3", "--wait: -1e-3 given; expected 0 or more"),
        ("model import vjepa2-ac f o --image-size 0", "--image-size: 0 given; expected 1 or more"),
        (
            "check plan --seed 9223372036854775808",
            "--seed: 9223372036854775808 given; expected at most 9223372036854775807",
        ),
        ("robustness --strengths 1 -2", "--strengths: -2 given; expected 0 or more"),
        ("sensitivity --seed -1", "--seed: -1 given; expected 0 or more"),
        ("train --out o --predictor-iterations 0", "--predictor-iterations: 0 given; expected 1 or more"),
        ("train --out o --learning-rate 0", "--learning-rate: 0 given; expected more than 0"),
        ("search --problems 0", "--problems: 0 given; expected 1 or more"),
        ("comparison --models a= --scenes 0", "--scenes: 0 given; expected 1 or more"),
    ],
)
def test_a_number_out_of_bounds_is_refused_with_what_was_expected(typed, says, capsys):
    name, *rest = typed.split()
    assert says in complaint(capsys, name, *rest, main=study if name in STUDIES.modules() else cli.main)


def test_numbers_within_their_bounds_come_through():
    parser = VerbParser()
    parser.add_argument("--whole", type=at_least(2, 9))
    parser.add_argument("--above", type=positive)
    parser.add_argument("--from-zero", type=not_negative)
    parser.add_argument("--any", type=float)
    given = parser.parse_args(["--whole", "9", "--above", "1e-9", "--from-zero", "0", "--any", "-2.1e-03"])
    assert (given.whole, given.above, given.from_zero, given.any) == (9, 1e-9, 0.0, -0.0021)


def test_a_file_that_cannot_be_written_or_read_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("{}")
    assert "file is of no model: expected what `jepa-planner eval --json` wrote for a model" in complaint(
        capsys, "failures", str(tmp_path / "file"), main=study
    )
    assert "nowhere cannot be read: " in complaint(capsys, "failures", str(tmp_path / "nowhere"), main=study)
    (tmp_path / "file").write_text('{"baseline": "none", "task": "reach"}')
    assert "file does not say episodes, seed" in complaint(capsys, "failures", str(tmp_path / "file"), main=study)
    baseline = ["eval", "--task", "reach", "--baseline", "noop", "--episodes", "1"]
    assert cli.main([*baseline, "--json", str(tmp_path / "file" / "report.json")]) == 1
    assert "jepa-planner eval: [Errno 17] File exists" in capsys.readouterr().err
