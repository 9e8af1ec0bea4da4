"""Checks of the computer: Python and its packages, accelerators, free cores and memory."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from jepa_planner import __version__
from jepa_planner.cli.doctor.cpu_time import BusyThread
from jepa_planner.cli.doctor.findings import Finding, green, red, yellow
from jepa_planner.cli.main import ALWAYS_NEEDED, cure_of

PYTHONS = ((3, 10), (3, 13))
"""The oldest and the newest that this package is meant for."""
DISTRIBUTIONS = {"yaml": "pyyaml", "PIL": "pillow", "cv2": "opencv-python-headless", "pinocchio": "pin"}
NEEDED_MEMORY_GB = 1.0
"""Of the planner with the shipped model, and something to spare."""
LEAST_FREE_CORES = 0.5
BUSY = 0.6
"""Of a core: a planner with nothing to do needs a third of it, for all of its nodes."""


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Whether this Python is one of those that the package is made for."""
    text = f"{'.'.join(map(str, version))} at {sys.executable}, jepa_planner {__version__}"
    oldest, newest = PYTHONS
    if oldest <= version[:2] <= newest:
        return green("python", text)
    meant = " to ".join(f"{major}.{minor}" for major, minor in PYTHONS)
    level = red if version[:2] < oldest else yellow
    return level("python", text, f"use Python {meant}: the one of `make setup`, or of your ROS 2 distribution")


def packages(versions: Mapping[str, str | None]) -> Finding:
    """Whether all packages are there that every part needs; versions: by module, None for one that is missing."""
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        return red(
            "packages", f"{', '.join(missing)} missing", cure_of(missing[0]) or f"pip install {' '.join(missing)}"
        )
    return green("packages", ", ".join(f"{name} {version}" for name, version in versions.items()))


def package_versions() -> dict[str, str | None]:
    """Of what every part needs; found without importing it."""
    return {name: _version(name) for name in sorted(ALWAYS_NEEDED)}


def is_there(module: str) -> bool:
    """Whether a module can be found, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _version(module: str) -> str | None:
    if not is_there(module):
        return None
    try:
        return metadata.version(DISTRIBUTIONS.get(module, module))
    except metadata.PackageNotFoundError:  # of the system, under another name
        return "of the system"


def accelerator(device: str, cuda: str | None, why_not: str = "") -> Finding:
    """device: what the nodes are asked to use; cuda: name of the GPU that torch finds, None for none; why_not: what
    torch says about the device, empty where it can be used.
    """
    if why_not:
        return red("device", why_not, "set the parameter `device` to cpu, or install a torch that knows this GPU")
    if cuda and device == "cpu":
        return green("device", f"cpu; {cuda} is there too: the parameter `device: cuda` plans on it")
    return green("device", f"{device}: {cuda}" if cuda else "cpu, no GPU that torch can use")


def onnx(backend: str, providers: tuple[str, ...] | None) -> Finding:
    """backend: what the nodes are asked to use; providers: of ONNX Runtime, None where it is not installed."""
    if providers is None:
        if backend == "onnx":
            return yellow(
                "onnx",
                "backend is onnx, and ONNX Runtime is not installed: torch is used",
                cure_of("onnxruntime") or "",
            )
        return green("onnx", "ONNX Runtime is not installed, nor asked for")
    return green("onnx", f"providers {', '.join(providers)}; backend is {backend}")


def cores(free: float, usable: int) -> Finding:
    """free: of the cores that this process may use, idle while we listened."""
    text = f"{free:.1f} of {usable} cores free"
    if free >= LEAST_FREE_CORES:
        return green("cores", text)
    return yellow(
        "cores", text, "setpoints and pictures come late on a busy machine: end what else runs (`top` names it), or "
        "plan on another computer"
    )  # fmt: skip


def busy_planner(threads: tuple[BusyThread, ...], executing: bool) -> list[Finding]:
    """threads: of the planner's processes, with their share of a core; executing: whether it has a goal to work for."""
    busy = [thread for thread in threads if thread.share > BUSY]
    if executing or not busy:
        return []
    most = max(busy, key=lambda thread: thread.share)
    text = f"process {most.process} has no goal, and its thread {most.thread} takes {most.share:.0%} of a core"
    return [yellow("idle planner", text, "it holds the interpreter that plans: start the planner's nodes again")]


def memory(available_gb: float) -> Finding:
    """available_gb: as the kernel estimates it."""
    text = f"{available_gb:.1f} GB available"
    if available_gb >= NEEDED_MEMORY_GB:
        return green("memory", text)
    return yellow(
        "memory", text, f"the planner with the shipped model wants {NEEDED_MEMORY_GB:g} GB: end other programs"
    )


def available_memory_gb(meminfo: str | None = None) -> float:
    """What new programs may take without swapping."""
    text = Path("/proc/meminfo").read_text() if meminfo is None else meminfo
    found = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return int(found["MemAvailable"].split()[0]) / 1e6


def usable_cores() -> int:
    """How many this process may run on."""
    return len(os.sched_getaffinity(0))
