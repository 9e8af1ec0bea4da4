import subprocess
import sys


def test_nothing_is_said_but_what_the_program_itself_says():
    code = "print('before'); from jepa_planner_sim.world import World; World().close(); print('after')"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    assert (found.stdout, found.stderr) == ("before\nafter\n", "")
