"""`jepa-planner bench`: how fast this machine looks, imagines and plans."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jepa_planner.cli.compute_arguments import add_threads_argument

HELP = "measure encoding, rollouts and planning on this machine"
PARTS = ("peak", "encoder", "replanning", "scaling", "bundle", "middle", "full-size", "ros", "predictors")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--device", default="cpu", help="cpu, or cuda, cuda:0 ...")
    parser.add_argument("--model", default="", metavar="DIR", help="model bundle; the shipped one by default")
    add_threads_argument(parser)
    parser.add_argument("--quick", action="store_true", help="under a minute, with rougher numbers")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=" ".join(PARTS))
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="all numbers")
    parser.add_argument("--markdown", type=Path, default=None, metavar="FILE", help="the tables for a page")


def main(args: argparse.Namespace) -> int:
    """Measure part by part, print each table as soon as it is there, write the files."""
    import torch

    from jepa_planner.cli.bench_suite import Suite
    from jepa_planner.core.strict_fields import to_plain
    from jepa_planner.learning.evaluation.benchmark.machine import this_machine
    from jepa_planner.model.bundle import load_contract, model_folder
    from jepa_planner.model.device import usable_device
    from jepa_planner.model.rollout.threads import planning_threads

    for file in (args.json, args.markdown):
        if file is not None and file.is_dir():
            raise ValueError(f"{file} is a folder; expected the name of a file")
    device, folder = usable_device(args.device), model_folder(args.model)
    load_contract(folder)  # refuses what is none, before minutes are spent
    if args.threads:
        torch.set_num_threads(args.threads)  # of everything, for a fair comparison
    machine = this_machine(device, planning_threads())
    print(machine.in_words(), flush=True)
    suite = Suite(folder, device, machine.threads, args.quick, _progress)
    tables, results = [], {"machine": to_plain(machine), "model": str(folder), "quick": args.quick}
    for name in PARTS:
        if name not in args.parts:
            continue
        part = suite.parts[name]()
        results[name] = to_plain(part.numbers)
        for table in part.tables:
            print(f"\n{table.text()}", flush=True)
            tables.append(table)
    if args.markdown:
        pages = [f"{machine.in_words()}.\n", *(table.markdown() for table in tables)]
        _write(args.markdown, "\n".join(pages))
    if args.json:
        _write(args.json, json.dumps(results, indent=1) + "\n")
    return 0


@contextmanager
def _progress(name: str, total: int) -> Iterator[Callable[[], object]]:
    from tqdm import tqdm

    with tqdm(total=total, desc=name, leave=False, disable=None) as bar:
        yield bar.update


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
