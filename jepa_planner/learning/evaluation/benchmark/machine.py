"""The machine that numbers belong to: without its name a time says nothing."""

from __future__ import annotations

import os
import platform
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

_QUERIES = {
    "AVX2": "_is_avx2_supported",
    "AVX512": "_is_avx512_supported",
    "VNNI": "_is_vnni_supported",
    "AVX512-bf16": "_is_avx512_bf16_supported",
    "AMX": "_is_amx_tile_supported",
}


@dataclass(frozen=True)
class Machine:
    """Processor or GPU by name, cores that this process may use, what multiplies there, and what computes on it.

    load: processes that wanted a core, as a mean over the last minute; more than none at the start makes times longer.
    """

    name: str
    device: str
    cores: int
    instructions: tuple[str, ...]
    memory_gb: float
    threads: int
    torch: str
    python: str
    load: float

    def in_words(self) -> str:
        """One line."""
        parts = [
            self.name,
            f"{self.cores} cores ({', '.join(self.instructions) or 'no vector instructions known'})",
            f"{self.memory_gb:.0f} GB",
            f"{self.threads} thread{'s' if self.threads > 1 else ''}",
            f"torch {self.torch}, Python {self.python}",
            f"load before the start {self.load:.1f}",
        ]
        return "; ".join(parts)


def this_machine(device: torch.device, threads: int) -> Machine:
    """What this process runs on."""
    on_gpu = device.type == "cuda"
    processor = processor_name()
    name = f"{torch.cuda.get_device_name(device)} beside {processor}" if on_gpu else processor
    instructions = [name for name, query in _QUERIES.items() if getattr(torch.cpu, query, lambda: False)()]
    memory = torch.cuda.get_device_properties(device).total_memory if on_gpu else _installed_bytes()
    return Machine(
        name=name,
        device=str(device),
        cores=usable_cores(),
        instructions=tuple(instructions),
        memory_gb=memory / 1e9,
        threads=threads,
        torch=torch.__version__,
        python=platform.python_version(),
        load=os.getloadavg()[0],
    )


def usable_cores() -> int:
    """Cores on which this process may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor_name() -> str:
    """The processor's name as it calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return " ".join(names[0].split()) if names else platform.processor() or platform.machine()


def peak_memory_bytes(device: torch.device) -> int:
    """Most memory held up to now: on a GPU by torch, else by this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def free_memory_bytes(device: torch.device) -> int:
    """Memory that is left."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _installed_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
