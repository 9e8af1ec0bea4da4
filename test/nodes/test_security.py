"""Nodes that are asked to be secure do not start where they cannot be; and the policy of who may do what."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from jepa_planner.nodes.graph import PLANNER_MODULES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("module", PLANNER_MODULES.values(), ids=PLANNER_MODULES)
def test_a_node_that_is_asked_to_be_secure_and_finds_no_keys_does_not_start(module, tmp_path):
    asked = {"ROS_SECURITY_ENABLE": "true", "ROS_SECURITY_STRATEGY": "Enforce", "ROS_SECURITY_KEYSTORE": str(tmp_path)}
    (tmp_path / "enclaves").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", module], env={**os.environ, **asked}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1 and "security" in done.stderr.lower(), done.stderr


def test_the_policy_that_ships_is_what_the_nodes_do():
    done = subprocess.run([sys.executable, str(ROOT / "tools" / "write_policy.py"), "--check"], timeout=100)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("rule", "name", "who"),
    [
        ("topics[@publish='ALLOW']", "joint_trajectory", {"arm_node"}),
        ("topics[@publish='ALLOW']", "plan", {"mpc_node"}),
        ("topics[@publish='ALLOW']", "latent", {"encoder_node"}),
        ("services[@request='ALLOW']", "arm_node/stop", {"operator"}),
        ("services[@request='ALLOW']", "arm_node/set_parameters", set()),
        ("actions[@call='ALLOW']", "reach_goal_image", {"operator"}),
    ],
)
def test_by_the_policy_only_so_many_may_do_this(rule, name, who):
    enclaves = ElementTree.parse(ROOT / "config" / "sros2_policy.xml").iter("enclave")
    may = {
        one.get("path").split("/")[-1]
        for one in enclaves
        if name in [text.text for text in one.findall(f".//{rule}/*")]
    }
    assert may == who
