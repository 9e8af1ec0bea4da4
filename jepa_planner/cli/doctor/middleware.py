"""Checks of ROS 2 before any node is asked: whose it is, this package's interfaces, DDS and its settings."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from jepa_planner import __version__
from jepa_planner.cli.doctor.findings import Finding, green, red, yellow
from jepa_planner.cli.doctor.machine import is_there

OPTIONAL = {
    "control_msgs": "trajectories and grippers as actions, MoveIt Servo",
    "controller_manager_msgs": "whether controllers are active",
    "tf2_msgs": "poses on /tf",
}
"""Packages that the wheels lack, and what each is for."""
HIGHEST_DOMAIN, HIGHEST_SAFE_DOMAIN = 232, 101
"""Above the second, ports are those that Linux gives to other programs."""
RANGES = ("SUBNET", "LOCALHOST", "OFF", "SYSTEM_DEFAULT")
SHARED_MEMORY = Path("/dev/shm")
FIELD = re.compile(r"^\s*[\w/]+(?:<=\d+)?(?:\[[^]]*\])?[ \t]+([a-z]\w*)\b(?![ \t]*=)", re.M)
"""Of a .msg file; constants are in capitals."""
Environment = Mapping[str, str]


def ros_source(rclpy_file: str | None, prefix: str, environment: Environment) -> Finding:
    """rclpy_file: where rclpy was found, None for nowhere; prefix: of this Python.

    The wheels and a sourced ROS 2 must not mix: libraries of one would be loaded with modules of the other.
    """
    sourced = [
        path
        for name in ("AMENT_PREFIX_PATH", "LD_LIBRARY_PATH", "PYTHONPATH")
        for path in environment.get(name, "").split(os.pathsep)
        if path.startswith("/opt/ros/")
    ]
    distribution = environment.get("ROS_DISTRO", "")
    if rclpy_file is None:
        return red(
            "ros 2", "rclpy cannot be imported: only the machine is checked",
            "source a ROS 2 workspace in which this package was built, or use the environment of `make setup`",
        )  # fmt: skip
    if rclpy_file.startswith(f"{prefix}{os.sep}") and not prefix.startswith("/opt/ros/"):
        if sourced:
            return red(
                "ros 2", f"the wheels of {prefix} run while {sourced[0]} is sourced: two installations mix",
                "open a terminal in which no ROS 2 is sourced, or leave the environment of the wheels (`deactivate`)",
            )  # fmt: skip
        return green("ros 2", f"wheels in {prefix}")
    return green("ros 2", f"{distribution or 'installed'}, {Path(rclpy_file).parent}")


def interfaces(fault: str, built_version: str | None, different: Iterable[str]) -> Finding:
    """fault: why they cannot be imported, or empty; built_version: of what was built, None where nothing tells;
    different: messages whose fields are not those of the sources.
    """
    how = "build them anew: `colcon build` and source the workspace, or `make setup`"
    if fault:
        return red("interfaces", fault, how)
    if different := list(different):
        return red("interfaces", f"{', '.join(different)} were built from other definitions than these", how)
    if built_version not in (None, __version__):
        return yellow("interfaces", f"built of version {built_version}; the code is {__version__}", how)
    return green("interfaces", f"built of version {built_version or __version__}")


def differs(definition: str, built: Iterable[str]) -> bool:
    """Whether a .msg file has other fields than the class that was built of it."""
    return FIELD.findall(definition) != list(built)


def message_packages(have: Iterable[str], needed: Mapping[str, str], distribution: str) -> list[Finding]:
    """have: those of OPTIONAL that can be imported; needed: by which parameter, by package."""
    lacking = [name for name in OPTIONAL if name not in set(have)]
    findings = [
        red(name, f"not installed, and {needed[name]} needs it", f"sudo apt install {apt(name, distribution)}")
        for name in lacking
        if name in needed
    ]
    if unneeded := [name for name in lacking if name not in needed]:
        come_with = " ".join(apt(name, distribution) for name in unneeded)
        uses = "; ".join(f"{name} ({OPTIONAL[name]})" for name in unneeded)
        findings.append(green("message packages", f"not installed, not needed now: {uses}. They come with {come_with}"))
    return findings or [green("message packages", f"{', '.join(OPTIONAL)} are there")]


def apt(name: str, distribution: str) -> str:
    """The Debian package that brings a ROS 2 package."""
    return f"ros-{distribution or '$ROS_DISTRO'}-{name.replace('_', '-')}"


def installed() -> list[str]:
    """Those of OPTIONAL that can be imported."""
    return [name for name in OPTIONAL if is_there(name)]


def domain(environment: Environment) -> Finding:
    """ROS_DOMAIN_ID, which must be the same for all that want to hear each other."""
    given = environment.get("ROS_DOMAIN_ID", "")
    if not given:
        return green("domain", "0, as ROS_DOMAIN_ID is not set")
    if not given.isdecimal() or int(given) > HIGHEST_DOMAIN:
        return red("domain", f"ROS_DOMAIN_ID is {given!r}", f"set it to a whole number from 0 to {HIGHEST_SAFE_DOMAIN}")
    if int(given) > HIGHEST_SAFE_DOMAIN:
        how = f"take one up to {HIGHEST_SAFE_DOMAIN}, for all computers"
        return yellow("domain", f"ROS_DOMAIN_ID is {given}: its ports may belong to other programs", how)
    return green("domain", f"ROS_DOMAIN_ID is {given}; drivers and planner need the same")


def discovery(environment: Environment) -> Finding:
    """How far nodes look for each other."""
    given = environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "")
    peers = environment.get("ROS_STATIC_PEERS", "")
    server = environment.get("ROS_DISCOVERY_SERVER", "")
    beside = "".join(f"; {name} {text}" for name, text in (("peers", peers), ("discovery server", server)) if text)
    if environment.get("ROS_LOCALHOST_ONLY") == "1":
        how = "unset ROS_LOCALHOST_ONLY where drivers run on another computer"
        return yellow("discovery", f"ROS_LOCALHOST_ONLY is 1: this computer alone{beside}", how)
    if given and given not in RANGES:
        how = f"set it to one of {', '.join(RANGES)}"
        return red("discovery", f"ROS_AUTOMATIC_DISCOVERY_RANGE is {given!r}", how)
    if given == "OFF" and not (peers or server):
        how = "unset ROS_AUTOMATIC_DISCOVERY_RANGE, or name ROS_STATIC_PEERS"
        return red("discovery", "ROS_AUTOMATIC_DISCOVERY_RANGE is OFF: no node finds another", how)
    where = {"LOCALHOST": "this computer alone", "OFF": "nowhere but the named peers"}.get(given, "the local network")
    return green("discovery", f"{where}{beside}")


def implementation(used: str, asked: str) -> Finding:
    """used: the middleware that rclpy loaded; asked: RMW_IMPLEMENTATION."""
    if asked and asked != used:
        return yellow("middleware", f"{used} runs, RMW_IMPLEMENTATION is {asked}", f"install {asked}, or unset it")
    return green("middleware", f"{used}; all nodes need the same")


def shared_memory(leftover: Iterable[str], foreign: Iterable[str]) -> Finding:
    """leftover: files of Fast DDS that no process uses; foreign: files of nodes of another user."""
    if foreign := list(foreign):
        return yellow(
            "shared memory", f"{len(foreign)} files of Fast DDS in {SHARED_MEMORY} belong to another user",
            "nodes of two users see each other's names and hear nothing: run all as one user, or set "
            "FASTDDS_BUILTIN_TRANSPORTS=UDPv4 for all",
        )  # fmt: skip
    if leftover := list(leftover):
        return yellow(
            "shared memory", f"{len(leftover)} files of Fast DDS in {SHARED_MEMORY} that no process here uses",
            f"killed nodes left them, and new ones may hang on them: once all nodes have ended, rm -f {SHARED_MEMORY}"
            "/fastrtps_*",
        )  # fmt: skip
    return green("shared memory", "no leftovers of Fast DDS")


def shared_memory_files(proc: Path = Path("/proc"), folder: Path = SHARED_MEMORY) -> tuple[list[str], list[str]]:
    """The files of Fast DDS that no visible process uses, and those of other users."""
    files = [file for file in folder.glob("fastrtps_*") if not file.name.endswith("_el")]
    used: set[str] = set()
    for process in proc.glob("[0-9]*"):
        try:
            used |= set(re.findall(r"/fastrtps_\w+", (process / "maps").read_text()))
        except OSError:
            continue  # ended meanwhile, or another's
    mine = [file for file in files if _owner(file) == os.getuid()]
    return [file.name for file in mine if f"/{file.name}" not in used], [f.name for f in files if f not in mine]


def _owner(file: Path) -> int:
    try:
        return file.stat().st_uid
    except OSError:
        return os.getuid()


def socket_buffers(rmem_max: int, largest_message: int) -> Finding:
    """rmem_max: bytes that a socket may hold; largest_message: of those that were heard, 0 for none."""
    text = f"net.core.rmem_max {rmem_max / 1e6:.1f} MB"
    if largest_message <= rmem_max:
        return green("socket buffers", text)
    return yellow(
        "socket buffers", f"{text}; a picture has {largest_message / 1e6:.1f} MB",
        "pictures from another computer lose pieces: sudo sysctl -w net.core.rmem_max=33554432, or smaller or "
        "compressed pictures",
    )  # fmt: skip


def clock_synchronisation(timedatectl: str | None) -> Finding:
    """timedatectl: what `timedatectl show` says, None where nothing can be asked."""
    if timedatectl is None or "NTPSynchronized=" not in timedatectl:
        return green("clock", "whether this computer's clock is synchronised cannot be told here")
    if "NTPSynchronized=yes" in timedatectl:
        return green("clock", "synchronised")
    return yellow(
        "clock", "this computer's clock is not synchronised", "where drivers run on another computer, let chrony or "
        "PTP keep both alike"
    )  # fmt: skip
