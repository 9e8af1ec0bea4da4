"""A node that only calls others, for benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rclpy.node import Node

from jepa_planner.nodes.running import NodeThread


@contextmanager
def calling_node() -> Iterator[Node]:
    """Spins in a thread of its own until it is left."""
    node = Node("benchmark", use_global_arguments=False)
    thread = NodeThread(node, lambda: None)
    try:
        yield node
    finally:
        thread.stop()
