"""The package as a whole: what its build files, launch files and command line promise each other."""

import ast
import importlib
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from importlib import metadata
from pathlib import Path

import pytest

from jepa_planner import __version__
from jepa_planner.cli.main import _EXTRA_OF

ROOT = Path(__file__).resolve().parent.parent
IMPORTS = r"^\s*(?:from|import) (\w+)"
FROM_PIP = {"torch", "safetensors", "ruckig", "pybullet", "gymnasium", "imageio_ffmpeg"}
OF_AN_EXTRA = {"av", "dask", "onnx", "onnxruntime", "nicegui", "onnxscript", "panda_gym", "pyarrow", "rerun", "rosbags"}
SYSTEM_PACKAGE = {"cv2": "python3-opencv", "PIL": "python3-pil", "pinocchio": "pinocchio"}
LAUNCH_FILES = sorted((ROOT / "launch").glob("*.launch.py"))
CLIS = ROOT / "jepa_planner" / "cli", ROOT / "sim" / "jepa_planner_sim" / "cli"
VERBS = sorted(file for cli in CLIS for file in cli.glob("[a-z]*.py") if file.stem != "main")
EXECUTABLES = dict(re.findall(r"jepa_planner_executable\((\S+) (\S+)\)", (ROOT / "CMakeLists.txt").read_text())) | {
    node: f"jepa_planner.nodes.{node}" for node in ("encoder_node", "predictor_node", "mpc_node", "arm_node")
}


def run(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize("module", sorted(set(EXECUTABLES.values()) - {"jepa_planner.nodes.${node}"}))
def test_an_executable_has_a_main(module):
    assert callable(importlib.import_module(module).main)


def test_both_launch_files_are_there():
    assert [file.name for file in LAUNCH_FILES] == ["planner.launch.py", "sim.launch.py"]


def test_the_parameter_files_are_those_of_the_code():
    result = run(str(ROOT / "tools" / "write_config.py"), "--check")
    assert result.returncode == 0, result.stdout


def imported() -> set[str]:
    """Packages that the code takes from elsewhere."""
    found = set()
    for file in [*ROOT.glob("jepa_planner/**/*.py"), *ROOT.glob("sim/**/*.py"), *LAUNCH_FILES]:
        found |= set(re.findall(IMPORTS, re.sub(r'"""[\s\S]*?"""', "", file.read_text()), re.M))
    return found - set(sys.stdlib_module_names) - {"jepa_planner", "jepa_planner_sim"}


def test_package_xml_names_everything_that_the_code_imports_but_what_pip_brings():
    elements = ElementTree.parse(ROOT / "package.xml").getroot()
    declared = {element.text for element in elements if "depend" in element.tag}
    for package in imported() - FROM_PIP - OF_AN_EXTRA - {"pybullet_data", "pybullet_utils"}:
        assert {package, SYSTEM_PACKAGE.get(package, f"python3-{package}")} & declared, package
    assert {"rclpy", "rcl_interfaces", "sensor_msgs", "launch", "launch_ros"} <= declared


def test_package_xml_names_the_messages_for_which_tests_have_stand_ins():
    declared = {
        element.text for element in ElementTree.parse(ROOT / "package.xml").getroot() if "depend" in element.tag
    }
    assert {folder.name for folder in (ROOT / "test" / "interfaces").iterdir()} <= declared


def test_what_pip_brings_on_a_ros_machine_is_listed_and_asks_for_no_numpy():
    lines = re.findall(r"^([\w-]+)(.*)", (ROOT / "tools" / "requirements-run.txt").read_text(), re.M)
    listed = {name.replace("-", "_"): versions for name, versions in lines}
    assert listed.keys() >= FROM_PIP and not [name for name in listed if re.match("numpy|pin|scipy|opencv", name)]
    assert all(re.fullmatch(r">=[\d.]+", versions) for versions in listed.values()), "ranges, not pins"


def test_the_version_is_the_same_everywhere():
    assert ElementTree.parse(ROOT / "package.xml").getroot().findtext("version") == __version__
    assert 'dynamic = ["version"]' in (ROOT / "pyproject.toml").read_text()


def test_an_extra_is_known_for_each_module_that_a_plain_installation_lacks():
    optional = {"h5py", "matplotlib", "imageio_ffmpeg", "joblib", "pybullet", "gymnasium"}
    for module in (imported() & optional) | OF_AN_EXTRA:
        extra, distribution = _EXTRA_OF[module], {"dask": "distributed"}.get(module, module.replace("_", "-"))
        extras = (ROOT / "pyproject.toml").read_text().split("[project.optional-dependencies]")[1]
        assert re.search(rf'^{extra} = \[[^]]*"{distribution}\b', extras, re.M), module


def test_only_nodes_and_the_sim_node_import_ros():
    allowed = {ROOT / "sim" / "jepa_planner_sim" / "sim_node.py"}
    for file in [*ROOT.glob("jepa_planner/**/*.py"), *ROOT.glob("sim/**/*.py")]:
        if (
            file.parent.name in ("nodes", "outputs", "recording", "cli", "camera", "doctor", "ros", "watch")
            or file in allowed
        ):
            continue
        assert not re.search(r"^\s*(from|import) rclpy", file.read_text(), re.M), f"{file} imports rclpy"


def test_help_answers_without_loading_torch_or_ros():
    script = (
        "import sys; from jepa_planner.cli.main import main; code = main(['--help']);"
        "assert not {'torch', 'rclpy', 'pybullet'} & set(sys.modules), 'heavy imports'; sys.exit(code)"
    )
    result = run("-c", script)
    assert result.returncode == 0, result.stderr
    for verb in ("run", "goal"):
        assert re.search(rf"^  {verb} ", result.stdout, re.M)


def test_an_unknown_verb_is_named_with_the_known_ones():
    result = run("-c", "import sys; from jepa_planner.cli.main import main; sys.exit(main(['fly']))")
    assert result.returncode == 2
    assert "'fly'" in result.stderr and "run" in result.stderr


@pytest.mark.parametrize("verb", VERBS, ids=lambda file: file.stem)
def test_a_verb_keeps_the_shape_that_the_dispatcher_expects(verb):
    tree = ast.parse(verb.read_text())
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assigned = {target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets}
    assert "HELP" not in assigned or {"add_arguments", "main"} <= names


def test_interfaces_and_modules_share_one_package_name():
    from jepa_planner.action import ReachGoalImage
    from jepa_planner.msg import Latent

    from jepa_planner.planning.solvers.cem import CemSettings

    assert {
        ReachGoalImage.__module__.split(".")[0],
        Latent.__module__.split(".")[0],
        CemSettings.__module__.split(".")[0],
    } == {"jepa_planner"}


def test_every_interface_file_was_built():
    for kind in ("msg", "srv", "action"):
        module = importlib.import_module(f"jepa_planner.{kind}")
        for file in (ROOT / kind).glob(f"*.{kind}"):
            assert hasattr(module, file.stem)


def test_an_installation_without_pip_has_the_same_entry_points(tmp_path):
    result = run(str(ROOT / "tools" / "write_metadata.py"), str(tmp_path))
    assert result.returncode == 0, result.stderr
    (written,) = metadata.distributions(path=[str(tmp_path)])
    installed = metadata.distribution("jepa_planner")
    assert written.version == installed.version == __version__
    named = {(entry.group, entry.name, entry.value) for entry in written.entry_points}
    assert named == {(entry.group, entry.name, entry.value) for entry in installed.entry_points}
    assert {group for group, *_ in named} == {"console_scripts", "jepa_planner.scenes", "jepa_planner.verbs"}
