"""Runs nodes until SIGINT or SIGTERM, each in its own small executor, and brings them down in order."""

import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Sequence

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from jepa_planner.core.this_process import keep_freed_memory
from jepa_planner.nodes.parameter_files import known
from jepa_planner.nodes.parameters import nearest
from jepa_planner.nodes.planner_node import PlannerNode, start, wait_until

try:  # wakes per event instead of rebuilding a wait set: measured 31 % of a core for five idle nodes, not 62 %
    from rclpy.experimental import EventsExecutor as NodeExecutor
except ImportError:  # older installations of rclpy do not have it
    from rclpy.executors import SingleThreadedExecutor as NodeExecutor

SHUTDOWN_TIMEOUT_S = 5.0
LAST_WORDS_S = 0.3
"""After deactivation a node may still have an action result to send."""

# Several nodes share the interpreter when composed; a planning thread must not keep the setpoint stream waiting.
THREAD_SWITCH_S = 0.001


class NodeThread:
    """One node spinning in one thread. A callback that raises ends the process rather than leaving a dead node."""

    def __init__(self, node: Node, on_failure: Callable[[], None]) -> None:
        self.node = node
        self.failed = False
        self._on_failure = on_failure
        self._executor = NodeExecutor(context=node.context)
        self._executor.add_node(node)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._spin, name=node.get_name(), daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], object], timeout_s: float = SHUTDOWN_TIMEOUT_S) -> bool:
        """Runs a function between callbacks, so that it needs no locks; returns whether it came to an end in time.

        Raises what the function raises: in the executor it would end the node's thread, or with rclpy's newer executor
        the process.
        """
        if not self._thread.is_alive():
            return False
        failures: list[Exception] = []

        def work() -> None:
            try:
                function()
            except Exception as error:
                failures.append(error)

        task = self._executor.create_task(work)
        self._executor.wake()
        ended = wait_until(task.done, timeout_s)
        if failures:
            raise failures[0]
        return ended

    def stop(self) -> None:
        """Ends spinning, then destroys the node; the executor must be gone before the interpreter is."""
        self._stopping.set()
        self._executor.wake()
        self._thread.join(SHUTDOWN_TIMEOUT_S)
        self._executor.shutdown(timeout_sec=1.0)
        self.node.destroy_node()

    def _spin(self) -> None:
        try:
            while not self._stopping.is_set() and self.node.context.ok():
                self._executor.spin_once(timeout_sec=0.2)
        except ExternalShutdownException:
            pass
        except Exception as error:
            self.failed = True
            self.node.get_logger().fatal(f"{type(error).__name__}: {error}")
            self._on_failure()
            raise


class Composition:
    """Nodes in one process: `start`, then `stop`, which deactivates in the order given (the planner before the arm)."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = list(nodes)
        self.ended = threading.Event()
        self._threads: list[NodeThread] = []

    def start(self) -> None:
        """Configures, activates and spins; raises RuntimeError or ValueError when a node cannot start."""
        sys.setswitchinterval(THREAD_SWITCH_S)
        try:
            _refuse_unknown_parameters(self.nodes)
            planner_nodes = [node for node in self.nodes if isinstance(node, PlannerNode)]
            for planner_node in planner_nodes:
                planner_node.going_down = self.ended
            start(planner_nodes)
        except (RuntimeError, ValueError):
            for node in self.nodes:
                node.destroy_node()
            raise
        # A look through all that was loaded holds the interpreter for 0.15 s: 15 periods of the setpoint stream.
        gc.collect()
        gc.freeze()
        self._threads = [NodeThread(node, self.ended.set) for node in self.nodes]

    def stop(self) -> bool:
        """Brings everything to rest and down; returns whether no node had failed."""
        for thread in self._threads:
            if isinstance(thread.node, LifecycleNode):
                thread.call(thread.node.trigger_shutdown)
        self.ended.wait(LAST_WORDS_S if not self.ended.is_set() else 0.0)
        for thread in self._threads:
            thread.stop()
        gc.unfreeze()  # what is frozen is not taken down at exit, of which libraries complain
        return not any(thread.failed for thread in self._threads)


def _refuse_unknown_parameters(nodes: Iterable[Node]) -> None:
    """ROS passes over a parameter that is misspelt on a node's own command line; here it is refused.

    One for all nodes of a process may be another's.
    """
    names = {name: None for table in known().values() for name in table}
    for node in nodes:
        for name in node._parameter_overrides:
            if name not in names and not name.startswith("qos_overrides."):
                raise ValueError(f"{node.get_name()} has no parameter {name}; {nearest(name, names)}")


def run(
    make_nodes: Callable[[], Sequence[Node]],
    arguments: Sequence[str] | None = None,
    still_wanted: Callable[[], bool] = lambda: True,
    work: Callable[[Sequence[Node], threading.Event], None] | None = None,
) -> int:
    """Runs nodes until a signal or until no longer wanted; returns an exit status.

    Arguments are those of ROS (`--ros-args ...`). work: what the main thread does meanwhile, with the nodes and an
    event that is set when it has to return; the nodes end with it.
    """
    keep_freed_memory()
    try:
        rclpy.init(args=None if arguments is None else list(arguments), signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # a parameter file or a name on the command line is none
        print(f"jepa_planner: {error}", file=sys.stderr)
        return 1
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        composition = Composition(make_nodes())
        composition.ended = ended
        composition.start()
    except (RuntimeError, ValueError) as error:
        rclpy.logging.get_logger("jepa_planner").fatal(str(error))
        rclpy.shutdown()
        return 1
    healthy = wanted = False
    try:
        if work is not None:
            work(composition.nodes, ended)
        else:
            while not ended.wait(1.0) and still_wanted():
                pass
        wanted = still_wanted()
    finally:  # whatever work came to, the arm is brought to rest
        healthy = composition.stop()
        rclpy.shutdown()
    return 0 if healthy and wanted else 1


def run_node(node_class: Callable[[], Node], arguments: Sequence[str] | None = None) -> int:
    """The `main` of a single node."""
    return run(lambda: [node_class()], arguments)
