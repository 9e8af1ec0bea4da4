"""Messages of packages that not every installation has."""

from __future__ import annotations

import importlib
from typing import Any


def message_type(package: str, kind: str, name: str) -> Any:
    """The class of a message, service or action; kind: msg, srv or action.

    Raises ValueError naming the package to install where it is missing, or too old to have it.
    """
    install = f"sudo apt install ros-$ROS_DISTRO-{package.replace('_', '-')}"
    try:
        module = importlib.import_module(f"{package}.{kind}")
    except ImportError as error:
        raise ValueError(f"{package} is not installed, which {name} comes from: {install}") from error
    try:
        return getattr(module, name)
    except AttributeError as error:
        raise ValueError(f"the installed {package} is too old to have {name}: {install}") from error
