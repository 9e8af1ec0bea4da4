import sys
from types import SimpleNamespace

import pytest

from jepa_planner import __version__
from jepa_planner.cli import main as cli


def verb_that(monkeypatch, does) -> None:
    """Puts a verb called "try-it" in the place where verbs are found."""
    module = SimpleNamespace(HELP="try it", add_arguments=lambda p: p.add_argument("--number", type=int), main=does)
    monkeypatch.setattr(cli, "verbs", lambda: {"try-it": "try it"})
    monkeypatch.setitem(sys.modules, "jepa_planner.cli.try_it", module)


def test_every_verb_has_a_line_of_help():
    found = cli.verbs()
    assert {"collect", "train", "eval", "run", "goal"} <= found.keys()
    assert all(text and "\n" not in text for text in found.values())
    assert "main" not in found


def test_without_a_verb_the_overview_is_shown_and_the_status_says_so(capsys):
    assert cli.main([]) == 2
    assert cli.main(["--help"]) == 0
    without, asked_for = capsys.readouterr().out.split("usage: ")[1:]
    assert without == asked_for
    assert "  eval " in without


def test_the_version_is_that_of_the_package(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"jepa-planner {__version__}\n"


def test_an_unknown_verb_is_refused_with_the_known_ones(capsys):
    assert cli.main(["juggle"]) == 2
    assert f"no verb 'juggle'; choose one of: {', '.join(cli.verbs())}" in capsys.readouterr().err
    assert {"collect", "train", "eval"} <= set(cli.verbs())


@pytest.mark.parametrize("verb", ["collect", "train", "eval"])
def test_a_verb_explains_itself(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([verb, "--help"])
    assert ended.value.code == 0
    assert f"usage: jepa-planner {verb}" in capsys.readouterr().out


def test_a_verb_gets_its_arguments_and_gives_the_exit_status(monkeypatch):
    verb_that(monkeypatch, lambda args: args.number)
    assert cli.main(["try-it", "--number", "3"]) == 3


def test_arguments_that_make_no_sense_end_with_status_2(monkeypatch, capsys):
    verb_that(monkeypatch, lambda args: 0)
    with pytest.raises(SystemExit) as ended:
        cli.main(["try-it", "--number", "many"])
    assert ended.value.code == 2
    assert "invalid int value: 'many'" in capsys.readouterr().err


def test_a_remap_that_is_none_is_refused(capsys):
    assert cli.main(["run", "--remap", "joint_trajectory"]) == 2
    assert "--remap joint_trajectory: expected FROM:=TO" in capsys.readouterr().err


def test_a_verb_may_have_a_name_that_python_keeps_for_itself(capsys):
    assert "import" in cli.verbs() and "import-model" not in cli.verbs()
    with pytest.raises(SystemExit):
        cli.main(["import", "--help"])
    assert "usage: jepa-planner import" in capsys.readouterr().out


def test_an_interruption_ends_quietly_with_status_130(monkeypatch):
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    verb_that(monkeypatch, interrupted)
    assert cli.main(["try-it"]) == 130


def test_a_refused_input_is_one_line_with_status_2(monkeypatch, capsys):
    def refusing(_: object) -> int:
        raise ValueError("got 3 apples, expected pears")

    verb_that(monkeypatch, refusing)
    assert cli.main(["try-it"]) == 2
    assert capsys.readouterr().err == "jepa-planner try-it: got 3 apples, expected pears\n"


def test_a_defect_is_not_passed_off_as_a_refusal(monkeypatch):
    def broken(_: object) -> int:
        raise TypeError("a defect")

    verb_that(monkeypatch, broken)
    with pytest.raises(TypeError):
        cli.main(["try-it"])
