import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from PIL import Image

from jepa_planner import __version__
from jepa_planner.cli import main as cli
from studies.__main__ import STUDIES


def verb_that(monkeypatch, does) -> None:
    """Puts a verb called "try-it" in the place where verbs are found."""
    module = SimpleNamespace(HELP="try it", add_arguments=lambda p: p.add_argument("--number", type=int), main=does)
    monkeypatch.setattr(cli.Verbs, "modules", lambda self: {"try-it": "jepa_planner.cli.try_it"})
    monkeypatch.setitem(sys.modules, "jepa_planner.cli.try_it", module)


def test_every_verb_has_a_line_of_help():
    found = cli.verbs().helps()
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
    assert f"no verb 'juggle'; choose one of: {', '.join(cli.verbs().modules())}" in capsys.readouterr().err
    assert {"collect", "train", "eval"} <= set(cli.verbs().modules())


@pytest.mark.parametrize("verb", sorted(cli.STUDIES_OF))
def test_a_verb_that_became_a_study_says_where_it_went(verb, capsys):
    assert cli.main([verb]) == 2
    name = re.search(r"`python -m studies (\S+)`", capsys.readouterr().err)[1]
    assert name in STUDIES.modules()


@pytest.mark.parametrize(("verb", "group"), cli.GROUP_OF.items())
def test_a_verb_that_stands_in_a_group_now_says_in_which(verb, group, capsys):
    assert cli.main([verb]) == 2
    assert f"it is `jepa-planner {group} {verb}` now" in capsys.readouterr().err
    assert f"{group} {verb}" in cli.verbs().commands()


def test_there_are_few_verbs_those_of_a_person_with_a_robot():
    assert len(cli.verbs().modules()) <= 16


def test_every_study_has_a_line_of_help_and_explains_itself(capsys):
    assert all(text and "\n" not in text for text in STUDIES.helps().values())
    for study in STUDIES.modules():
        with pytest.raises(SystemExit) as ended:
            STUDIES.run([study, "--help"])
        assert ended.value.code == 0
        assert f"usage: python -m studies {study}" in capsys.readouterr().out


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


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--remap", "joint_trajectory"], "remap joint_trajectory: expected FROM:=TO"),
        (["--params-file", "/nope.yaml"], "parameter file /nope.yaml: No such file or directory"),
        (["--namespace", "bad name"], "namespace is 'bad name'"),
        (["--model", "/nope"], "/nope/model.yaml: no such file; a model bundle is a folder with model.yaml"),
        (["--model", ""], "--model is empty; leave it out, or give a value"),
        (["--log-level", "loud"], "log level is 'loud'; expected one of debug, info, warn, error, fatal"),
        (["--sim", "--speed", "0"], "speed is 0.0; expected a number from 0.05 to 20.0"),
        (["--sim", "--task", "nope"], "task is 'nope'; expected one of reach, grasp, "),
        (["--sim", "--seed", "-1"], "seed is -1; expected a whole number"),
        (["--task", "reach", "--seed", "1"], "task, seed: for the simulated robot, which is not asked for"),
        (["--separate", "sim"], "--separate sim: there is no simulator to keep apart; add --sim"),
    ],
)
def test_run_refuses_what_cannot_be_meant_before_anything_starts(given, words, monkeypatch, capsys):
    from jepa_planner.nodes import graph, running

    monkeypatch.setattr(running, "run", None)
    monkeypatch.setattr(graph, "spawn", None)
    assert cli.main(["run", *given]) == 2
    err = capsys.readouterr().err
    assert err.startswith("jepa-planner run: ") and words in err and err.count("\n") == 1


def test_a_verb_may_have_a_name_that_python_keeps_for_itself(capsys):
    assert "model import" in cli.verbs().commands() and "model import-model" not in cli.verbs().commands()
    with pytest.raises(SystemExit):
        cli.main(["model", "import", "--help"])
    assert "usage: jepa-planner model import" in capsys.readouterr().out


def test_an_interruption_ends_with_a_word_and_status_130(monkeypatch, capsys):
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    verb_that(monkeypatch, interrupted)
    assert cli.main(["try-it"]) == 130
    assert capsys.readouterr().err == "\njepa-planner try-it: interrupted\n"


def test_a_refused_input_is_one_line_with_status_2(monkeypatch, capsys):
    def refusing(_: object) -> int:
        raise ValueError("got 3 apples, expected pears")

    verb_that(monkeypatch, refusing)
    assert cli.main(["try-it"]) == 2
    assert capsys.readouterr().err == "jepa-planner try-it: got 3 apples, expected pears\n"


def test_a_goal_for_a_namespace_that_is_none_is_refused(tmp_path, capsys):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    assert cli.main(["goal", str(tmp_path / "a.png"), "--namespace", "bad name"]) == 2
    assert "jepa-planner goal: namespace is 'bad name'" in capsys.readouterr().err


CALLS = {
    "bench": [],
    "camera board": ["--out", "OUT"],
    "camera calibrate": ["/nowhere", "--view", "front"],
    "camera check": ["/nowhere.png", "--view", "front"],
    "collect": ["OUT"],
    "data from-lerobot": ["/nowhere", "--out", "OUT"],
    "data to-lerobot": ["/nowhere", "--out", "OUT"],
    "demo": [],
    "doctor": ["--model", "/nowhere"],
    "eval": ["--task", "reach"],
    "model export": [],
    "model out-of-distribution": ["--data", "x"],
    "goal": ["PICTURE"],
    "model info": ["/nowhere"],
    "model import": ["vjepa2-ac", "x", "OUT"],
    "check landscape": [
        *("--image", "PICTURE", "--goal", "PICTURE", "--second-view", "PICTURE", "PICTURE"),
        *("--state", "0.5", "0", "0.2", "3.14", "0", "0", "0", "0", "--out", "OUT"),
    ],
    "check plan": ["--bag", "x", "--image-topic", "t", "--at", "0", "--goal-at", "1"],
    "data check": ["/nowhere"],
    "data from-bag": ["x", "--recording", "PICTURE", "--out", "OUT"],
    "record": ["--out", "OUT"],
    "robot": ["/nowhere.urdf"],
    "run": ["--sim"],
    "teleop": [],
    "train": ["--data", "x", "--out", "OUT"],
    "view": [],
}
PLAIN = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {missing}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
from jepa_planner.cli.main import main
for call in {calls}:
    try:
        code = main(call)
    except SystemExit as ended:
        code = ended.code
    print("ended", *call, code, flush=True)
    print("ended", *call, code, file=sys.stderr, flush=True)
"""


def in_a_plain_installation(calls: list[list[str]]) -> tuple[str, str]:
    """What verbs print where no extra and no ROS 2 is installed."""
    missing = {*cli._EXTRA_OF, "rclpy", "rcl_interfaces", "sensor_msgs", "geometry_msgs", "std_srvs"}
    script = PLAIN.format(missing=missing, calls=calls)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout, ended.stderr


def test_every_verb_explains_itself_in_a_plain_installation():
    verbs = cli.verbs().commands().keys() | cli.verbs().modules().keys()
    out, _ = in_a_plain_installation([[*verb.split(), "--help"] for verb in verbs])
    for verb in verbs:
        assert f"usage: jepa-planner {verb}" in out and f"ended {verb} --help 0" in out


def test_every_verb_says_in_a_line_which_extra_it_needs(tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    real = {"OUT": str(tmp_path / "out"), "PICTURE": str(tmp_path / "a.png")}
    verbs = cli.verbs().commands()
    calls = [[*verb.split(), *(real.get(word, word) for word in CALLS[verb])] for verb in verbs]
    _, err = in_a_plain_installation(calls)
    cures = r"pip install 'jepa_planner\[\w+\]'|source a ROS 2 workspace"
    need_none = {"camera board", "camera calibrate", "camera check", "model import", "model info", "robot", "doctor"}
    for verb in verbs.keys() - need_none:
        assert re.search(
            rf"^jepa-planner {verb}: .*(missing|not installed|needs).*({cures}).*\nended {verb}.* 2$", err, re.M
        )


@pytest.mark.parametrize(
    ("module", "cure"),
    [
        ("h5py", "pip install 'jepa_planner[train]'"),
        ("rclpy", "source a ROS 2 workspace in which this package was built, or use the environment of `make setup`"),
        (
            "jepa_planner.msg",
            "build this package's interfaces with colcon and source the workspace, or with `make setup`",
        ),
        ("torch", f"{sys.executable} does not have it; activate the environment that the README tells to make"),
    ],
)
def test_a_missing_package_is_named_with_what_brings_it(module, cure, monkeypatch, capsys):
    def lacking(_: object) -> int:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    verb_that(monkeypatch, lacking)
    assert cli.main(["try-it"]) == 2
    assert capsys.readouterr().err == f"jepa-planner try-it: the Python package {module} is missing: {cure}\n"


def test_a_module_of_our_own_that_is_missing_is_a_defect(monkeypatch):
    def lacking(_: object) -> int:
        raise ModuleNotFoundError("No module named 'jepa_planner.nowhere'", name="jepa_planner.nowhere")

    verb_that(monkeypatch, lacking)
    with pytest.raises(ModuleNotFoundError):
        cli.main(["try-it"])


def test_a_defect_is_not_passed_off_as_a_refusal(monkeypatch):
    def broken(_: object) -> int:
        raise TypeError("a defect")

    verb_that(monkeypatch, broken)
    with pytest.raises(TypeError):
        cli.main(["try-it"])
