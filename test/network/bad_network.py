"""Goals whose planner is spread over two computers with a bad line between them; prints what became of each fault.

    python test/network/bad_network.py [FAULT ...]

Encoder and predictor run on a board at the cameras, planner and arm on a PC; the world of both is simulated in real
time. Needs the rights for `ip netns`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("network", "nodes")]

import rclpy
from hosts import BOARD, PC, WORLD, Hosts, three_hosts
from soaking import soak
from wire import Line, enter
from witness import Witness

from jepa_planner.cli.ros.trials import run_ros_trials
from jepa_planner.learning.evaluation.trials import Trial, TrialSettings
from jepa_planner.nodes.client import PlannerClient, PlannerError
from jepa_planner.nodes.graph import PLANNER_MODULES, SIM_MODULE, spawn
from jepa_planner.nodes.planner_node import wait_until
from jepa_planner.nodes.running import NodeThread
from jepa_planner.nodes.start import Start

PLACES = {"encoder_node": BOARD, "predictor_node": BOARD, "mpc_node": PC, "arm_node": PC, "sim_node": WORLD}
MODULES = {**PLANNER_MODULES, **SIM_MODULE}
SEED = 3_000_000
PROFILE = Path(__file__).parents[2] / "config" / "fastdds_network.xml"
STEP_OF_FAULT = 2
"""A fault that comes in mid-motion comes in the motion of this plan, counted from 1."""
STILL_S = 0.5
"""An arm that was sent nothing for so long is at rest."""
AGAIN_S = 60.0


@dataclass(frozen=True)
class Fault:
    """A line, how long it is so, and whether the board is gone."""

    line: Line = Line()  # noqa: RUF009
    lasts_s: float = 0.0
    """From the middle of a motion on; 0: from before the goal to its end."""
    kills: bool = False
    """The board's nodes end, and are started again when the line is good again."""


FAULTS = {
    "none": Fault(),
    "delay 5 ms": Fault(Line(delay_s=0.005)),
    "delay 50 ms": Fault(Line(delay_s=0.05)),
    "delay 200 ms": Fault(Line(delay_s=0.2)),
    "jitter 0 to 50 ms": Fault(Line(jitter_s=0.05)),
    "loss 1 %": Fault(Line(loss=0.01)),
    "loss 5 %": Fault(Line(loss=0.05)),
    "loss 20 %": Fault(Line(loss=0.2)),
    "10 Mbit/s": Fault(Line(rate_bit_s=1e7)),
    "nothing for 0.5 s": Fault(Line(carries=(False, False)), 0.5),
    "nothing for 2 s": Fault(Line(carries=(False, False)), 2.0),
    "nothing for 30 s": Fault(Line(carries=(False, False)), 30.0),
    "nothing to the PC for 2 s": Fault(Line(carries=(False, True)), 2.0),
    "nothing to the board for 2 s": Fault(Line(carries=(True, False)), 2.0),
    "the board is gone": Fault(Line(carries=(False, False)), 5.0, kills=True),
}


LOSSY = Line(delay_s=0.003, jitter_s=0.01, loss=0.05)
"""As a WiFi at the edge of its reach."""


@dataclass(frozen=True)
class Report:
    """What became of the goals of a fault."""

    fault: str
    goals: int
    solved: int
    """Ended by themselves, said reached, and were: by the simulator's word."""
    ends: dict[str, int]
    message: str
    """How the last one ended."""
    step_s: float
    """Seconds of all goals over their steps."""
    still_after_s: float | None
    """From the fault to the last setpoint before a rest, the longest; None: it came before the goal."""
    outside: int
    """Commands outside the limits."""
    goes_on: bool
    """Whether a goal is solved after it."""


class Planner:
    """The nodes on their hosts, and who sends goals, on the PC."""

    def __init__(self, hosts: Hosts, places: Mapping[str, str], model: str, task: str) -> None:
        self.hosts, self._places, self._task = hosts, places, task
        typed = {"model": model} if model else {}
        self._arguments = Start.of(sim=True, typed=typed, log_level="error").ros_arguments()
        self.processes = {node: self._spawn(node) for node in places}
        self.client, self.witness = PlannerClient(), Witness()
        self._thread = NodeThread(self.witness, lambda: None)
        self.client.wait_for_planner(120.0)

    def _spawn(self, node: str):
        command = [sys.executable, "-m", MODULES[node], *self._arguments]
        return spawn(self.hosts.on(self._places[node], command))

    def close(self) -> None:
        self._thread.stop()
        self.client.close()
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(20.0)

    def tries(self, name: str, goals: int) -> Report:
        """Sends goals under a fault, and one after it."""
        fault, trials, waits_s, outside, seconds = FAULTS[name], [], [], self.witness.outside, 0.0
        for goal in range(goals):
            if not fault.lasts_s:
                self.hosts.set_line(fault.line)
            began_s = time.monotonic()
            with self._in_mid_motion(fault) as cut_at_s:
                trials += self._solve(SEED + goal)
            seconds += time.monotonic() - began_s
            waits_s += [self._still_after_s(at_s) for at_s in cut_at_s]
            self.hosts.set_line(Line())
            if fault.kills:
                self.processes |= {node: self._spawn(node) for node in self._of_the_board()}
        return Report(
            name, goals, sum(trial.success for trial in trials), dict(Counter(trial.reason for trial in trials)),
            trials[-1].ended, seconds / max(1, sum(trial.steps for trial in trials)), max(waits_s, default=None),
            self.witness.outside - outside, self._goes_on(),
        )  # fmt: skip

    def _of_the_board(self) -> list[str]:
        return [node for node, host in self._places.items() if host == BOARD]

    def _solve(self, seed: int) -> list[Trial]:
        return list(run_ros_trials(self.client, TrialSettings(self._task, 1, seed=seed)))

    def _goes_on(self) -> bool:
        """A goal is solved again: traces of a fault may end one or two before."""
        deadline_s = time.monotonic() + AGAIN_S
        while time.monotonic() < deadline_s:
            try:
                if self._solve(SEED)[0].success:
                    return True
            except PlannerError:
                time.sleep(1.0)
        return False

    @contextmanager
    def _in_mid_motion(self, fault: Fault) -> Iterator[list[float]]:
        """Puts a fault that lasts into the middle of a motion; gives when it came."""
        came_at_s: list[float] = []
        followed: set[int] = set()
        over = threading.Event()

        def is_due() -> bool:
            state = self.client.arm_state
            if state is not None and state.moving and state.plan_id != before:
                followed.add(state.plan_id)
            return over.is_set() or len(followed) >= STEP_OF_FAULT

        def strike() -> None:
            if wait_until(is_due, AGAIN_S) and not over.is_set():
                self.hosts.set_line(fault.line)
                came_at_s.append(time.monotonic())
                if fault.kills:
                    for node in self._of_the_board():
                        self.processes[node].send_signal(signal.SIGKILL)
                        self.processes[node].wait()
                time.sleep(fault.lasts_s)
                self.hosts.set_line(Line())

        if not fault.lasts_s:
            yield came_at_s
            return
        before = self.client.arm_state.plan_id if self.client.arm_state else 0
        thread = threading.Thread(target=strike)
        thread.start()
        try:
            yield came_at_s
        finally:
            over.set()
            thread.join()

    def _still_after_s(self, at_s: float) -> float:
        after_s = [came_s - at_s for came_s in self.witness.came_at_s if came_s >= at_s]
        rests = [
            early for early, late in zip(after_s, [*after_s[1:], float("inf")], strict=True) if late - early > STILL_S
        ]
        return rests[0] if rests else 0.0


@contextmanager
def planner_on_two_computers(places: Mapping[str, str], model: str, profile: str, task: str) -> Iterator[Planner]:
    """All of it; this thread and those that it starts are on the PC from then on. profile: of Fast DDS, a file."""
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "SUBNET"
    if profile:
        os.environ |= dict.fromkeys(("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"), profile)
    else:
        os.environ["FASTDDS_BUILTIN_TRANSPORTS"] = "UDPv4?sockets_size=4MB"
    with three_hosts() as hosts:
        enter(hosts.namespace(PC))
        rclpy.init(args=[])
        planner = Planner(hosts, places, model, task)
        try:
            yield planner
        finally:
            planner.close()
            rclpy.shutdown()


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"of {', '.join(FAULTS)}; all")
    parser.add_argument(
        "--soak", type=float, default=0.0, metavar="S", help="instead, goals for so long on a lossy line"
    )
    parser.add_argument("--goals", type=int, default=2, help="under each fault")
    parser.add_argument("--task", default="pick_place", help="of the simulator")
    parser.add_argument("--model", default="", metavar="DIR")
    parser.add_argument("--json", action="store_true", help="a line for each fault, for programs")
    parser.add_argument("--planner", choices=(PC, BOARD), default=PC, help="where mpc_node is")
    parser.add_argument("--cameras", choices=(WORLD, PC), default=WORLD, help="on the PC, pictures cross the line")
    parser.add_argument("--profile", default=str(PROFILE), metavar="FILE", help="of Fast DDS; empty: its defaults")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.faults if name not in FAULTS]:
        parser.error(f"no fault is called {', '.join(unknown)}; expected some of {', '.join(FAULTS)}")
    places = {**PLACES, "mpc_node": given.planner, "sim_node": given.cameras}
    with planner_on_two_computers(places, given.model, given.profile, given.task) as planner:
        if given.soak:
            planner.hosts.set_line(LOSSY)
            did = soak(planner.client, planner.witness, given.soak)
            print(json.dumps(asdict(did)) if given.json else did.table())
            return 0
        for name in given.faults or FAULTS:
            report = planner.tries(name, given.goals)
            still = "" if report.still_after_s is None else f"{report.still_after_s:.2f}"
            print(
                json.dumps(asdict(report))
                if given.json
                else f"| {name} | {report.solved} of {report.goals} | {report.step_s:.2f} | {still} | "
                f"{', '.join(f'{end} {n}' for end, n in report.ends.items())}: {report.message} | {report.outside} | "
                f"{'yes' if report.goes_on else 'no'} |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
