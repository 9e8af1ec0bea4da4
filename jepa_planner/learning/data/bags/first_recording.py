"""A first recording file for bags: what their topics and types tell, what is guessed, and what nobody can know."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jepa_planner.core.message_types import ARM_STATE, JOINT_STATE, PICTURES, TF
from jepa_planner.learning.data.bags.arm_tracks import POSES
from jepa_planner.learning.data.bags.command_track import CommandTrack
from jepa_planner.learning.data.bags.gripper_tracks import FIELDS
from jepa_planner.learning.data.bags.message import BagError, BagFile
from jepa_planner.learning.data.bags.message_reader import reader_of
from jepa_planner.learning.data.bags.opened_bag import find_bags, opened

SAYS_NOTHING = {
    "image", "image_raw", "image_color", "image_rect", "image_rect_color", "color", "rgb", "compressed",
    "camera", "cameras",
}  # fmt: skip
"""Parts of topics that do not tell one camera from another."""
FINGER = re.compile(r"finger|gripper|knuckle|jaw")
COMMANDED = re.compile(r"command|cmd|target|twist|goal|servo|desired")


@dataclass(frozen=True)
class FirstRecording:
    """The file's text; topics, guesses and unknown: lines that say what stands in it and what does not."""

    text: str
    topics: tuple[str, ...]
    guesses: tuple[str, ...]
    unknown: tuple[str, ...]


def first_recording(paths: Sequence[Path]) -> FirstRecording:
    """Looks at bags and writes what it finds. Raises BagError where they have no pictures or no arm."""
    types, counts, firsts = _topics(paths)
    guesses: list[str] = []
    unknown: list[str] = []
    lines = [
        "# A first recording file: read every line.",
        *_views(types, guesses),
        *_arm(types, firsts, guesses, unknown),
        *_gripper(types, firsts, guesses, unknown),
        *_commands(types, guesses),
        "time_step_s: 0.25  # from one step of the model to the next",
        "picture_size_px: [64, 64]  # width and height that the model is to see",
    ]
    unknown.append("time_step_s and picture_size_px: as the model that is to be trained or adapted has them")
    topics = tuple(f"{topic}: {kind}, {counts[topic]} messages" for topic, kind in sorted(types.items()))
    return FirstRecording("\n".join(lines) + "\n", topics, tuple(guesses), tuple(unknown))


def _topics(paths: Sequence[Path]) -> tuple[dict[str, str], Counter[str], dict[str, Any]]:
    """Type and number of messages by topic, and the first message of those that tell names."""
    types: dict[str, str] = {}
    counts: Counter[str] = Counter()
    firsts: dict[str, Any] = {}
    for path in find_bags(paths):
        with opened(path) as bag:
            for file in bag.files:
                for message in file.messages(lambda _: True):
                    types[message.topic] = message.msgtype
                    counts[message.topic] += 1
                    if message.topic not in firsts and message.msgtype in (JOINT_STATE, ARM_STATE, *POSES):
                        firsts[message.topic] = _read(message.msgtype, file, message.data)
    return types, counts, firsts


def _read(msgtype: str, file: BagFile, data: bytes) -> Any:
    return reader_of(msgtype, file.definitions)(data)


def _views(types: dict[str, str], guesses: list[str]) -> list[str]:
    pictures = sorted(topic for topic, kind in types.items() if kind in PICTURES and "depth" not in topic)
    pictures = [
        topic for topic in pictures if topic.removesuffix("/compressed") not in pictures or topic.endswith("raw")
    ]
    if not pictures:
        raise BagError(f"the bags have no pictures; they have {', '.join(sorted(types)) or 'nothing'}")
    names = [_view_name(topic) for topic in pictures]
    names = [name if names.count(name) == 1 else f"view{number}" for number, name in enumerate(names)]
    guesses.append(f"views {', '.join(names)}: names by their topics; a model's own views have its names and its order")
    lines = ["views:  # of each: rotation, crop and rectify, as encoder_node has them"]
    return lines + [f"  {name}: {{topic: {topic}}}" for name, topic in zip(names, pictures, strict=True)]


def _view_name(topic: str) -> str:
    parts = [part for part in topic.strip("/").split("/") if part not in SAYS_NOTHING]
    return re.sub(r"\W", "_", parts[-1]) if parts else "camera"


def _arm(types: dict[str, str], firsts: dict[str, Any], guesses: list[str], unknown: list[str]) -> list[str]:
    asked = COMMANDED.search
    states = [topic for topic, kind in sorted(types.items()) if kind == ARM_STATE]
    joints = [topic for topic, kind in sorted(types.items()) if kind == JOINT_STATE and not asked(topic)]
    poses = [topic for topic, kind in sorted(types.items()) if kind in POSES and kind != ARM_STATE and not asked(topic)]
    if states:
        frame = firsts[states[0]].header.frame_id
        guesses.append(f"arm: arm_node's own states on {states[0]}")
        unknown.append("tcp_frame: the link whose pose that is, as the limits file of arm_node has it")
        return ["arm:", "  kind: pose", f"  topic: {states[0]}", f"  frame: {frame!r}", "  tcp_frame: tcp  # say which"]
    if joints:
        largest = max(joints, key=lambda topic: len(firsts[topic].name))
        guesses.append(f"arm: joint states on {largest}, of {', '.join(firsts[largest].name)}")
        unknown.append("limits_file: what `jepa-planner robot` writes from the arm's URDF")
        return ["arm:", "  kind: joint_states", f"  topic: {largest}", "  limits_file: limits.yaml  # say where it is"]
    if poses:
        header = getattr(firsts[poses[0]], "header", None)
        guesses.append(f"arm: the pose on {poses[0]}")
        unknown.append("tcp_frame: the link whose pose that is")
        frame = header.frame_id if header is not None else ""
        return [
            "arm:",
            "  kind: pose",
            f"  topic: {poses[0]}",
            f"  frame: {frame!r}",
            "  tcp_frame: tool0  # say which",
        ]
    if TF in types.values():
        unknown.append("frame and tcp_frame: the arm's base and its tool on /tf")
        return [
            "arm:",
            "  kind: pose",
            "  topic: /tf",
            "  frame: base_link  # say which",
            "  tcp_frame: tool0  # say which",
        ]
    raise BagError(
        f"the bags tell nothing of an arm: expected joint states, poses or /tf; they have {', '.join(sorted(types))}"
    )


def _gripper(types: dict[str, str], firsts: dict[str, Any], guesses: list[str], unknown: list[str]) -> list[str]:
    if ARM_STATE in types.values():
        return []
    for topic, message in sorted(firsts.items()):
        fingers = [name for name in getattr(message, "name", ()) if FINGER.search(name)]
        if types[topic] == JOINT_STATE and fingers:
            guesses.append(f"gripper: joint {fingers[0]} of {topic}")
            unknown.append(f"gripper's open and closed: positions of {fingers[0]} (m or rad) at its two ends")
            return [f"gripper: {{topic: {topic}, joint: {fingers[0]}, open: 0.04, closed: 0.0}}  # say its two ends"]
    numbers = [topic for topic, kind in sorted(types.items()) if kind in FIELDS and FINGER.search(topic)]
    if measured := [topic for topic in numbers if not COMMANDED.search(topic)]:
        guesses.append(f"gripper: the number on {measured[0]}")
        unknown.append("gripper's open and closed: that number at its two ends")
        return [f"gripper: {{topic: {measured[0]}, open: 0.0, closed: 1.0}}  # say its two ends"]
    unknown.append("gripper: found none; without, it counts as open all the time")
    return []


def _commands(types: dict[str, str], guesses: list[str]) -> list[str]:
    found = [
        topic
        for topic, kind in sorted(types.items())
        if kind in CommandTrack.types and COMMANDED.search(topic) and not FINGER.search(topic)
    ]
    if not found:
        guesses.append("commands: none; actions are made of the arm's own states")
        return []
    guesses.append(f"commands: {found[0]} of {types[found[0]]}")
    return [f"commands: {{topic: {found[0]}}}"]
