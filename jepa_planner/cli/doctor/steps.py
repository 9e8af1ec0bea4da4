"""The checks that need no running system: the machine, ROS 2 as it is installed, and the model without both."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from jepa_planner.cli.doctor import machine as of_machine
from jepa_planner.cli.doctor import middleware as of_middleware
from jepa_planner.cli.doctor.findings import Finding, red
from jepa_planner.core.shipped import shipped

INTERFACES = {"msg": ("",), "srv": ("Request", "Response"), "action": ("Goal", "Result", "Feedback")}
"""Kinds of definitions, and the messages that each is made of."""


def ros_is_there() -> bool:
    """Whether rclpy can be imported, with its libraries."""
    return not _fault("rclpy")


def interfaces_fit() -> bool:
    """Whether the package's own messages, services and actions can be imported, and are those of this code."""
    return not _interface_fault() and not _different()


def machine() -> list[Finding]:
    """Python, packages and memory; accelerators and cores are looked at later."""
    return [
        of_machine.python(),
        of_machine.packages(of_machine.package_versions()),
        of_machine.memory(of_machine.available_memory_gb()),
    ]


def middleware() -> list[Finding]:
    """ROS 2 as it is installed and set."""
    environment = os.environ
    if fault := _fault("rclpy"):
        finding = of_middleware.ros_source(None, sys.prefix, environment)
        missing = not of_machine.is_there("rclpy")
        return [finding if missing else red("ros 2", f"rclpy cannot be imported: {fault}", finding.do)]
    import rclpy
    from rclpy.utilities import get_rmw_implementation_identifier

    leftover, foreign = of_middleware.shared_memory_files()
    return [
        of_middleware.ros_source(rclpy.__file__, sys.prefix, environment),
        of_middleware.interfaces(_interface_fault(), _built_version(), _different()),
        of_middleware.implementation(get_rmw_implementation_identifier(), environment.get("RMW_IMPLEMENTATION", "")),
        of_middleware.domain(environment),
        of_middleware.discovery(environment),
        of_middleware.shared_memory(leftover, foreign),
        of_middleware.clock_synchronisation(_timedatectl()),
    ]


def computing(parameters: Mapping[str, Any]) -> list[Finding]:
    """GPU and ONNX Runtime against what encoder_node is asked to use."""
    import torch

    from jepa_planner.model.device import usable_device

    why_not = ""
    try:
        usable_device(parameters["device"])
    except ValueError as error:
        why_not = str(error)
    cuda = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    providers = None
    if of_machine.is_there("onnxruntime"):
        providers = tuple(importlib.import_module("onnxruntime").get_available_providers())
    return [
        of_machine.accelerator(parameters["device"], cuda, why_not),
        of_machine.onnx(parameters["backend"], providers),
    ]


def without_ros(model: str) -> list[Finding]:
    """What can be said of the model alone: whether it loads, and how long a plan takes here."""
    if fault := _fault("torch"):
        return [red("bundle", f"not looked at: {fault}", "install what is missing above")]
    import torch

    from jepa_planner.cli.doctor import plan
    from jepa_planner.planning.planner import Planner

    try:
        planner = Planner.load(model)
        contract = planner.model.contract
        state = torch.zeros(len(contract.state.channels))
        now, shown = (planner.model.observe(plan.made_up(contract, seed)[None])[0] for seed in (0, 1))
        made = plan.dry_run(
            planner, now.with_state(state), shown, {"seed": 0, "monitor_out_of_distribution": False}, False
        )
    except (ValueError, OSError, RuntimeError) as error:
        return [red("bundle", str(error), "a model bundle is a folder with model.yaml and weights: --model DIR")]
    return [*computing({"device": "cpu", "backend": "torch"}), plan.verdict(made, 5.0, "between made-up pictures")]


def _fault(module: str) -> str:
    """Why a module cannot be imported; empty where it can."""
    try:
        importlib.import_module(module)
    except (ImportError, OSError) as error:  # a library of another installation is an OSError
        return f"{type(error).__name__}: {error}"
    return ""


def _interface_fault() -> str:
    return next(filter(None, (_fault(f"jepa_planner.{part}") for part in INTERFACES)), "")


def _built_version() -> str | None:
    """Of the package whose interfaces were built, by its package.xml."""
    for prefix in (*os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep), sys.prefix):
        file = Path(prefix, "share", "jepa_planner", "package.xml")
        if prefix and file.is_file():
            return ElementTree.parse(file).getroot().findtext("version")
    return None


def _different() -> list[str]:
    """Interfaces that were built from other definitions than the ones beside this code, where those are here."""
    if _interface_fault():
        return []
    found = []
    for kind, parts in INTERFACES.items():
        built = importlib.import_module(f"jepa_planner.{kind}")
        try:
            files = sorted(shipped(kind).glob(f"*.{kind}"))
        except FileNotFoundError:
            continue
        for file in files:
            definitions = re.split(r"(?m)^---.*$", file.read_text())
            whole = getattr(built, file.stem, None)
            classes = [getattr(whole, part) if part else whole for part in parts if whole is not None]
            if not classes or any(map(of_middleware.differs, definitions, map(_fields, classes))):
                found.append(file.stem)
    return found


def _fields(kind: Any) -> list[str]:
    return list(kind.get_fields_and_field_types())


def _timedatectl() -> str | None:
    try:
        said = subprocess.run(["timedatectl", "show"], capture_output=True, text=True, timeout=1.0)
    except (OSError, subprocess.SubprocessError):
        return None
    return said.stdout if said.returncode == 0 else None
