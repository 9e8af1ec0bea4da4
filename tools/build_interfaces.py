"""Builds msg/, srv/ and action/ against the ROS 2 wheels of this virtual environment and installs them into it.

Run by `make setup` with the environment's own Python. The generated modules go to lib/jepa_planner_interfaces, where
`jepa_planner/__init__.py` finds them, so that they live beside the editable source under one package name.
"""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy

SOURCE = Path(__file__).resolve().parent.parent
PREFIX = Path(sys.prefix)
BUILD = SOURCE / "build" / "interfaces"


def point_exported_targets_here(share: Path) -> int:
    """Replaces include folders of the machine that built the wheels by this environment's; returns files changed."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    abi = f"cp{version.replace('.', '')}"
    foreign = f"/opt/python/{abi}-{abi}"
    replacements = {
        f"{foreign}/lib/python{version}/site-packages/numpy/_core/include": numpy.get_include(),
        f"{foreign}/include/python{version}": sysconfig.get_path("include"),
    }
    changed = 0
    for file in share.rglob("*.cmake"):
        text = patched = file.read_text(encoding="utf-8", errors="surrogateescape")
        for old, new in replacements.items():
            patched = patched.replace(old, new)
        if patched != text:
            file.write_text(patched, encoding="utf-8", errors="surrogateescape")
            changed += 1
    return changed


def build() -> None:
    """Configures, builds and installs the interfaces with CMake from the environment."""
    cmake = PREFIX / "bin" / "cmake"
    environment = {
        **os.environ,
        "AMENT_PREFIX_PATH": str(PREFIX),
        "CMAKE_PREFIX_PATH": str(PREFIX),
        "PATH": f"{PREFIX / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    settings = {
        "CMAKE_INSTALL_PREFIX": PREFIX,
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_INSTALL_RPATH": PREFIX / "lib",
        "PYTHON_INSTALL_DIR": "lib/jepa_planner_interfaces",
        "Python3_EXECUTABLE": PREFIX / "bin" / "python",
        "Python3_ROOT_DIR": PREFIX,
        "BUILD_TESTING": "OFF",
        "JEPA_PLANNER_INTERFACES_ONLY": "ON",
    }
    configure = [cmake, "-S", SOURCE, "-B", BUILD, *(f"-D{name}={value}" for name, value in settings.items())]
    log = BUILD / "build.log"
    BUILD.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        for command in (
            configure,
            [cmake, "--build", BUILD, "--parallel", str(os.cpu_count() or 1)],
            [cmake, "--install", BUILD],
        ):
            if subprocess.run(command, env=environment, stdout=output, stderr=subprocess.STDOUT).returncode:
                output.flush()
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
                sys.exit(f"{tail}\n\nBuilding the ROS 2 interfaces failed; the whole log is {log}")


if __name__ == "__main__":
    point_exported_targets_here(PREFIX / "share")
    build()
