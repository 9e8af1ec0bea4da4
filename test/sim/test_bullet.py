import copy
import gc
import pickle
import subprocess
import sys

import pytest

from jepa_planner_sim.bullet import start_server


def test_nothing_is_said_but_what_the_program_itself_says():
    code = "print('before'); from jepa_planner_sim.world import World; World().close(); print('after')"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    assert (found.stdout, found.stderr) == ("before\nafter\n", "")


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps, lambda server: copy.deepcopy([server])])
def test_a_server_refuses_to_be_copied_and_stays_connected(copied):
    server = start_server()
    with pytest.raises(TypeError, match=r"PhysicsServer owns a running simulation .* start another with start_server"):
        copied(server)
    gc.collect()
    assert server.isConnected()
    server.disconnect()
