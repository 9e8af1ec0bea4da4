"""The arguments that say in what numbers and on how many cores a model computes."""

from __future__ import annotations

import argparse

DTYPES = ("auto", "float32", "bfloat16", "float16", "int8")


def add_compute_arguments(parser: argparse.ArgumentParser, dtype: str | None = "float32") -> None:
    """Declare --dtype, with a default, and --threads."""
    parser.add_argument(
        "--dtype",
        choices=DTYPES,
        default=dtype,
        help="of matrix products; auto: the fastest here, confirmed in float32",
    )
    add_threads_argument(parser)


def add_threads_argument(parser: argparse.ArgumentParser) -> None:
    """Declare --threads; 0 where it is not given."""
    parser.add_argument(
        "--threads",
        type=_threads,
        default=0,
        metavar="N",
        help="cores for rollouts; all, or OMP_NUM_THREADS, by default",
    )


def _threads(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of cores; expected 1 or more")
    return int(text)
