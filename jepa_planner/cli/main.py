"""Finds the verbs beside this file, and those of other packages, and hands over to the chosen one.

A verb is a module with a one-line `HELP`, `add_arguments(parser)` and `main(args) -> int`. It may import anything:
`jepa-planner --help` reads HELP from the source without importing, so that it answers at once.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path

from jepa_planner.cli.number_arguments import VerbParser
from jepa_planner.core.this_process import keep_freed_memory

VERBS_GROUP = "jepa_planner.verbs"
"""Entry points of this group name a module each, for a verb of another package."""
MODULES = {"import": "import_model"}
"""Modules of verbs that cannot be module names, because Python keeps the word."""
_EXTRA_OF = {
    **dict.fromkeys(("gymnasium", "pybullet", "pybullet_data", "pybullet_utils"), "sim"),
    **dict.fromkeys(("imageio_ffmpeg", "joblib"), "sim"),
    **dict.fromkeys(("h5py", "matplotlib"), "train"),
    **dict.fromkeys(("onnx", "onnxruntime", "onnxscript"), "onnx"),
    **dict.fromkeys(("dask", "distributed"), "cluster"),
    **dict.fromkeys(("rosbags", "backports", "lz4"), "bag"),
    **dict.fromkeys(("av", "pyarrow"), "lerobot"),
    "nicegui": "view",
    "rerun": "rerun",
    **dict.fromkeys(("panda_gym", "transformers"), "dev"),
}
"""The extra of pyproject.toml that brings a module which no plain installation has."""
ALWAYS_NEEDED = {"numpy", "scipy", "torch", "safetensors", "yaml", "cv2", "PIL", "pinocchio", "ruckig", "tqdm"}
"""Modules without which no part works."""


@dataclass(frozen=True)
class Verbs:
    """A program of many verbs.

    program: how it is called; about: what it is for, in a line. package: whose modules are verbs, as are its folders
    with a module `verb`, and those with HELP, of verbs in turn; MOVED there is `moved` of theirs. others: modules of
    other packages by the verbs that they are. moved: where verbs of before are now, in words.
    """

    program: str
    about: str
    package: str
    others: Mapping[str, str] = field(default_factory=dict)
    moved: Mapping[str, str] = field(default_factory=dict)

    def modules(self) -> dict[str, str]:
        """The module of each verb, in alphabetical order."""
        verb_of, found = {module: verb for verb, module in MODULES.items()}, {}
        for file in _file_of(self.package).parent.glob("[a-z]*.py"):
            found[verb_of.get(file.stem, file.stem.replace("_", "-"))] = f"{self.package}.{file.stem}"
        for file in _file_of(self.package).parent.glob("*/verb.py"):
            found[file.parent.name.replace("_", "-")] = f"{self.package}.{file.parent.name}.verb"
        for file in _file_of(self.package).parent.glob("*/__init__.py"):
            found.setdefault(file.parent.name, f"{self.package}.{file.parent.name}")
        found |= self.others
        return {verb: found[verb] for verb in sorted(found) if _help_of(_file_of(found[verb])) is not None}

    def commands(self) -> dict[str, str]:
        """The module of each verb that is no group, by all words that call it."""
        found: dict[str, str] = {}
        for verb, module in self.modules().items():
            if _file_of(module).name == "__init__.py":
                inner = Verbs(self.program, "", module).commands()
                found |= {f"{verb} {name}": below for name, below in inner.items()}
            else:
                found[verb] = module
        return found

    def helps(self) -> dict[str, str]:
        """The line of help of each verb, in alphabetical order."""
        return {verb: _help_of(_file_of(module)) or "" for verb, module in self.modules().items()}

    def overview(self) -> str:
        """What the program says of itself."""
        helps = self.helps()
        width = max(map(len, helps), default=0)
        lines = [f"  {verb:<{width}}  {text}" for verb, text in helps.items()]
        usage = [f"usage: {self.program} VERB [options]", "", self.about, ""]
        return "\n".join([*usage, *lines, "", f"{self.program} VERB --help says more about one of them."])

    def run(self, arguments: Sequence[str] | None = None) -> int:
        """Runs one verb and returns its exit status; 2 for a wrong command line, 1 where it fails, 130 for Ctrl-C."""
        arguments = list(sys.argv[1:] if arguments is None else arguments)
        if not arguments or arguments[0] in ("-h", "--help", "help"):
            print(self.overview())
            return 0 if arguments else 2
        if arguments[0] == "--version":
            from jepa_planner import __version__

            print(f"{self.program} {__version__}")
            return 0
        verb, *rest = arguments
        if verb not in (modules := self.modules()):
            where = self.moved.get(verb, f"choose one of: {', '.join(modules)}")
            print(f"{self.program}: no verb {verb!r}; {where}", file=sys.stderr)
            return 2
        return self._run(verb, modules[verb], rest)

    def _run(self, verb: str, name: str, arguments: Sequence[str]) -> int:
        called = f"{self.program} {verb}"
        keep_freed_memory()
        try:
            module = importlib.import_module(name)
            if hasattr(module, "__path__"):
                return Verbs(
                    called, f"{module.HELP[0].upper()}{module.HELP[1:]}.", name, moved=getattr(module, "MOVED", {})
                ).run(arguments)
            parser = VerbParser(prog=called, description=module.HELP)
            module.add_arguments(parser)
            return module.main(parser.parse_args(arguments))
        except KeyboardInterrupt:
            print(f"\n{called}: interrupted", file=sys.stderr)
            return 130
        except ModuleNotFoundError as error:
            if (cure := cure_of(error.name or "")) is None:
                raise
            print(f"{called}: the Python package {error.name} is missing: {cure}", file=sys.stderr)
            return 2
        except ValueError as error:  # every refusal of an input is one, and says what was given and what was expected
            print(f"{called}: {error}", file=sys.stderr)
            return 2
        except OSError as error:  # a file or folder that is not there, not a folder, locked, or full
            print(f"{called}: {error}", file=sys.stderr)
            return 1


GROUP_OF = {
    "plan": "check", "landscape": "check", "import": "model", "export": "model",
}  # fmt: skip
"""Verbs of before that stand in a group now."""
STUDIES_OF = {
    "ablate": "ablation", "blame": "failures", "compare": "comparison", "few-goals": "few-goals", "imagine": "imagined",
    "probe": "probe", "robustness": "robustness", "sensitivity": "sensitivity", "tune-search": "search",
    "tune-settings": "settings", "verdict": "verdict",
}  # fmt: skip
"""Verbs of before that are studies now."""


def verbs() -> Verbs:
    """Those of `jepa-planner`, with what other installed packages bring."""
    return Verbs(
        "jepa-planner",
        "Moves a robot arm until the world looks like a picture.",
        "jepa_planner.cli",
        {entry.name: entry.value for entry in entry_points(group=VERBS_GROUP)},
        {"familiarity": "it is `jepa-planner model out-of-distribution` now"}
        | {verb: f"it is `jepa-planner {group} {verb}` now" for verb, group in GROUP_OF.items()}
        | {
            verb: f"it is a study now: `python -m studies {study}`, in the source tree"
            for verb, study in STUDIES_OF.items()
        },
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb of `jepa-planner`; see `Verbs.run`."""
    return verbs().run(arguments)


def _file_of(module: str) -> Path:
    """The source of a module, or the `__init__` of a package, found without importing more than its topmost package."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        return Path(top)
    places = [Path(place, *rest) for place in spec.submodule_search_locations]
    for place in places:
        for file in (place / "__init__.py", place.with_suffix(".py")):
            if file.is_file():
                return file
    return places[0]


def _help_of(file: Path) -> str | None:
    """The line of help in a source file; None where it is no verb."""
    if not file.is_file():
        return None
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "HELP" for t in node.targets):
            return ast.literal_eval(node.value)
    return None


def cure_of(module: str) -> str | None:
    """What brings a module that is missing; None for one whose absence is a defect."""
    top, _, part = module.partition(".")
    if extra := _EXTRA_OF.get(top):
        return f"pip install 'jepa_planner[{extra}]'"
    if top in ALWAYS_NEEDED:
        return f"{sys.executable} does not have it; activate the environment that the README tells to make"
    if top.startswith(("rclpy", "rcl_", "ros")) or top.endswith(("_msgs", "_srvs")):
        return "source a ROS 2 workspace in which this package was built, or use the environment of `make setup`"
    if top == "jepa_planner" and part.split(".")[0] in ("msg", "srv", "action"):
        return "build this package's interfaces with colcon and source the workspace, or with `make setup`"
    return None


if __name__ == "__main__":
    sys.exit(main())
