"""What is to be started: who has the last word about each parameter, and what is refused before anything starts."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from jepa_planner.model.bundle import model_folder
from jepa_planner.nodes import start as start_module
from jepa_planner.nodes.graph import PLANNER_MODULES, RECORD_MODULE, SIM_MODULE
from jepa_planner.nodes.start import PLANNER_NODES, RECORD_NODE, SIM_NODE, Start
from jepa_planner_sim import sim_node


@pytest.fixture
def user_file(tmp_path):
    def written(**sections: dict[str, object]) -> str:
        path = tmp_path / "user.yaml"
        path.write_text(yaml.safe_dump({node: {"ros__parameters": values} for node, values in sections.items()}))
        return str(path)

    return written


def test_what_a_user_wrote_wins_over_defaults_and_what_was_typed_over_the_file(user_file):
    model, other = str(model_folder()), str(model_folder().parent / "panda-varied")
    file = user_file(**{"/**": {"use_sim_time": False, "model": model}, "sim_node": {"seed": 5, "task": "push"}})
    silent = Start.of(sim=True, params_files=[file]).settings
    assert all(silent[node]["use_sim_time"] is False for node in (*PLANNER_NODES, SIM_NODE))
    assert silent["encoder_node"]["model"] == silent["mpc_node"]["model"] == model
    assert silent["sim_node"]["seed"] == 5 and silent["sim_node"]["task"] == "push"
    typed = Start.of(
        sim=True, typed={"model": other, "use_sim_time": True}, scene={"seed": 7}, params_files=[file]
    ).settings
    assert typed["encoder_node"]["model"] == typed["mpc_node"]["model"] == other
    assert typed["arm_node"]["use_sim_time"] is True
    assert typed["sim_node"]["seed"] == 7 and typed["sim_node"]["task"] == "push"


def test_the_simulators_time_is_the_default_with_it_and_not_without():
    assert all(values["use_sim_time"] is True for values in Start.of(sim=True).settings.values())
    assert not any(values.get("use_sim_time") for values in Start.of(sim=False).settings.values())


def test_who_records_goals_is_started_where_asked_for_with_the_planners_model_and_time(user_file, tmp_path):
    assert RECORD_NODE not in Start.of(sim=True).settings
    model = str(model_folder().parent / "panda-varied")
    file = user_file(record_node={"out": str(tmp_path / "mine"), "goals": False})
    values = Start.of(sim=True, typed={"model": model}, params_files=[file], record="").settings[RECORD_NODE]
    assert (values["goals"], values["model"], values["use_sim_time"]) == (True, model, True)
    assert values["out"] == str(tmp_path / "mine")
    other = Start.of(sim=True, params_files=[file], record=str(tmp_path / "other")).settings[RECORD_NODE]
    assert other["out"] == str(tmp_path / "other")


@pytest.mark.parametrize("below", ["", "/bags"])
def test_a_folder_for_recordings_that_is_a_file_is_refused(tmp_path, below):
    (tmp_path / "file").write_text("")
    out = f"{tmp_path}/file{below}"
    with pytest.raises(ValueError, match=f"out of record_node: {out}: .*file is a file; expected a folder"):
        Start.of(sim=False, record=out)


def test_the_scenes_seed_is_not_that_of_the_search(user_file):
    assert Start.of(sim=True, scene={"seed": 7}).settings["mpc_node"]["seed"] == 0
    settings = Start.of(sim=True, scene={"seed": 7}, params_files=[user_file(mpc_node={"seed": 3})]).settings
    assert settings["mpc_node"]["seed"] == 3 and settings["sim_node"]["seed"] == 7


def test_a_later_file_wins_over_an_earlier_one(tmp_path):
    for name, value in (("a", 0.2), ("b", 0.3)):
        (tmp_path / name).write_text(f"/**/arm_node: {{ros__parameters: {{speed_scale: {value}}}}}")
    files = [tmp_path / "a", tmp_path / "b"]
    assert Start.of(sim=False, params_files=files).settings["arm_node"]["speed_scale"] == 0.3
    assert Start.of(sim=False, params_files=files[::-1]).settings["arm_node"]["speed_scale"] == 0.2


def test_files_are_read_for_the_full_namespace(user_file):
    file = user_file(**{"/cell/left/arm_node": {"speed_scale": 0.2}})
    start = Start.of(sim=False, params_files=[file], namespace="/left/", within="/cell")
    assert start.settings["arm_node"]["speed_scale"] == 0.2
    assert start.namespace == "left"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"params_files": ["/nope.yaml"]}, "parameter file /nope.yaml: No such file or directory"),
        ({"namespace": "bad name"}, "namespace is 'bad name'; expected letters, digits and _"),
        ({"namespace": "1st"}, "namespace is '1st'"),
        ({"namespace": "left//arm"}, "namespace is 'left//arm'"),
        ({"log_level": "loud"}, "log level is 'loud'; expected one of debug, info, warn, error, fatal"),
        ({"remaps": ["joint_trajectory"]}, "remap joint_trajectory: expected FROM:=TO"),
        ({"remaps": ["a:=b:=c"]}, "remap a:=b:=c: expected FROM:=TO"),
        ({"remaps": ["plan:="]}, "remap plan:=: expected FROM:=TO"),
        ({"remaps": ["plan:=my plan"]}, "remap plan:=my plan: expected FROM:=TO"),
        ({"remaps": ["joint_trajectroy:=/left/joint_trajectory"]}, "did you mean joint_trajectory?"),
        (
            {"remaps": ["/joint_state:=/franka/joint_states"]},
            "nothing is called joint_state; did you mean joint_states?",
        ),
        ({"remaps": ["__node:=arm"]}, "nodes keep their names"),
        ({"typed": {"model": "/nope"}}, "/nope/model.yaml: no such file; a model bundle is a folder with model.yaml"),
        ({"typed": {"threads": -3}}, "threads is -3; expected a whole number from 0 to 1024"),
        ({"sim": True, "scene": {"speed": float("nan")}}, "speed is nan; expected a number from 0.05 to 20.0"),
        ({"sim": True, "scene": {"speed": 0.0}}, "speed is 0.0; expected a number from 0.05 to 20.0"),
        ({"sim": True, "scene": {"seed": -1}}, "seed is -1; expected a whole number"),
        ({"sim": True, "scene": {"task": "nope"}}, "task is 'nope'; expected one of reach, "),
        ({"scene": {"task": "reach"}}, "task: for the simulated robot, which is not asked for"),
    ],
)
def test_what_cannot_be_meant_is_refused(given, words):
    with pytest.raises(ValueError) as refused:
        Start.of(**{"sim": False, **given})
    assert words in str(refused.value)


def test_a_models_folder_and_a_limits_file_named_in_a_file_must_be_there(user_file):
    with pytest.raises(ValueError, match=r"limits_file of arm_node: /nope\.yaml: no such file"):
        Start.of(sim=False, params_files=[user_file(arm_node={"limits_file": "/nope.yaml"})])
    with pytest.raises(ValueError, match=r"model of encoder_node: /nope/model\.yaml: no such file"):
        Start.of(sim=False, params_files=[user_file(encoder_node={"model": "/nope"})])


@pytest.mark.parametrize(
    "remap",
    [
        "joint_trajectory:=/my_controller/joint_trajectory",
        "~/stop:=halt",
        "arm_node:plan:=/left/plan",
        "top/image_raw:=/c",
        "/diagnostics:=diagnostics",
    ],
)
def test_names_that_ros_takes_are_taken(remap):
    start = Start.of(sim=False, remaps=[remap], namespace="left/arm", log_level="WARN")
    arguments = start.ros_arguments()
    assert ["-r", remap, "-r", "__ns:=/left/arm", "--log-level", "WARN"] == arguments[3:]


def test_topics_outside_of_namespaces_are_meant_in_one_too():
    start = Start.of(sim=False, remaps=["diagnostics:=my_diagnostics", "tf:=my_tf"], namespace="left")
    assert start.remaps == (("/diagnostics", "my_diagnostics"), ("/tf", "my_tf"))


def test_the_names_that_a_remap_is_compared_with_are_those_of_the_nodes():
    own = Path(start_module.__file__)
    text = "".join(file.read_text() for file in own.parent.glob("**/*.py") if file != own)
    text += Path(sim_node.__file__).read_text()
    assert all(f'"{name}"' in text or f'"/{name}"' in text for name in start_module.NAMES)


def test_a_process_gets_one_file_with_all_parameters():
    start = Start.of(sim=False, typed={"threads": 2})
    marker, option, file = start.ros_arguments()
    assert (marker, option) == ("--ros-args", "--params-file")
    with open(file) as stream:
        sections = yaml.safe_load(stream)
    assert {name: section["ros__parameters"] for name, section in sections.items()} == {
        f"/**/{node}": values for node, values in start.settings.items()
    }


def test_every_node_has_its_module():
    assert tuple(PLANNER_MODULES) == PLANNER_NODES and tuple(SIM_MODULE) == (SIM_NODE,)
    assert tuple(RECORD_MODULE) == (RECORD_NODE,)


def test_checks_need_no_pytorch():
    """`ros2 launch` may run in a Python that has none."""
    script = (
        "import sys; from jepa_planner.nodes.start import Start; Start.of(sim=True).parameter_file();"
        "assert not {'torch', 'pybullet', 'pinocchio'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0
