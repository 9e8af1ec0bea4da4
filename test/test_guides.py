"""What the guides say is so: codes, parameters, commands and messages are those of the sources."""

import argparse
import importlib
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import yaml
from jepa_planner.action import ReachGoalImage
from jepa_planner.msg import ArmState

from jepa_planner.cli import main as cli
from jepa_planner.cli.number_arguments import VerbParser
from studies.__main__ import STUDIES

ROOT = Path(__file__).resolve().parent.parent
GUIDES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
WITH_COMMANDS = [*GUIDES, ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("models/*/README.md"))]
SOURCES = [*ROOT.glob("jepa_planner/**/*.py")]
PARAMETERS = yaml.safe_load((ROOT / "config" / "parameters.yaml").read_text())
LINE = 120


def guide(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text()


def in_a_line(text: str) -> str:
    return " ".join(text.split())


def section(text: str, heading: str) -> str:
    """What stands below a heading of any level, up to the next one of its level or above."""
    level, start = next((len(m[1]), m.end()) for m in re.finditer(r"(?m)^(#+) (.*)$", text) if m[2] == heading)
    return re.split(rf"(?m)^#{{1,{level}}} ", text[start:])[0]


def constants(kind: type, prefix: str = "") -> dict[str, int]:
    """The constants of a message by name."""
    found = {name: getattr(kind, name) for name in dir(kind) if name.isupper() and name.startswith(prefix)}
    return {name: number for name, number in found.items() if isinstance(number, int)}


@pytest.mark.parametrize(("name", "code"), constants(ReachGoalImage.Result).items())
def test_every_outcome_code_is_explained(name, code):
    (line,) = re.findall(rf"(?m)^- \*\*{code} `{name}`\*\*: (.+)$", section(guide("troubleshooting"), "Outcome codes"))
    assert len(line.split()) > 3


def test_no_outcome_is_explained_that_is_none():
    codes = {**constants(ReachGoalImage.Result), **constants(ArmState, "MODE_")}
    for code, name in re.findall(r"(?m)^- \*\*(\d+) `(\w+)`\*\*", guide("troubleshooting")):
        assert codes[name] == int(code)


@pytest.mark.parametrize(("name", "code"), constants(ArmState, "MODE_").items())
def test_every_arm_mode_is_explained(name, code):
    assert f"- **{code} `{name}`**: " in section(guide("troubleshooting"), "Arm modes")


HEADINGS = ["By symptom", "Pictures", "Joint states", "Commands that go astray", "Arm modes", "Refused plans"]


@pytest.mark.parametrize("heading", HEADINGS)
def test_messages_that_the_guide_quotes_are_those_of_the_code(heading):
    said = in_a_line(" ".join(re.sub(r'"\s*\n\s*f?"', "", file.read_text()) for file in SOURCES))
    quoted = re.findall(r'"([^"]+)"', in_a_line(section(guide("troubleshooting"), heading)))
    assert quoted
    for message in quoted:
        for part in re.split(r"\.\.\.|\d+", message):
            assert part.strip() in said, message


@pytest.mark.parametrize("node", PARAMETERS)
def test_the_file_that_explains_a_nodes_parameters_is_linked(node):
    assert f"[{node}](../config/{node}.yaml)" in section(guide("ros_interface"), "Parameters")


def test_every_topic_and_service_is_named():
    text = "".join(
        file.read_text() for file in [*ROOT.glob("jepa_planner/nodes/*_node.py"), *ROOT.glob("sim/*/sim_node.py")]
    )
    names = set(re.findall(r'create_(?:\w+_)?(?:publisher|subscription|service)\(\s*\w+, f?"([^"]+)"', text))
    assert {"plan", "~/stop", "/clock"} <= names
    for name in names:
        assert f"`{name.replace('{view}', 'VIEW')}`" in guide("ros_interface"), name


def test_every_verb_and_every_study_is_named():
    text = in_a_line(" ".join(page.read_text() for page in GUIDES))
    for verb in cli.verbs().commands():
        assert f"`{verb}`" in text or f"jepa-planner {verb} " in text, verb
    for study in STUDIES.modules():
        assert f"`{study}`" in guide("evaluation"), study


def commands(page: Path, program: str) -> list[str]:
    """What a page tells to type: lines of fenced blocks, and code within sentences."""
    text = page.read_text().replace("\\\n", " ")
    fenced = re.findall(r"(?ms)^```\w*\n(.*?)^```", text)
    inline = re.findall(r"`([^`]+)`", re.sub(r"(?ms)^```.*?^```", "", text))
    lines = [line for block in fenced for line in block.splitlines()] + list(map(in_a_line, inline))
    return [line.strip() for line in lines if re.match(rf"\s*{program} \S", line)]


def options(parser: argparse.ArgumentParser) -> set[str]:
    """All that a command line of a verb may hold, those of its own verbs included."""
    found = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found |= {option for inner in action.choices.values() for option in options(inner)}
    return found


@cache
def modules(program: str) -> dict[str, str]:
    """The modules of a program's verbs, groups of verbs included."""
    verbs = STUDIES if program == STUDIES.program else cli.verbs()
    return verbs.commands() | verbs.modules()


@cache
def options_of(module: str) -> set[str]:
    parser = VerbParser()
    importlib.import_module(module).add_arguments(parser)
    return options(parser)


def check(command: str, program: str) -> None:
    """Fails unless the verb exists and has each of the options."""
    words = shlex.split(command, comments=True)[len(program.split()) :]
    if words[0] in ("VERB", "NAME"):
        return
    known = modules(program)
    verb = next((verb for verb in (" ".join(words[:2]), words[0]) if verb in known), None)
    assert verb is not None, command
    typed = {word for word in words if word.startswith("--")}
    assert typed <= options_of(known[verb]), command


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_guide_can_be_typed(page):
    for program in (cli.verbs().program, STUDIES.program):
        for command in commands(page, program):
            check(command, program)


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_no_line_of_a_guide_is_long(page):
    assert [line for line in page.read_text().splitlines() if len(line) > LINE] == []


def test_the_picture_of_the_architecture_names_what_is_there():
    drawn = re.findall(r">([a-z_]+/[a-z_/.]+)<", (ROOT / "docs" / "architecture" / "data_flow.svg").read_text())
    assert len(drawn) > 5
    assert [name for name in drawn if not (ROOT / "jepa_planner" / name).exists()] == []


def test_files_that_the_architecture_names_are_there():
    names = set(re.findall(r"`((?:\w+/)*\w+\.py)`", guide("architecture")))
    found = {str(path) for path in [*SOURCES, *ROOT.glob("sim/**/*.py")]}
    assert [name for name in names if not any(path.endswith(f"/{name}") for path in found)] == []
