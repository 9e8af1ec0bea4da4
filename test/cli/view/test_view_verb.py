import socket
import time

import pytest
from jepa_planner.msg import ArmState

from jepa_planner.cli import main as cli
from jepa_planner.cli.view.command_bar import NO_ARM, arm_in_words
from jepa_planner.cli.view.progress_panel import goal_in_words, unfamiliar_in_words
from jepa_planner.cli.view.served import address
from jepa_planner.nodes.watch.goal_log import EndedGoal, EnergyPoint, GoalLog


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--namespace", "bad name"], "namespace is 'bad name'"),
        (["--remap", "plan"], "remap plan: expected FROM:=TO"),
        (["--goals", "/nowhere"], "--goals /nowhere: no such folder; expected one that `run --record` wrote into"),
        (["--host", "nowhere.invalid"], "--host nowhere.invalid: "),
        (["--host", "192.0.2.1"], "--host 192.0.2.1 --port 8642: Cannot assign requested address; choose another"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_starts(given, words, capsys):
    assert cli.main(["view", *given]) == 2
    err = capsys.readouterr().err
    assert err.startswith("jepa-planner view: ") and words in err and err.count("\n") == 1


def test_a_port_that_is_taken_is_named(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert cli.main(["view", "--port", str(port)]) == 2
    assert f"--port {port}: Address already in use; choose another --port" in capsys.readouterr().err


def test_the_address_has_the_token_only_where_one_is_needed():
    assert address("127.0.0.1", 8642, "") == "http://localhost:8642/"
    assert address("192.0.2.1", 80, "secret") == "http://192.0.2.1:80/?token=secret"
    assert address("fe80::1", 80, "secret") == "http://[fe80::1]:80/?token=secret"
    assert address("0.0.0.0", 80, "secret") == f"http://{socket.gethostname()}:80/?token=secret"


def test_the_arm_is_told_with_mode_and_reason():
    assert arm_in_words(None, 0.0) == ("unknown", "grey", NO_ARM)
    stopped = ArmState(mode=ArmState.MODE_STOPPED, reason="~/stop was called", fault_reason="a controller gave up")
    assert arm_in_words(stopped, 0.1) == ("stopped", "red", "~/stop was called; a controller gave up")
    assert arm_in_words(stopped, 5.0)[2] == "nothing came on arm_state for 5 s: is arm_node there?"
    assert "a mode 99 that this program does not know" in arm_in_words(ArmState(mode=99), 0.1)[2]


def test_the_goal_is_told_in_words():
    log = GoalLog()
    assert goal_in_words(log) == "no goal is pursued"
    log.begin("a")
    assert goal_in_words(log) == "a goal is prepared"
    log.plan(EnergyPoint(1.0, 4, 1, 3, 0.25, 0.01))
    assert goal_in_words(log) == "goal picture 2 of 3, step 4: energy 0.25, reached at 0.01"
    log.end(EndedGoal("a", time.time(), 22, "STALLED", "nothing brings it nearer", 4, 0.25))
    assert goal_in_words(log).startswith("ended at goal picture 2 of 3")
    assert unfamiliar_in_words(0.5).startswith(
        "how unfamiliar the scene is: 0.50"
    ) and "not told" in unfamiliar_in_words(None)
