"""`jepa-planner data from-bag`, as it is typed."""

import json
import re

import pytest
from bag_scenes import MARK, Said, mark, recorded, recording, write_bag

from jepa_planner.cli.main import main
from jepa_planner.learning.data.episode_checks import check_episodes
from jepa_planner.learning.data.episodes import read_episodes
from jepa_planner.learning.data.recording import Recording


@pytest.fixture
def bag(tmp_path):
    marks = [
        Said("/episode_marks", MARK, at_s, mark(at_s, *rest))
        for at_s, *rest in (
            (1.0, 0, "one", "push"), (3.5, 1, "one"), (3.6, 2, "one", "", 1),
            (4.0, 0, "two", "push"), (5.5, 1, "two"), (5.6, 3, "two"),
        )
    ]  # fmt: skip
    write_bag(tmp_path / "run", sorted([*recorded(), *marks], key=lambda one: one.at_s))
    recording().save(tmp_path / "recording.yaml")
    return tmp_path / "run"


def from_bag(bag, *more: str) -> int:
    folder = bag.parent
    arguments = ["--recording", str(folder / "recording.yaml"), "--out", str(folder / "episodes"), *more]
    return main(["data", "from-bag", str(bag), *arguments])


def test_a_bag_becomes_episodes_with_a_report(bag, capsys):
    assert from_bag(bag) == 0
    out = capsys.readouterr().out
    assert "1 episodes of 2 recorded, 1 cuts" in out
    assert re.search(r"cut out: thrown away: 1 times, 1\.5 s; longest .* it was marked so", out)
    episodes = read_episodes(bag.parent / "episodes")
    assert (episodes.behaviour, episodes.tasks, episodes.success.tolist()) == (("run/one",), ("push",), [1])
    report = json.loads((bag.parent / "episodes" / "report.json").read_text())
    assert (report["episodes"], report["success"]["done"], report["cut_out"]) == (
        1, 1, {"thrown away": {"count": 1, "seconds": 1.5}},
    )  # fmt: skip
    assert "never after" in report["rule"]
    topics = report["bags"][0]["topics"]
    assert topics["/front/image_raw"]["delay_s"] == [0.004, 0.004, 0.004]
    assert topics["/tcp_pose"]["longest_gap_s"] == pytest.approx(0.02)
    assert report["made"][0]["from_s"] == pytest.approx(1.048)
    assert report["made"][0]["oldest_picture_s"] < 0.125
    page = (bag.parent / "episodes" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 6  # first, middle and last of two views
    assert "run/one" in page or "one of" in page


def test_what_is_made_says_by_which_rule(bag):
    import h5py

    from_bag(bag)
    with h5py.File(bag.parent / "episodes" / "episodes-000000.h5") as file:
        assert (
            "the last picture of each view that was taken before it or just then, never after"
            in file.attrs["recorded_rule"]
        )
        assert list(file.attrs["recorded_actions"]) == ["states"]
        assert (file.attrs["frame"], file.attrs["tcp_frame"], file.attrs["mix"]) == ("base", "tool0", "recorded")


def test_episodes_of_a_good_bag_pass_the_checks_before_training(bag):
    recording(task="x").save(bag.parent / "recording.yaml")
    from_bag(bag)
    certain = [finding.says for finding in check_episodes(read_episodes(bag.parent / "episodes")) if finding.certain]
    assert certain == []


def test_where_nothing_usable_is_left_the_status_says_so(bag, capsys):
    text = (bag.parent / "recording.yaml").read_text()
    (bag.parent / "recording.yaml").write_text(text + "cuts: {least_steps: 100}\n")
    assert from_bag(bag) == 1
    out = capsys.readouterr().out
    assert "nothing usable was left" in out and "fewer than 100" in out
    assert (bag.parent / "episodes" / "report.html").is_file()


def test_a_topic_that_is_not_there_is_refused_by_name(bag, capsys):
    text = (bag.parent / "recording.yaml").read_text()
    (bag.parent / "recording.yaml").write_text(text.replace("/side/image_raw", "/top/image_raw"))
    assert from_bag(bag) == 2
    assert "view side: the bag has no topic /top/image_raw" in capsys.readouterr().err


def test_episodes_that_are_there_are_not_written_over_unless_told(bag, capsys):
    assert from_bag(bag) == 0
    assert from_bag(bag) == 2
    assert "has episodes already" in capsys.readouterr().err
    assert from_bag(bag, "--force") == 0


def test_a_recording_file_and_a_folder_are_needed(bag, capsys):
    assert main(["data", "from-bag", str(bag)]) == 2
    assert "--recording FILE and --out DIR are needed" in capsys.readouterr().err


def test_a_first_recording_file_is_written_from_a_bag_and_serves(bag, capsys):
    path = bag.parent / "first.yaml"
    assert main(["data", "from-bag", str(bag), "--write-recording", str(path)]) == 0
    out = capsys.readouterr().out
    assert "/front/image_raw: sensor_msgs/msg/Image, 59 messages" in out
    assert "tcp_frame: the link whose pose that is" in out
    first = Recording.load(path)
    assert list(first.views) == ["front", "side"]
    assert (first.arm.topic, first.arm.frame) == ("/tcp_pose", "base")
    assert main(["data", "from-bag", str(bag), "--recording", str(path), "--out", str(bag.parent / "out")]) == 0
    assert main(["data", "from-bag", str(bag), "--write-recording", str(path)]) == 2
    assert "is there already" in capsys.readouterr().err
