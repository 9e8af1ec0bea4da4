import os
import socket

import pytest
import rclpy

from jepa_planner.nodes.trials import FIRST_PORT, PORTS_PER_DOMAIN, free_domain


def claim(domain: int) -> socket.socket:
    claimed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    claimed.bind(("", FIRST_PORT + PORTS_PER_DOMAIN * domain))
    return claimed


def test_a_domain_in_use_is_left_to_those_who_use_it():
    taken = free_domain()
    with claim(taken):
        assert free_domain() != taken
    assert free_domain() == taken


def test_a_participant_of_a_domain_listens_where_it_is_looked_for(ros):
    node = rclpy.create_node("somebody", use_global_arguments=False)
    try:
        with pytest.raises(OSError, match="in use"):
            claim(int(os.environ["ROS_DOMAIN_ID"]))
    finally:
        node.destroy_node()
