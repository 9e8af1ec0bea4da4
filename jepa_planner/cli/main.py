"""Finds the verbs beside this file and hands over to the chosen one.

A verb is a module of this folder with a one-line `HELP`, `add_arguments(parser)` and `main(args) -> int`. It may import
anything: `jepa-planner --help` reads HELP from the source without importing, so that it answers at once.
"""

import ast
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from jepa_planner.cli.number_arguments import VerbParser

_HERE = Path(__file__).parent
_MODULES = {"import": "import_model"}
"""Modules of verbs that cannot be module names, because Python keeps the word."""
_EXTRA_OF = {
    **dict.fromkeys(("gymnasium", "pybullet", "pybullet_data", "pybullet_utils", "joblib"), "sim"),
    **dict.fromkeys(("imageio", "imageio_ffmpeg"), "sim"),
    **dict.fromkeys(("h5py", "scipy", "matplotlib"), "train"),
    **dict.fromkeys(("onnx", "onnxruntime", "onnxscript"), "onnx"),
    **dict.fromkeys(("dask", "distributed"), "cluster"),
    "rosbags": "bag",
    **dict.fromkeys(("panda_gym", "transformers"), "dev"),
}
"""The extra of pyproject.toml that brings a module which no plain installation has."""
_ALWAYS_NEEDED = {"numpy", "torch", "safetensors", "yaml", "PIL", "pinocchio", "ruckig", "tqdm"}


def verbs() -> dict[str, str]:
    """Returns each verb with its line of help, in alphabetical order."""
    found, verb_of = {}, {module: verb for verb, module in _MODULES.items()}
    for file in _HERE.glob("*.py"):
        text = _help_of(file)
        if text is not None:
            found[verb_of.get(file.stem, file.stem.replace("_", "-"))] = text
    return dict(sorted(found.items()))


def _help_of(file: Path) -> str | None:
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "HELP" for t in node.targets):
            return ast.literal_eval(node.value)
    return None


def _overview(known: dict[str, str]) -> str:
    width = max(map(len, known), default=0)
    lines = [f"  {verb:<{width}}  {text}" for verb, text in known.items()]
    return "\n".join(
        [
            "usage: jepa-planner VERB [options]",
            "",
            "Moves a robot arm until the world looks like a picture.",
            "",
            *lines,
            "",
            "jepa-planner VERB --help says more about one of them.",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb and returns its exit status; 2 for a wrong command line, 1 where it fails, 130 for Ctrl-C."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    known = verbs()
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview(known))
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from jepa_planner import __version__

        print(f"jepa-planner {__version__}")
        return 0
    verb, *rest = arguments
    if verb not in known:
        print(f"jepa-planner: no verb {verb!r}; choose one of: {', '.join(known)}", file=sys.stderr)
        return 2
    try:
        module = importlib.import_module(f"jepa_planner.cli.{_MODULES.get(verb, verb.replace('-', '_'))}")
        parser = VerbParser(prog=f"jepa-planner {verb}", description=module.HELP)
        module.add_arguments(parser)
        return module.main(parser.parse_args(rest))
    except KeyboardInterrupt:
        print(f"\njepa-planner {verb}: interrupted", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        if (cure := _cure(error.name or "")) is None:
            raise
        print(f"jepa-planner {verb}: the Python package {error.name} is missing: {cure}", file=sys.stderr)
        return 2
    except ValueError as error:  # every refusal of an input is one, and says what was given and what was expected
        print(f"jepa-planner {verb}: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # a file or folder that is not there, not a folder, locked, or full
        print(f"jepa-planner {verb}: {error}", file=sys.stderr)
        return 1


def _cure(module: str) -> str | None:
    """What brings a module that is missing; None for one whose absence is a defect."""
    top, _, part = module.partition(".")
    if extra := _EXTRA_OF.get(top):
        return f"pip install 'jepa_planner[{extra}]'"
    if top in _ALWAYS_NEEDED:
        return f"{sys.executable} does not have it; activate the environment that the README tells to make"
    if top.startswith(("rclpy", "rcl_", "ros")) or top.endswith(("_msgs", "_srvs")):
        return "source a ROS 2 workspace in which this package was built, or use the environment of `make setup`"
    if top == "jepa_planner" and part.split(".")[0] in ("msg", "srv", "action"):
        return "build this package's interfaces with colcon and source the workspace, or with `make setup`"
    return None


if __name__ == "__main__":
    sys.exit(main())
