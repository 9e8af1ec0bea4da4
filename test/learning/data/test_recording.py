from pathlib import Path

import pytest

from jepa_planner.learning.data.recording import (
    Commands,
    Cuts,
    GripperSource,
    JointArm,
    PoseArm,
    Recording,
    RecordingError,
    ViewSource,
)

POSE = "arm: {kind: pose, topic: tcp, tcp_frame: tool0}"


def recording(**changes) -> Recording:
    views = {"front": ViewSource("front/image_raw"), "side": ViewSource("/side/image_raw/compressed", 90, rectify=True)}
    return Recording(**{"views": views, "arm": PoseArm("tcp", "tool0"), **changes})


def load(folder: Path, text: str) -> Recording:
    path = folder / "recording.yaml"
    path.write_text(text, encoding="utf-8")
    return Recording.load(path)


def test_what_is_saved_is_loaded_and_what_is_as_ever_is_not_written(tmp_path):
    kept = recording(
        arm=JointArm("/robots/limits.yaml"),
        gripper=GripperSource("/gripper", open=0.085, closed=0.0),
        commands=Commands("servo/twist", (0.4, 0.8)),
        cuts=Cuts(least_steps=8),
        time_step_s=0.1,
    )
    path = tmp_path / "recording.yaml"
    kept.save(path)
    assert Recording.load(path) == kept
    text = path.read_text()
    assert "longest_pause_s" not in text
    assert "kind: joint_states" in text


def test_a_limits_file_stands_beside_the_recording_file(tmp_path):
    loaded = load(tmp_path, "views: {front: {topic: a}}\narm: {limits_file: arm/limits.yaml}")
    assert loaded.arm == JointArm(str(tmp_path / "arm" / "limits.yaml"))


def test_topics_have_their_leading_slash_and_camera_info_stands_beside_pictures():
    named = recording(gripper=GripperSource("grip"), commands=Commands("twist"), topics=("/wrench",))
    assert named.needed_topics() == (
        "/front/image_raw", "/side/image_raw/compressed", "/side/camera_info", "/tcp", "/grip", "/twist",
    )  # fmt: skip
    assert set(named.recorded_topics()) - set(named.needed_topics()) == {
        "/front/camera_info", "/episode_marks", "/wrench",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"views: {{}}\n{POSE}", "views: expected at least one"),
        (f"views: {{a: {{topic: x, colour: 1}}}}\n{POSE}", "views.a: unknown field colour; known are topic, rotation"),
        (f"views: {{a: {{topic: x, rotation: 45}}}}\n{POSE}", "views.a: rotation is 45; expected one of 0, 90, 180"),
        (f"views: {{a: {{topic: x, crop: [1, 2]}}}}\n{POSE}", "views.a.crop: expected 4 entries, got 2"),
        (f"views: {{a: {{topic: /}}}}\n{POSE}", "views.a: topic is '/'; expected the name of a topic"),
        ("views: {a: {topic: x}}", "missing field arm"),
        ("views: {a: {topic: x}}\narm: {topic: x, kind: pose}", "arm: missing field tcp_frame"),
        ("views: {a: {topic: x}}\narm: {topic: x, kind: tf}", "arm.kind: expected one of 'joint_states', 'pose'"),
        (f"views: {{a: {{topic: x}}}}\n{POSE}\ncuts: {{least_steps: 0}}", "cuts: least_steps is 0, expected a finite"),
        (f"views: {{a: {{topic: x}}}}\n{POSE}\ngripper: {{open: 1.0}}", "gripper: open is 1.0 and closed None"),
        (f"views: {{a: {{topic: x}}}}\n{POSE}\nactions: commands", "actions: commands needs the topic of commands"),
        (f"views: {{a: {{topic: x}}}}\n{POSE}\ntime_step_s: 250", "time_step_s is 250, expected seconds"),
        (f"views: {{a: {{topic: x}}}}\n{POSE}\npicture_size_px: [64, 2]", "picture_size_px is [64, 2]"),
        ("- front", "expected a mapping"),
        (f"{POSE}\n{POSE}", "arm stands twice"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(tmp_path, text, says):
    with pytest.raises(RecordingError) as refusal:
        load(tmp_path, text)
    assert says in str(refusal.value)
    assert "recording.yaml" in str(refusal.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RecordingError, match=r"nowhere\.yaml"):
        Recording.load(tmp_path / "nowhere.yaml")
