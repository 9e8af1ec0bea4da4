"""What the programs ask of their process, and that nothing else asks it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from jepa_planner.core.this_process import keep_freed_memory, use_all_cores

PACKAGE = Path(__file__).resolve().parents[2] / "jepa_planner"
BLOCKS = """
import sys
from jepa_planner.core.this_process import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def resident_bytes():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
before = resident_bytes()
block = bytearray(b"x") * (8 << 20)
del block
print(resident_bytes() - before)
"""


@pytest.fixture
def threads(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    yield monkeypatch
    torch.set_num_threads(before)


def test_all_cores_are_used_unless_the_environment_says_how_many(threads):
    torch.set_num_threads(2)
    threads.setenv("OMP_NUM_THREADS", "2")
    use_all_cores()
    assert torch.get_num_threads() == 2
    threads.delenv("OMP_NUM_THREADS")
    use_all_cores()
    assert torch.get_num_threads() == 3


@pytest.mark.skipif(sys.platform != "linux" or not os.confstr("CS_GNU_LIBC_VERSION"), reason="of glibc")
def test_freed_memory_stays_where_it_was_asked_for_and_goes_elsewhere():
    grown = {}
    for how in ("kept", "given back"):
        found = subprocess.run([sys.executable, "-c", BLOCKS, how], capture_output=True, text=True, check=True)
        grown[how] = int(found.stdout)
    assert grown["kept"] > 7 << 20 > 1 << 20 > grown["given back"]


def test_another_c_library_is_left_as_it_is(monkeypatch):
    def missing(name):
        raise OSError(name)

    monkeypatch.setattr("ctypes.CDLL", missing)
    keep_freed_memory()


def test_library_code_asks_nothing_of_the_whole_process():
    asks = r"keep_freed_memory\(\)|use_all_cores\(\)|mallopt|gc\.(freeze|disable)|\.(filterwarnings|simplefilter)"
    entries = {"core/this_process.py", "core/parallel.py", "nodes/running.py", "model/onnx/export.py"}
    for file in [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.cpp")]:
        name = file.relative_to(PACKAGE).as_posix()
        if name not in entries and not name.startswith("cli/"):
            assert not re.search(asks, file.read_text()), name
