"""Types of messages that are installed here, by their names: their classes, and the texts that define them."""

from __future__ import annotations

import importlib
import re
from functools import cache
from pathlib import Path
from typing import Any

SEPARATOR = "=" * 80
_BUILTIN = {
    "bool", "byte", "char", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64",
    "uint64", "string", "wstring",
}  # fmt: skip
_FIELD = re.compile(r"^\s*([A-Za-z]\w*(?:/\w+)*)(?:<=\d+)?(?:\[[^\]]*\])?\s+[A-Za-z]\w*\s*(?!\s*=)(?:[^=\s].*)?$")


class UnknownTypeError(LookupError):
    """A type that is not installed here; the message names its package."""


@cache
def message_class(type_name: str) -> Any:
    """The class of package/msg/Name; raises UnknownTypeError where it is not installed."""
    package, _, name = type_name.replace("/msg/", "/").partition("/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError) as error:
        raise UnknownTypeError(f"{type_name} is not installed here; source the workspace that has {package}") from error


@cache
def has_header(type_name: str) -> bool:
    """Whether messages begin with a std_msgs/Header, and so with a stamp."""
    return next(iter(message_class(type_name).get_fields_and_field_types().values()), "") == "std_msgs/Header"


@cache
def definition_of(type_name: str) -> str:
    """The text of a type, followed by those of all types that it speaks of, as bags hold it; empty where a text is not
    installed.
    """
    texts = {type_name: _text_of(type_name)}
    waiting = [type_name]
    while waiting:
        spoken_of = waiting.pop(0)
        for name in _types_in(texts[spoken_of], spoken_of.partition("/")[0]):
            if name not in texts:
                texts[name] = _text_of(name)
                waiting.append(name)
    if not all(texts.values()):
        return ""
    parts = [text if name == type_name else f"MSG: {_short(name)}\n{text}" for name, text in texts.items()]
    return f"{SEPARATOR}\n".join(part if part.endswith("\n") else f"{part}\n" for part in parts)


def _text_of(type_name: str) -> str:
    """From the share folder of the installation that has the class; a type of no fields has a line of its own."""
    package, _, name = type_name.partition("/msg/")
    module = importlib.import_module(f"{package}.msg")
    for folder in Path(str(module.__file__)).resolve().parents:
        file = folder / "share" / package / "msg" / f"{name}.msg"
        if file.is_file():
            return file.read_text(encoding="utf-8") or "\n"
    return ""


def _types_in(text: str, package: str) -> list[str]:
    """Full names of the types of a definition's fields, those of ROS 2 itself left out."""
    found = []
    for line in text.splitlines():
        match = _FIELD.match(line.partition("#")[0].rstrip())
        if match is None or match[1] in _BUILTIN:
            continue
        name = "std_msgs/Header" if match[1] == "Header" else match[1]
        parts = name.replace("/msg/", "/").split("/")
        found.append(f"{parts[0] if len(parts) == 2 else package}/msg/{parts[-1]}")
    return found


def _short(type_name: str) -> str:
    return type_name.replace("/msg/", "/")
