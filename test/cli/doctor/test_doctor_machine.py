import os

import pytest
from made_up_system import told

from jepa_planner.cli.doctor import machine, middleware
from jepa_planner.cli.doctor.cpu_time import BusyThread, CpuTimes, _is_planner
from jepa_planner.cli.doctor.findings import Level

GREEN, YELLOW, RED = Level
RCLPY = "/venv/lib/python3.11/site-packages/rclpy/__init__.py"


@pytest.mark.parametrize(("version", "level"), [((3, 9, 1), RED), ((3, 11, 7), GREEN), ((3, 14, 0), YELLOW)])
def test_a_python_that_the_package_is_not_made_for_is_named(version, level):
    assert machine.python(version).level is level


def test_a_package_that_is_missing_is_named_with_what_brings_it():
    finding = machine.packages({"numpy": "2.0", "ruckig": None})
    assert finding.level is RED and finding.found == "ruckig missing" and finding.do
    assert machine.packages(machine.package_versions()).level is GREEN


def test_a_device_that_cannot_be_used_is_red_and_an_unused_gpu_is_told():
    assert machine.accelerator("cuda", None, "device 'cuda' cannot be used").level is RED
    assert "`device: cuda`" in machine.accelerator("cpu", "A100").found
    assert machine.onnx("onnx", None).level is YELLOW
    assert "CPUExecutionProvider" in machine.onnx("torch", ("CPUExecutionProvider",)).found


def test_a_thread_that_is_busy_without_a_goal_is_named():
    threads = (BusyThread(7, 8, 0.9), BusyThread(7, 9, 0.2))
    (finding,) = machine.busy_planner(threads, executing=False)
    assert "process 7" in finding.found and "90%" in finding.found
    assert machine.busy_planner(threads, executing=True) == machine.busy_planner(threads[1:], executing=False) == []


def test_cores_and_memory_are_judged_by_what_is_free():
    assert [machine.cores(free, 2).level for free in (0.1, 1.5)] == [YELLOW, GREEN]
    assert machine.available_memory_gb("MemTotal: 8000000 kB\nMemAvailable: 500000 kB\n") == 0.5
    assert machine.memory(0.5).level is YELLOW


def test_the_time_of_cores_passes():
    before = CpuTimes()
    assert 0.0 <= CpuTimes().free_cores(before) <= 1.1 * (os.cpu_count() or 1) + 20  # ticks are coarse
    commands = [b"python\0-m\0jepa_planner.nodes.arm_node\0--ros-args", b"/venv/bin/jepa-planner\0run\0--sim"]
    assert all(map(_is_planner, commands))
    assert not any(map(_is_planner, [b"python\0/venv/bin/jepa-planner\0doctor", b"vim\0jepa_planner/cli/run.py"]))


@pytest.mark.parametrize(
    ("file", "environment", "level", "words"),
    [
        (RCLPY, {}, GREEN, "wheels in /venv"),
        (RCLPY, {"AMENT_PREFIX_PATH": "/home/me/install:/opt/ros/jazzy"}, RED, "two installations mix"),
        (RCLPY, {"LD_LIBRARY_PATH": "/opt/ros/jazzy/lib"}, RED, "/opt/ros/jazzy/lib is sourced"),
        ("/opt/ros/jazzy/lib/python3/rclpy/__init__.py", {"ROS_DISTRO": "jazzy"}, GREEN, "jazzy"),
        (None, {}, RED, "source a ROS 2 workspace"),
    ],
)
def test_wheels_and_a_sourced_ros_do_not_mix(file, environment, level, words):
    assert words in told(middleware.ros_source(file, "/venv", environment), level)


@pytest.mark.parametrize(
    ("found", "level"),
    [
        (("", "0.1.0", []), GREEN),
        (("no module", None, []), RED),
        (("", "0.0.9", []), YELLOW),
        (("", None, ["Plan"]), RED),
    ],
)
def test_interfaces_of_another_version_are_named(found, level):
    assert middleware.interfaces(*found).level is level


def test_a_definition_differs_from_what_was_built_by_its_fields_alone():
    definition = "# words\nuint8 KIND = 0  # a constant\nfloat32[] one   # m\nstd_msgs/Header header\nstring<=5 name\n"
    assert not middleware.differs(definition, ["one", "header", "name"])
    assert middleware.differs(definition, ["one", "header"])


@pytest.mark.parametrize(
    ("check", "environment", "level"),
    [
        (middleware.domain, {}, GREEN),
        (middleware.domain, {"ROS_DOMAIN_ID": "42"}, GREEN),
        (middleware.domain, {"ROS_DOMAIN_ID": "150"}, YELLOW),
        (middleware.domain, {"ROS_DOMAIN_ID": "250"}, RED),
        (middleware.domain, {"ROS_DOMAIN_ID": "mine"}, RED),
        (middleware.discovery, {}, GREEN),
        (middleware.discovery, {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}, GREEN),
        (middleware.discovery, {"ROS_AUTOMATIC_DISCOVERY_RANGE": "OFF"}, RED),
        (middleware.discovery, {"ROS_AUTOMATIC_DISCOVERY_RANGE": "OFF", "ROS_STATIC_PEERS": "10.0.0.2"}, GREEN),
        (middleware.discovery, {"ROS_AUTOMATIC_DISCOVERY_RANGE": "HOST"}, RED),
        (middleware.discovery, {"ROS_LOCALHOST_ONLY": "1"}, YELLOW),
    ],
)
def test_domain_and_discovery_are_judged(check, environment, level):
    assert check(environment).level is level


def test_a_message_package_is_wanted_only_where_something_needs_it():
    have = ["tf2_msgs", "controller_manager_msgs"]
    (finding,) = middleware.message_packages(have, {}, "jazzy")
    assert finding.level is GREEN and "ros-jazzy-control-msgs" in finding.found
    (finding, *_) = middleware.message_packages(have, {"control_msgs": "output of arm_node"}, "jazzy")
    assert finding.level is RED and finding.do == "sudo apt install ros-jazzy-control-msgs"


def test_leftovers_in_shared_memory_are_those_that_no_process_maps(tmp_path):
    proc, folder = tmp_path / "proc", tmp_path / "shm"
    (proc / "12").mkdir(parents=True)
    folder.mkdir()
    for name in ("fastrtps_aa", "fastrtps_aa_el", "fastrtps_port7411", "other"):
        (folder / name).write_text("")
    (proc / "12" / "maps").write_text(f"7f00-7f01 rw-s 0 00:1 9 {folder}/fastrtps_aa\n")
    leftover, foreign = middleware.shared_memory_files(proc, folder)
    assert (leftover, foreign) == (["fastrtps_port7411"], [])
    assert "rm -f" in told(middleware.shared_memory(leftover, foreign), YELLOW)
    assert "run all as one user" in told(middleware.shared_memory([], ["fastrtps_aa"]), YELLOW)


def test_socket_buffers_must_hold_the_largest_picture():
    assert middleware.socket_buffers(212_992, 0).level is GREEN
    assert "sysctl" in told(middleware.socket_buffers(212_992, 640 * 480 * 3), YELLOW)


def test_an_unsynchronised_clock_is_told_where_it_can_be_asked():
    says = ["NTP=yes\nNTPSynchronized=yes\n", "NTPSynchronized=no\n", None]
    assert [middleware.clock_synchronisation(text).level for text in says] == [GREEN, YELLOW, GREEN]


def test_another_middleware_than_asked_for_is_told():
    assert middleware.implementation("rmw_fastrtps_cpp", "rmw_cyclonedds_cpp").level is YELLOW
    assert middleware.implementation("rmw_fastrtps_cpp", "").level is GREEN
