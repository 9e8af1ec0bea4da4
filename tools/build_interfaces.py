"""Builds interfaces against the ROS 2 wheels of this virtual environment.

Run by `make setup` with the environment's own Python. The modules of msg/, srv/ and action/ go to
lib/jepa_planner_interfaces, where `jepa_planner/__init__.py` finds them, so that they live beside the editable source
under one package name. With a folder of packages, which hold nothing but such files, these go to lib/NAME_OF_FOLDER:
the tests stand in so for packages that a ROS 2 installation has and the wheels lack.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy

SOURCE = Path(__file__).resolve().parent.parent
PREFIX = Path(sys.prefix)
BUILD = SOURCE / "build"
USED = ("action_msgs", "builtin_interfaces", "geometry_msgs", "sensor_msgs", "std_msgs", "trajectory_msgs")
"""What definitions of other packages may speak of."""
CMAKE_LISTS = """cmake_minimum_required(VERSION 3.16)
project({name})
find_package(ament_cmake REQUIRED)
find_package(rosidl_default_generators REQUIRED)
foreach(package {used})
  find_package(${{package}} REQUIRED)
endforeach()
file(GLOB interfaces RELATIVE ${{CMAKE_CURRENT_SOURCE_DIR}} msg/*.msg srv/*.srv action/*.action)
rosidl_generate_interfaces(${{PROJECT_NAME}} ${{interfaces}} DEPENDENCIES {used})
ament_package()
"""
PACKAGE_XML = """<?xml version="1.0"?>
<package format="3">
  <name>{name}</name>
  <version>0.0.0</version>
  <description>Stands in for {name} in tests.</description>
  <maintainer email="maintainers@jepa-planner.org">jepa_planner maintainers</maintainer>
  <license>Apache-2.0</license>
  <buildtool_depend>ament_cmake</buildtool_depend>
  <buildtool_depend>rosidl_default_generators</buildtool_depend>
  {used}
  <member_of_group>rosidl_interface_packages</member_of_group>
</package>
"""


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


def build(source: Path, folder: Path, prefix: Path, python: str, settings: Mapping[str, str] = {}) -> None:
    """Configures, builds and installs one package with CMake from the environment.

    folder: of the build; prefix: where it is installed, its Python modules in `python` below that.
    """
    cmake = PREFIX / "bin" / "cmake"
    environment = {
        **os.environ,
        "AMENT_PREFIX_PATH": str(PREFIX),
        "CMAKE_PREFIX_PATH": str(PREFIX),
        "PATH": f"{PREFIX / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    settings = {
        "CMAKE_INSTALL_PREFIX": prefix,
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_INSTALL_RPATH": f"{prefix / 'lib'};{PREFIX / 'lib'}",
        "PYTHON_INSTALL_DIR": python,
        "Python3_EXECUTABLE": PREFIX / "bin" / "python",
        "Python3_ROOT_DIR": PREFIX,
        "BUILD_TESTING": "OFF",
        **settings,
    }
    configure = [cmake, "-S", source, "-B", folder, *(f"-D{name}={value}" for name, value in settings.items())]
    log = folder / "build.log"
    folder.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        for command in (
            configure,
            [cmake, "--build", folder, "--parallel", str(os.cpu_count() or 1)],
            [cmake, "--install", folder],
        ):
            if subprocess.run(command, env=environment, stdout=output, stderr=subprocess.STDOUT).returncode:
                output.flush()
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
                sys.exit(f"{tail}\n\nBuilding the ROS 2 interfaces failed; the whole log is {log}")


def build_packages(packages: Iterable[Path], name: str) -> None:
    """Builds packages of definitions into lib/NAME, one after the other: they do not use each other."""
    prefix = PREFIX / "lib" / name
    shutil.rmtree(prefix, ignore_errors=True)
    for package in packages:
        source = BUILD / name / package.name / "source"
        shutil.rmtree(source, ignore_errors=True)
        shutil.copytree(package, source)
        depends = "\n  ".join(f"<depend>{used}</depend>" for used in USED)
        (source / "package.xml").write_text(PACKAGE_XML.format(name=package.name, used=depends))
        (source / "CMakeLists.txt").write_text(CMAKE_LISTS.format(name=package.name, used=" ".join(USED)))
        build(source, source.parent / "build", prefix, "lib/python")


if __name__ == "__main__":
    point_exported_targets_here(PREFIX / "share")
    if sys.argv[1:]:
        given = Path(sys.argv[1])
        build_packages(sorted(path for path in given.iterdir() if path.is_dir()), f"{given.parent.name}_{given.name}")
    else:
        own = {"JEPA_PLANNER_INTERFACES_ONLY": "ON"}
        build(SOURCE, BUILD / "interfaces", PREFIX, "lib/jepa_planner_interfaces", own)
