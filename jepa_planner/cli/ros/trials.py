"""Closed-loop trials through the ROS 2 nodes: the same scenes and the same judge as in process."""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import rclpy
from rclpy.signals import SignalHandlerOptions

from jepa_planner.learning.evaluation.trials import Trial, TrialSettings
from jepa_planner.nodes.client import GoalResult, PlannerClient, PlannerError, keep_views
from jepa_planner.nodes.conversions import seconds
from jepa_planner.nodes.goal_executor import Outcome
from jepa_planner.nodes.graph import spawn
from jepa_planner.nodes.models import contract_of
from jepa_planner.nodes.planner_node import wait_until
from jepa_planner.planning.sub_goals import ImagineMode
from jepa_planner.srv import TaskStatus

Separate = Literal["sim", "none", "all"]
STOP_TIMEOUT_S = 20.0
REST_S = 1.25
"""Simulated time that the arm rests before the simulator judges, which looks once in each action period."""
REST_TIMEOUT_S = 60.0
DOMAINS = range(1, 101)
FIRST_PORT, PORTS_PER_DOMAIN = 7410, 250


def free_domain() -> int:
    """A DDS domain that nobody on this machine uses, so that two planners never command one arm.

    The first participant of domain d listens on UDP port 7410 + 250 d (DDSI-RTPS 2.5, 9.6.2). The search begins at a
    place that differs between processes, for those that search at the same time. Raises RuntimeError where none is.
    """
    for turn in DOMAINS:
        domain = DOMAINS[(os.getpid() + turn) % len(DOMAINS)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first_participant:
            try:
                first_participant.bind(("", FIRST_PORT + PORTS_PER_DOMAIN * domain))
            except OSError:
                continue
            return domain
    raise RuntimeError(f"every DDS domain from {DOMAINS[0]} to {DOMAINS[-1]} is in use; name one in ROS_DOMAIN_ID")


def own_domain() -> None:
    """Keeps this process and those that it starts to themselves; an environment that names a ROS_DOMAIN_ID keeps it."""
    if "ROS_DOMAIN_ID" not in os.environ:
        os.environ["ROS_DOMAIN_ID"] = str(free_domain())
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


@contextmanager
def simulated_planner(
    model: str | Path = "",
    speed: float = 1.0,
    imagine_sub_goals: ImagineMode = "auto",
    separate: Separate = "sim",
    threads: int = 0,
) -> Iterator[None]:
    """`jepa-planner run --sim` in a process of its own and in `own_domain`, with rclpy ready in this one.

    separate: as `run` has it, "none" for a single process; threads: 0 leaves them to the nodes.
    """
    own_domain()
    command = [
        sys.executable,
        "-m",
        "jepa_planner.cli.main",
        "run",
        "--sim",
        "--speed",
        str(speed),
        "--imagine-sub-goals",
        imagine_sub_goals,
        "--log-level",
        "warn",
    ]
    if separate != "none":
        command += ["--separate", separate]
    if threads:
        command += ["--threads", str(threads)]
    if model:
        command += ["--model", str(model)]
    process = spawn(command)
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        yield
    finally:
        rclpy.shutdown()
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run_ros_trials(
    client: PlannerClient,
    settings: TrialSettings,
    model: str | Path = "",
    plan_seconds: list[float] | None = None,
) -> Iterator[Trial]:
    """Run the trials of `learning.evaluation.trials` through running nodes.

    plan_seconds grows by the seconds of each plan. The planner ends each, with `stop_at_success` too: then it counts
    whether the task was solved at some moment.
    """
    contract = contract_of(model)
    for episode in range(settings.episodes):
        seed = settings.scene_seed(episode)
        task = client.set_up_task(settings.task, seed, settings.goal_images, settings.scene_options)
        keep_views(task.goals, contract)
        start_m = client.task_status().distance_m
        seconds_of_step: dict[int, float] = {}

        def note(feedback, seconds_of_step=seconds_of_step) -> None:
            if feedback.step:
                seconds_of_step[feedback.step] = feedback.seconds_per_plan

        result = client.reach(task.goals, task.max_steps, note)
        _let_rest(client)
        if plan_seconds is not None:
            plan_seconds.extend(seconds_of_step.values())
        yield _trial(settings, seed, start_m, result, client.task_status())
        client.stop_arm()
        client.reset_arm()


def _let_rest(client: PlannerClient) -> None:
    def now_s() -> float:
        if client.arm_state is None:
            raise PlannerError("arm_node sends no arm_state")
        return seconds(client.arm_state.header.stamp)

    rested_s = now_s() + REST_S
    if not wait_until(lambda: now_s() >= rested_s, REST_TIMEOUT_S):
        raise PlannerError(f"simulated time does not pass: no {REST_S} s within {REST_TIMEOUT_S:.0f} s")


def _trial(
    settings: TrialSettings, seed: int, start_m: float, result: GoalResult, status: TaskStatus.Response
) -> Trial:
    """After the rest; what the planner said beside what the simulator says."""
    solved_at_end = bool(status.solved and status.was_solved)
    reached = result.outcome is Outcome.REACHED
    off_m = result.object_offset_m
    return Trial(
        seed,
        success=bool(status.was_solved) if settings.stop_at_success else reached and solved_at_end,
        steps=result.steps,
        start_distance_m=start_m,
        distance_m=status.distance_m,
        ended=result.message,
        reason=result.outcome.name,
        certainty=None if math.isnan(result.certainty) else result.certainty,
        off_m=off_m if math.isfinite(off_m) else None,
        was_solved=bool(status.was_solved),
        solved_at_end=solved_at_end,
    )
