"""Records what any arm publishes, episode by episode, into bags that ROS 2 and rosbags read."""

from __future__ import annotations

import fcntl
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rclpy.clock import Clock, ClockType
from rclpy.parameter import Parameter as RosParameter
from rclpy.publisher import Publisher
from rclpy.serialization import deserialize_message, serialize_message
from std_srvs.srv import Trigger

from jepa_planner.action import ReachGoalImage
from jepa_planner.core.message_types import EPISODE_MARK, GOAL_EVENT, header_stamp_ns
from jepa_planner.core.status import OK, Status, StatusCode
from jepa_planner.core.stream_counts import LATE_S, Counts
from jepa_planner.learning.data.bags.message import BagError
from jepa_planner.learning.data.recording import Recording
from jepa_planner.msg import EpisodeMark, GoalEvent
from jepa_planner.nodes import qos
from jepa_planner.nodes.image_input import TRANSPORTS
from jepa_planner.nodes.parameters import Change, Parameter
from jepa_planner.nodes.planner_node import PlannerNode
from jepa_planner.nodes.recording.bag import BagTopic, is_cut_short, make_whole
from jepa_planner.nodes.recording.episodes import Episodes, Mark, Phase, RefusedError, Success, checked_name
from jepa_planner.nodes.recording.goals import GoalEpisodes
from jepa_planner.nodes.recording.installed_types import definition_of, has_header
from jepa_planner.nodes.recording.topics import (
    GOAL_EVENTS,
    HeardTopic,
    Topics,
    of_recording,
    of_the_planner,
    offered_qos,
)
from jepa_planner.nodes.recording.writing import GIGABYTE, Writing

LOOK_PERIOD_S = 0.25
LOCK = ".recording"
"""A file that says that somebody records into its folder."""


@dataclass(frozen=True)
class Recorded:
    """How it goes: the phase, the episode, seconds and bytes of it, the disk, and what came on each topic."""

    phase: Phase
    episode: str
    task: str
    seconds: float
    bag_bytes: int
    queued_bytes: int
    free_bytes: int
    counts: dict[str, Counts]
    overflowed: dict[str, int]
    unheard: dict[str, str]
    kept: dict[str, Success]
    thrown_away: tuple[str, ...]
    trouble: str


class RecordNode(PlannerNode):
    """Hears topics as they are published and writes them, undecoded, while an episode is recorded.

    Services and a keyboard say when, and where asked for the goals of mpc_node; what happens to episodes is told on
    `episode_marks` and stands in their bags.
    """

    PARAMETERS = (
        Parameter("out", "recordings", "Folder for the bags, one for each episode."),
        Parameter("recording", "", "A recording.yaml, whose topics are recorded; empty: `topics`."),
        Parameter("topics", [""], "Topics to record; empty: what the planner's nodes hear and say by default."),
        Parameter("goals", False, "Record each goal that mpc_node pursues, as an episode of its own."),
        Parameter("model", "", "Bundle whose views are recorded by default; empty: the one that ships."),
        Parameter("views", [""], "Of its views, those that there are cameras for; empty: all of them."),
        Parameter(
            "image_transport",
            "compressed",
            "Which pictures are recorded of cameras that publish both: TOPIC, or TOPIC/compressed.",
            choices=tuple(TRANSPORTS),
        ),
        Parameter(
            "name", "episode", "What the names of episodes begin with; a number follows.", change=Change.ANY_TIME
        ),
        Parameter("task", "", "What is to be done in the next episode, as a sentence.", change=Change.ANY_TIME),
        Parameter("keep_free_gb", 2.0, "Stop before less than this is left on the disk (GB).", 0.05, 100_000.0),
        Parameter("queue_mb", 512.0, "Memory for what the disk has not taken yet; what exceeds it is lost.", 1.0, 1e5),
        Parameter(
            "late_s", LATE_S, "A message that comes longer than this after its stamp counts as late.", 0.001, 10.0
        ),
    )

    def __init__(self, **options) -> None:
        super().__init__("record_node", **options)
        self._busy = threading.RLock()  # episodes are commanded by services and by a keyboard
        self._lock_file: IO[str] | None = None
        self.said: list[str] = []
        """What happened to episodes so far."""

    def configure(self) -> None:
        parameters = self.parameters
        folder = Path(parameters["out"]).expanduser()
        topics = self._wanted()
        name = checked_name(parameters["name"])
        folder.mkdir(parents=True, exist_ok=True)
        self._lock_file = _locked(folder)
        self._end_cut_bags(folder)
        gigabytes, megabytes = parameters["keep_free_gb"], parameters["queue_mb"]
        self._writing = Writing(folder, int(megabytes * 1e6), int(gigabytes * GIGABYTE))
        self._marks = self.create_publisher(EpisodeMark, "episode_marks", qos.STATE)
        transport = parameters["image_transport"]
        self._topics = Topics(self, topics, transport, parameters["late_s"], self._on_message)
        self.episodes = Episodes(folder, _Bags(self, self._writing, self._marks, self._topics), name)
        self._goals = GoalEpisodes(self.episodes, self._start)
        self._goal_events = self.resolve_topic_name(GOAL_EVENTS) if parameters["goals"] else ""
        self._said_ready = False
        self._began_s = 0.0
        self._services_ = (
            self.create_service(Trigger, "~/start", self._serve("start")),
            self.create_service(Trigger, "~/stop", self._serve("stop")),
            self.create_service(Trigger, "~/keep", self._serve("keep")),
            self.create_service(Trigger, "~/keep_failed", self._serve("keep_failed")),
            self.create_service(Trigger, "~/throw_away", self._serve("throw_away")),
            self.create_service(Trigger, "~/delete_thrown_away", self._serve("delete_thrown_away")),
        )
        self._timer = self.create_timer(LOOK_PERIOD_S, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._look()

    def deactivate(self) -> None:
        """Ends an episode that is under way; it is kept."""
        self.finish()

    def cleanup(self) -> None:
        self.destroy_timer(self._timer)
        for service in self._services_:
            self.destroy_service(service)
        self._topics.destroy()
        self.destroy_publisher(self._marks)
        self._writing.close()
        if self._lock_file is not None:
            self._lock_file.close()

    def health(self) -> tuple[Status, dict[str, object]]:
        now = self.now()
        dropped = sum(counts.dropped for counts in now.counts.values()) + sum(now.overflowed.values())
        numbers = {
            "phase": now.phase.name,
            "episode": now.episode,
            "seconds": round(now.seconds, 1),
            "megabytes": round(now.bag_bytes / 1e6, 1),
            "dropped": dropped,
            "free_gb": round(now.free_bytes / GIGABYTE, 2),
            "kept": len(now.kept),
            "thrown_away": len(now.thrown_away),
        }
        if now.trouble:
            return Status(StatusCode.FAILED, now.trouble), numbers
        if now.unheard:
            said = "; ".join(f"{topic}: {why}" for topic, why in now.unheard.items())
            return Status(StatusCode.OK, said), numbers
        return OK, numbers

    @property
    def _commands(self) -> dict[str, Callable[[], str]]:
        """What can be told to this node, by the names of its services."""
        return {
            "start": self._start,
            "stop": self.episodes.stop,
            "keep": lambda: self.episodes.keep(Success.YES),
            "keep_failed": lambda: self.episodes.keep(Success.NO),
            "throw_away": self.episodes.throw_away,
            "delete_thrown_away": self.episodes.delete_thrown_away,
        }

    def carry_out(self, command: str) -> str:
        """Does what the service of that name does, in any thread; returns what happened, or raises RefusedError."""
        with self._busy:
            if not self.active:
                raise RefusedError("record_node is not active: activate it first")
            said = self._commands[command]()
            self._say(said)
            return said

    def finish(self) -> None:
        """Ends an episode that is under way; it is kept, its success not told unless its goal has ended."""
        with self._busy:
            self._say(self._goals.close())
            self._say(self.episodes.close())

    def name_next(self, name: str = "", task: str = "") -> None:
        """What the names of the next episodes begin with, and their task, where given; raises RefusedError."""
        given = {"name": checked_name(name) if name else "", "task": task}
        self.set_parameters([RosParameter(key, value=value) for key, value in given.items() if value])

    def now(self) -> Recorded:
        """How it goes."""
        episodes, writing, steady_s = self.episodes, self._writing, time.monotonic()
        return Recorded(
            phase=episodes.phase,
            episode=episodes.current,
            task=self.parameters["task"],
            seconds=steady_s - self._began_s if episodes.phase is Phase.RECORDING else 0.0,
            bag_bytes=writing.bag_bytes,
            queued_bytes=writing.queued_bytes,
            free_bytes=writing.free_bytes,
            counts={name: heard.counts.now(steady_s) for name, heard in list(self._topics.heard.items())},
            overflowed=dict(writing.overflowed),
            unheard=dict(self._topics.unheard),
            kept=dict(episodes.kept),
            thrown_away=tuple(episodes.thrown_away),
            trouble=writing.trouble or self._goals.trouble,
        )

    def _wanted(self) -> tuple[str, ...]:
        """Topics to record; raises ValueError where a file or a bundle that names them is none."""
        parameters, topics = self.parameters, [topic for topic in self.parameters["topics"] if topic]
        of_goals = [GOAL_EVENTS] if parameters["goals"] else []
        if parameters["recording"]:
            return (*of_recording(Recording.load(parameters["recording"])), *topics, *of_goals)
        if topics:
            return (*topics, *of_goals)
        from jepa_planner.nodes.models import contract_of  # takes seconds, which most recordings need not wait for

        return of_the_planner(contract_of(parameters["model"], parameters["views"]).image.views)

    def _end_cut_bags(self, folder: Path) -> None:
        for bag in sorted(filter(is_cut_short, folder.iterdir())):
            try:
                messages = make_whole(bag)
                self.get_logger().warning(f"{bag} was cut short; it is whole now, with {messages} messages")
            except (BagError, OSError) as error:
                self.get_logger().error(f"{bag} was cut short and cannot be mended: {error}")

    def _start(self) -> str:
        self.episodes.name = checked_name(self.parameters["name"])
        self.episodes.task = self.parameters["task"]
        said = self.episodes.start()
        for heard in list(self._topics.heard.values()):
            for data in list(heard.latched):
                self._writing.message(heard.bag_topic, data)
        self._began_s = time.monotonic()
        missing = ", ".join(list(self._topics.unheard))
        return f"{said}; not heard: {missing}" if missing else said

    def _serve(self, command: str) -> Callable[[Trigger.Request, Trigger.Response], Trigger.Response]:
        def serve(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            try:
                response.message, response.success = self.carry_out(command), True
            except RefusedError as error:
                response.message = str(error)
            return response

        return serve

    def _on_message(self, heard: HeardTopic, data: bytes) -> None:
        topic = heard.bag_topic
        stamp_s = (header_stamp_ns(data) or 0) * 1e-9 if has_header(topic.type_name) else 0.0
        heard.counts.came(time.monotonic(), stamp_s, self.now_s())
        if heard.is_latched:
            heard.keep(data)
        if topic.name == self._goal_events and topic.type_name == GOAL_EVENT and self.active:
            self._on_goal_event(deserialize_message(data, GoalEvent))  # the bag that a goal begins has its event, too
        if self.episodes.phase is Phase.RECORDING:
            self._writing.message(topic, data)

    def _on_goal_event(self, event: GoalEvent) -> None:
        with self._busy:
            if event.kind == GoalEvent.BEGAN:
                self._say(self._goals.began(event.goal_id))
            else:
                reached = event.code == ReachGoalImage.Result.REACHED
                self._goals.ended(event.goal_id, reached, time.monotonic())

    def _look(self) -> None:
        self._topics.look()
        with self._busy:
            if self._writing.trouble and self.episodes.phase is Phase.RECORDING:
                self._say(f"{self.episodes.stop()}. {self._writing.trouble}")
            if self._goal_events:
                if not self._said_ready and self._goal_events in self._topics.heard:
                    self._said_ready = True
                    self._say(f"goals are recorded into {self.episodes.folder} from now on")
                self._say(self._goals.look(time.monotonic(), self.count_publishers(self._goal_events) > 0))

    def _say(self, said: str) -> None:
        if said:
            self.said.append(said)
            self.get_logger().info(said)


class _Bags:
    """What Episodes asks of who writes bags."""

    def __init__(self, node: RecordNode, writing: Writing, publisher: Publisher, topics: Topics) -> None:
        self._node, self._writing, self._publisher, self._topics = node, writing, publisher, topics
        offered = offered_qos([publisher.qos_profile])
        self._topic = BagTopic(publisher.topic_name, EPISODE_MARK, definition_of(EPISODE_MARK), offered_qos=offered)

    def begin(self, folder: Path) -> None:
        if full := self._writing.full():
            raise RefusedError(full)
        for heard in list(self._topics.heard.values()):
            heard.counts.restart()
        self._writing.begin(folder)

    def mark(self, mark: Mark) -> None:
        message = EpisodeMark(kind=int(mark.kind), name=mark.name, task=mark.task, success=int(mark.success))
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)
        self._writing.mark(self._topic, serialize_message(message))

    def end(self) -> None:
        self._writing.end()

    def do(self, work: Callable[[], None]) -> None:
        self._writing.do(work)


def _locked(folder: Path) -> IO[str]:
    """The lock of a folder, free again when closed or with the process; raises ValueError where another has it."""
    file = (folder / LOCK).open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise ValueError(f"{folder}: somebody records into it already; give another folder (out)") from error
    return file


def main() -> int:
    """Runs the node until SIGINT or SIGTERM."""
    from jepa_planner.nodes.running import run_node

    return run_node(RecordNode)


if __name__ == "__main__":
    sys.exit(main())
