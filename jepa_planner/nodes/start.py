"""What somebody wants started, checked before anything starts: for `jepa-planner run` and for both launch files.

Shipped parameters come first, over them the defaults of who starts, over these the user's files, and last what was
typed. Imports no model: `ros2 launch` may run in a Python that has no PyTorch.
"""

from __future__ import annotations

import atexit
import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from jepa_planner.control.description_text import FROM_TOPIC, DescriptionText
from jepa_planner.core.yaml_text import read_yaml
from jepa_planner.nodes.parameter_files import Settings, read, resolve, spread, write
from jepa_planner.nodes.parameters import misspelt

PLANNER_NODES = ("mpc_node", "arm_node", "predictor_node", "encoder_node")
"""In the order in which they are brought down: first who decides, then who moves."""
SIM_NODE = "sim_node"
RECORD_NODE = "record_node"
"""Always a process of its own: what is written to a disk shares no interpreter with who moves the arm."""
LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")
NAMES = (
    *("joint_trajectory", "twist_command", "pose_command", "gripper_command", "joint_states", "arm_state", "plan"),
    *("latent", "diagnostics", "reach_goal_image", "goal_images", "tcp_pose", "clock", "tf", "tf_static"),
    "robot_description",
)
"""Topics and the action that are called the same for every model."""
OF_ALL_ROBOTS = ("diagnostics", "clock", "tf", "tf_static")
"""Topics that stand outside of every namespace."""
_TOKEN = r"[A-Za-z_]\w*"
_NAME = rf"(~/|/)?{_TOKEN}(/{_TOKEN})*"
_EXPECTED_FILES = {
    "model": ("{}/model.yaml", "a model bundle is a folder with model.yaml and weights"),
    "limits_file": ("{}", "expected a YAML file as config/panda_limits.yaml"),
}


@dataclass(frozen=True)
class Start:
    """Nodes with all that was said about them; `Start.of` makes one."""

    settings: Settings
    namespace: str = ""
    remaps: tuple[tuple[str, str], ...] = ()
    log_level: str = ""

    @classmethod
    def of(
        cls,
        sim: bool,
        typed: Mapping[str, object] | None = None,
        scene: Mapping[str, object] | None = None,
        params_files: Iterable[str | Path] = (),
        namespace: str = "",
        remaps: Sequence[str] = (),
        log_level: str = "",
        within: str = "",
        nodes: Sequence[str] = PLANNER_NODES,
        record: str | None = None,
    ) -> Start:
        """Checks all and raises ValueError naming what is wrong.

        sim: with the simulated robot, whose time then is the default. typed: values for all nodes that have such a
        parameter; scene: values for sim_node alone, whose seed is not the search's. remaps: FROM:=TO. within: a
        namespace that others put before the given one. nodes: what is started beside the simulated robot. record:
        folder into which each goal is recorded; empty: as the parameters say; None: there is no record_node.
        """
        nodes = (*nodes, *[SIM_NODE] * sim, *[RECORD_NODE] * (record is not None))
        namespace = checked_namespace(namespace)
        full_namespace = "/".join(part for part in (within.strip("/"), namespace) if part)
        if scene and not sim:
            raise ValueError(f"{', '.join(scene)}: for the simulated robot, which is not asked for")
        layers = (
            spread({"use_sim_time": True} if sim else {}, nodes),
            *(read(file, full_namespace) for file in params_files),
            spread(typed or {}, nodes),
            spread(scene or {}, [SIM_NODE]),
            spread({"goals": True, **({"out": record} if record else {})}, [RECORD_NODE]) if record is not None else {},
        )
        settings = resolve(nodes, layers)
        _check_files(settings)
        if record is not None:
            _check_folder(settings)
        return cls(settings, namespace, tuple(map(checked_remap, remaps)), checked_log_level(log_level))

    def parameter_file(self) -> Path:
        """Writes all parameters to a file, which is gone when this process ends."""
        handle, name = tempfile.mkstemp(prefix="jepa_planner_", suffix=".yaml")
        os.close(handle)
        write(self.settings, Path(name))
        atexit.register(Path(name).unlink, missing_ok=True)
        return Path(name)

    def ros_arguments(self) -> list[str]:
        """The command line of a process with any of the nodes."""
        arguments = ["--ros-args", "--params-file", str(self.parameter_file())]
        for remap in self.remaps:
            arguments += ["-r", ":=".join(remap)]
        if self.namespace:
            arguments += ["-r", f"__ns:=/{self.namespace}"]
        if self.log_level:
            arguments += ["--log-level", self.log_level]
        return arguments


def checked_namespace(text: str) -> str:
    """A namespace without the slashes around it; raises ValueError where ROS would not take it."""
    namespace = text.strip("/")
    if namespace and not re.fullmatch(rf"{_TOKEN}(/{_TOKEN})*", namespace):
        raise ValueError(f"namespace is {text!r}; expected letters, digits and _, no digit first, as in left/arm")
    return namespace


def checked_remap(text: str) -> tuple[str, str]:
    """FROM:=TO as two names; raises ValueError where they are none, or where FROM is all but the name of a topic, which
    ROS would pass over: what is meant for one arm would go to another.
    """
    old, *new = text.split(":=")
    if len(new) != 1 or not re.fullmatch(rf"({_TOKEN}:)?{_NAME}", old) or not re.fullmatch(_NAME, new[0]):
        raise ValueError(f"remap {text}: expected FROM:=TO, names of topics, services or actions")
    if old.rsplit(":")[-1].startswith("__"):
        raise ValueError(f"remap {text}: nodes keep their names; namespace moves all of them")
    plain = re.sub(rf"^({_TOKEN}:)?(~/|/)?", "", old)
    if close := misspelt(plain, NAMES):
        raise ValueError(f"remap {text}: nothing is called {plain}; did you mean {close}?")
    if old in OF_ALL_ROBOTS:
        old = f"/{old}"
    return old, new[0]


def checked_log_level(text: str) -> str:
    """A level of ROS 2's log, or none; raises ValueError for anything else."""
    if text and text.lower() not in LOG_LEVELS:
        raise ValueError(f"log level is {text!r}; expected one of {', '.join(LOG_LEVELS)}")
    return text


def _check_files(settings: Settings) -> None:
    for node, values in settings.items():
        for name, (form, expected) in _EXPECTED_FILES.items():
            if given := values.get(name):
                path = Path(form.format(given)).expanduser()
                if not path.is_file():
                    raise ValueError(f"{name} of {node}: {path}: no such file; {expected}")
                if name == "limits_file":
                    _check_description(path)


def _check_folder(settings: Settings) -> None:
    """Raises ValueError where the folder for recordings is none, or cannot be made."""
    out = str(settings[RECORD_NODE]["out"])
    folder = Path(out).expanduser().absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        what = "cannot be written" if there.is_dir() else "is a file"
        raise ValueError(f"out of {RECORD_NODE}: {out}: {there} {what}; expected a folder for recordings")


def _check_description(limits_file: Path) -> None:
    """Raises ValueError where the robot description that a limits file names cannot be read, or expanded by xacro; what
    else may be wrong with either, arm_node says.
    """
    try:
        plain = read_yaml(limits_file.read_text(encoding="utf-8"))
        described, arguments = plain["robot_description"], plain.get("xacro_arguments", {})
        if described != FROM_TOPIC:
            path = limits_file.parent / Path(described).expanduser()
            DescriptionText.read(path, {name: str(value) for name, value in arguments.items()}).robot()
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        return
