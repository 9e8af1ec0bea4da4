"""What bags may be wrong in: each is named, with what was given and expected, or cut out and counted."""

from dataclasses import replace

import numpy as np
import pytest
from bag_scenes import (
    BEGIN_NS,
    COMPRESSED,
    FLOAT,
    IMAGE,
    McapByHand,
    Said,
    compressed,
    cuts_of,
    image,
    made_of,
    number,
    pose,
    recorded,
    recording,
    shown_s,
    write_bag,
)
from rosbags.rosbag2 import StoragePlugin

from jepa_planner.learning.data.bags.made import make_episodes
from jepa_planner.learning.data.bags.message import BagError
from jepa_planner.learning.data.episodes import read_episodes
from jepa_planner.learning.data.recording import GripperSource, PoseArm, ViewSource


def read(tmp_path):
    return read_episodes(tmp_path / "episodes")


def changed(said: list[Said], topic: str, change) -> list[Said]:
    return [change(one) if one.topic == topic else one for one in said]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"views": ("front", "top")},
            r"view top: the bag has no topic /top/image_raw.*pictures on /front/image_raw, /side/",
        ),
        (
            {"arm": PoseArm("/arm", "tool0")},
            r"the bag has no topic /arm with messages; it has /front/image_raw, /gripper",
        ),
        ({"gripper": GripperSource("/hand", open=1.0, closed=0.0)}, "the bag has no topic /hand with messages"),
        (
            {"views": {"front": ViewSource("/gripper")}},
            r"view front: topic /gripper is of std_msgs/msg/Float64; expected",
        ),
        ({"arm": PoseArm("/gripper", "tool0")}, r"topic /gripper is of std_msgs/msg/Float64; expected geometry_msgs"),
        ({"gripper": GripperSource("/tcp_pose", open=1.0, closed=0.0)}, "PoseStamped is no type whose number is known"),
        ({"gripper": GripperSource("/tcp_pose", field="pose.height", open=1.0, closed=0.0)}, r"has no pose\.height"),
        ({"gripper": GripperSource("/tcp_pose", field="pose", open=1.0, closed=0.0)}, "expected a number"),
        ({"gripper": GripperSource("/gripper")}, "nobody tells the gripper's two ends: give `open` and `closed`"),
        ({"gripper": GripperSource("/gripper", open=800.0, closed=0.0)}, None),
        (
            {"gripper": GripperSource("/gripper", open=0.01, closed=0.0)},
            r"goes from 0\.048 to 0\.072, far beyond its ends",
        ),
        (
            {"views": {"front": ViewSource("/front/image_raw", rectify=True)}},
            "nothing was recorded on /front/camera_info",
        ),
    ],
)
def test_a_recording_file_that_does_not_fit_the_bag_is_told_what_does(tmp_path, changes, says):
    if says is None:  # a closed gripper, as far as anybody can know
        made_of(tmp_path, recorded(), **changes)
        return
    with pytest.raises(BagError, match=says) as refusal:
        made_of(tmp_path, recorded(), **changes)
    assert str(tmp_path / "run") in str(refusal.value)


def test_a_number_anywhere_in_a_message_tells_the_gripper(tmp_path):
    made_of(tmp_path, recorded(), gripper=GripperSource("/tcp_pose", field="pose.position.x", open=0.0, closed=1.0))
    states = read(tmp_path).states[0]
    np.testing.assert_allclose(states[:, 7], states[:, 0], atol=1e-6)


def test_a_bag_without_pictures_is_named_with_what_it_has(tmp_path):
    said = [one for one in recorded() if one.msgtype != IMAGE]
    with pytest.raises(BagError, match="it has no pictures, only /gripper, /tcp_pose"):
        made_of(tmp_path, said)


def test_an_empty_bag_is_named(tmp_path):
    (tmp_path / "run.mcap").write_bytes(McapByHand().file([]))
    with pytest.raises(BagError, match="it has no pictures, only none"):
        make_episodes([tmp_path / "run.mcap"], recording(), tmp_path, print)


def test_pictures_without_stamps_count_when_they_were_recorded(tmp_path):
    said = changed(
        recorded(delay_s=0.0), "/front/image_raw", lambda one: replace(one, message=image(one.at_s, 0, None))
    )
    made = made_of(tmp_path, said)
    assert made.plans[0].topics["/front/image_raw"].clock == "recording"
    assert len(made.episodes) == 1
    assert shown_s(np.asarray(read(tmp_path).images[0])[0, 0]) == 0.1


def test_stamps_of_another_clock_do_not_count_and_that_is_told(tmp_path):
    said = changed(
        recorded(delay_s=0.0), "/tcp_pose", lambda one: replace(one, message=pose(one.at_s, stamp_s=one.at_s - 3000.0))
    )
    made = made_of(tmp_path, said)
    topic = made.plans[0].topics["/tcp_pose"]
    assert topic.clock == "recording"
    assert "its stamps are 3000.000 s before the time of recording, of another clock (bound 0.5 s)" in topic.notes[0]
    assert len(made.episodes) == 1 and cuts_of(made) == []


def test_a_clock_that_jumps_back_in_the_midst_does_not_count(tmp_path):
    said = changed(
        recorded(delay_s=0.0), "/tcp_pose",
        lambda one: replace(one, message=pose(one.at_s, stamp_s=one.at_s - (2.5 if one.at_s > 3.0 else 0.0))),
    )  # fmt: skip
    made = made_of(tmp_path, said)
    topic = made.plans[0].topics["/tcp_pose"]
    assert topic.clock == "recording"
    assert "stamps jump by more than 0.5 s" in topic.notes[0] or "of another clock" in topic.notes[0]
    states = read(tmp_path).states[0]
    stamps_s = (made.episodes[0].planned.piece.stamps_ns - BEGIN_NS) * 1e-9
    np.testing.assert_allclose(states[: len(stamps_s), 0], 0.4 + 0.02 * stamps_s, atol=1e-6)


def test_a_few_stamps_that_jump_are_left_out_and_counted(tmp_path):
    said = changed(
        recorded(delay_s=0.0), "/tcp_pose",
        lambda one: replace(one, message=pose(one.at_s, stamp_s=one.at_s - 2.5)) if one.at_s in (2.0, 4.0) else one,
    )  # fmt: skip
    made = made_of(tmp_path, said)
    topic = made.plans[0].topics["/tcp_pose"]
    assert (topic.clock, topic.count) == ("header", 299)
    assert "2 messages are left out, whose stamps jump" in topic.notes[0]
    assert len(made.episodes) == 1


def test_a_clock_that_is_ahead_is_told(tmp_path):
    said = changed(
        recorded(delay_s=0.0), "/front/image_raw",
        lambda one: replace(one, at_s=one.at_s - 0.1),
    )  # fmt: skip
    made = made_of(tmp_path, sorted(said, key=lambda one: one.at_s))
    assert (
        "0.100 s later than the time of recording: its clock is ahead"
        in made.plans[0].topics["/front/image_raw"].notes[0]
    )


def test_views_may_have_sizes_of_their_own_and_are_made_alike(tmp_path):
    said = changed(recorded(), "/side/image_raw", lambda one: replace(one, message=image(one.at_s, 7, size=(64, 48))))
    made = made_of(tmp_path, said)
    episodes = read(tmp_path)
    assert episodes.images.shape[3:5] == (8, 16)
    assert np.asarray(episodes.images[0])[0, 1, 0, 0, 1] == 7
    assert [view.came_px for view in made.plans[0].views] == [(16, 8), (64, 48)]


def test_a_picture_of_another_aspect_in_the_midst_is_cut_out(tmp_path):
    said = changed(
        recorded(), "/side/image_raw",
        lambda one: replace(one, message=image(one.at_s - 0.004, 7, size=(64, 64))) if 3.0 < one.at_s < 3.4 else one,
    )  # fmt: skip
    made = made_of(tmp_path, said)
    ((kind, begin_s, end_s, why),) = cuts_of(made)
    assert (kind, begin_s, end_s) == ("picture", 3.148, 3.398)
    assert "64 x 64 px, and the first one 16 x 8" in why
    assert len(made.episodes) == 2


def test_pictures_that_cannot_be_decoded_are_cut_out(tmp_path):
    def spoil(one: Said) -> Said:
        message = compressed(round(one.at_s - 0.004, 3))
        if 3.0 < one.at_s < 3.2:
            message.data = message.data[: len(message.data) // 2]
        return replace(one, msgtype=COMPRESSED, message=message)

    made = made_of(tmp_path, changed(recorded(), "/front/image_raw", spoil))
    ((kind, begin_s, end_s, why),) = cuts_of(made)
    assert kind == "picture" and begin_s == end_s == 3.148 and "/front/image_raw" in why
    episodes = read(tmp_path)
    assert len(episodes) == 2
    assert shown_s(np.asarray(episodes.images[1])[0, 0]) == 3.3


def test_encodings_that_are_refused_leave_nothing_and_say_why(tmp_path):
    def depth(one: Said) -> Said:
        one.message.encoding = "32FC1"
        return one

    made = made_of(tmp_path, changed(recorded(), "/front/image_raw", depth))
    assert made.episodes == []
    assert "image encoding is '32FC1'" in cuts_of(made)[0][3]


def test_compressed_pictures_are_found_beside_the_topic(tmp_path):
    said = [
        replace(
            one, topic="/front/image_raw/compressed", msgtype=COMPRESSED, message=compressed(round(one.at_s - 0.004, 3))
        )
        if one.topic == "/front/image_raw"
        else one
        for one in recorded()
    ]
    made_of(tmp_path, said)
    assert shown_s(np.asarray(read(tmp_path).images[0])[0, 0]) == 0.1


def test_a_topic_of_two_types_is_refused(tmp_path):
    half = recorded(seconds=2.0)
    other = [replace(one, msgtype=FLOAT, message=number(0.0)) for one in half if one.topic == "/tcp_pose"]
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run_0.mcap").write_bytes(McapByHand().file(half))
    (tmp_path / "run" / "run_1.mcap").write_bytes(McapByHand().file(other))
    with pytest.raises(
        BagError, match=r"topic /tcp_pose is of geometry_msgs/msg/PoseStamped and of std_msgs/msg/Float64"
    ):
        make_episodes([tmp_path / "run"], recording(), tmp_path, print)


def test_messages_that_are_cut_short_are_counted(tmp_path):
    class Short(Said):
        @property
        def data(self) -> bytes:
            return super().data[:20]

    said = [Short(one.topic, one.msgtype, one.at_s, one.message) if one.at_s == 2.004 else one for one in recorded()]
    made = made_of(tmp_path, said)
    assert "1 messages could not be used" in made.plans[0].topics["/tcp_pose"].notes[0]
    assert len(made.episodes) == 1


def test_several_bags_are_made_into_one_folder_and_one_that_is_spoilt_is_left_out(tmp_path):
    said = []
    for name, seconds in (("a", 3.0), ("c", 6.0)):
        write_bag(
            tmp_path / "bags" / name,
            recorded(seconds=seconds),
            StoragePlugin.MCAP if name == "a" else StoragePlugin.SQLITE3,
        )
    (tmp_path / "bags" / "b").mkdir()
    (tmp_path / "bags" / "b" / "run.mcap").write_bytes(b"")
    (tmp_path / "episodes").mkdir()
    made = make_episodes([tmp_path / "bags"], recording(), tmp_path / "episodes", said.append)
    episodes = read(tmp_path)
    assert episodes.behaviour == ("a", "c")
    assert episodes.lengths.tolist() == [10, 22] or episodes.lengths.tolist() == [11, 23]
    assert len(made.left_out) == 1 and "run.mcap is empty" in made.left_out[0]


def test_bags_whose_poses_are_in_other_frames_do_not_go_together(tmp_path):
    write_bag(tmp_path / "a", recorded())
    write_bag(
        tmp_path / "b",
        changed(recorded(), "/tcp_pose", lambda one: replace(one, message=pose(one.at_s, frame="world"))),
    )
    with pytest.raises(BagError, match=r"b has frame 'world', and .*a 'base'; expected one in all"):
        make_episodes([tmp_path / "a", tmp_path / "b"], recording(), tmp_path, print)


def test_what_a_writer_left_that_died_is_made_into_episodes(tmp_path):
    whole = McapByHand(chunked=20, compression="zstd").file(recorded(), ended=False)
    (tmp_path / "run.mcap").write_bytes(whole[: len(whole) * 3 // 4])
    (tmp_path / "episodes").mkdir()
    made = make_episodes([tmp_path / "run.mcap"], recording(), tmp_path / "episodes", print)
    assert 10 <= read(tmp_path).lengths[0] <= 18
    assert any("run.mcap: " in note for note in made.plans[0].notes)


def test_a_part_of_pictures_at_a_time_makes_the_same_episodes(tmp_path):
    said = [one for one in recorded(seconds=8.0) if not (one.msgtype == IMAGE and 3.0 < one.at_s < 3.6)]
    write_bag(tmp_path / "run", said)
    for name, most_bytes in (("whole", 2**28), ("parts", 1)):
        (tmp_path / name).mkdir()
        make_episodes([tmp_path / "run"], recording(), tmp_path / name, print, most_bytes)
    assert len(list((tmp_path / "parts").glob("*.h5"))) == 2
    whole, parts = read_episodes(tmp_path / "whole"), read_episodes(tmp_path / "parts")
    for name in ("states", "actions", "lengths", "scenes", "seeds"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
    for row in range(2):
        np.testing.assert_array_equal(np.asarray(whole.images[row]), np.asarray(parts.images[row]))


@pytest.mark.parametrize("pace", [1.0, 0.4])
def test_where_all_stamps_are_of_another_clock_as_in_a_simulation_that_one_counts(tmp_path, pace):
    """Recorded days after its stamps, and slower than these run."""
    begin_s = 300_000.0
    said = [replace(one, at_s=begin_s + one.at_s / pace) for one in recorded(delay_s=0.0)]
    made = made_of(tmp_path, said)
    assert "their clock counts, that of /" in made.plans[0].notes[0]
    assert len(made.episodes) == 1 and cuts_of(made) == []
    states = read(tmp_path).states[0]
    stamps_s = (made.episodes[0].planned.piece.stamps_ns - BEGIN_NS) * 1e-9
    assert stamps_s[0] == pytest.approx(0.1)
    np.testing.assert_allclose(states[: len(stamps_s), 0], 0.4 + 0.02 * stamps_s, atol=1e-6)
    np.testing.assert_allclose(states[: len(stamps_s), 7], 0.1 + 0.05 * stamps_s, atol=1e-4)  # of no stamps of its own
