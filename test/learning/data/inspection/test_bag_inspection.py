"""What a bag tells of its topics and cameras is found in bags as `jepa-planner record` writes them."""

import json
from dataclasses import replace

import numpy as np
import pytest
from bag_scenes import FLOAT, IMAGE, POSE, STORE, TYPES, Said, geometry_pose, header, number, write_bag
from moving_shape import film, wall, way

from jepa_planner.cli.main import main
from jepa_planner.learning.data.inspection.bag_inspection import inspect_bags
from jepa_planner.learning.data.inspection.judgement import Level
from jepa_planner.learning.data.recording import PoseArm, Recording, ViewSource
from jepa_planner.nodes.recording.bag import Bag, BagTopic

RECORDING = Recording(
    views={"front": ViewSource("/front/image_raw")}, arm=PoseArm("/tcp_pose", "tool0"), picture_size_px=(32, 32)
)
SIZE_PX = 32


def picture(at_s, pixels):
    return TYPES[IMAGE](header(at_s, "camera"), SIZE_PX, SIZE_PX, "rgb8", 0, 3 * SIZE_PX, pixels.reshape(-1))


def filmed(delay_s=0.0, seed=0, seconds=24.0, picture_hz=30.0, arm_hz=100.0, recorded_later_s=0.004) -> list[Said]:
    """A camera whose pictures show the arm of `delay_s` before their stamps, unevenly and with some lost."""
    rng = np.random.default_rng(seed)
    stamps, places = way(seed, seconds + 1.0)
    when = np.arange(0.0, seconds, 1.0 / picture_hz) + rng.uniform(0.0, 0.004, int(np.ceil(seconds * picture_hz)))
    shown = np.stack([np.interp(when - delay_s, stamps, channel) for channel in places.T], axis=1)
    pictures = film(shown, wall(size_px=SIZE_PX), rng)
    said = [
        Said("/front/image_raw", IMAGE, at_s + recorded_later_s, picture(at_s, pixels))
        for at_s, pixels in zip(when.tolist(), pictures, strict=True)
    ]
    for at_s in np.arange(0.0, seconds, 1.0 / arm_hz).tolist():
        at_m = [np.interp(at_s, stamps, channel) for channel in places.T]
        message = TYPES[POSE](header(at_s), geometry_pose(at_m, np.array([np.pi, 0.0, 0.0])))
        said.append(Said("/tcp_pose", POSE, at_s + recorded_later_s, message))
    return sorted(said, key=lambda one: one.at_s)


def as_recorded(folder, said):
    """A bag as the recorder writes it."""
    bag = Bag(folder)
    for one in said:
        definition, _ = STORE.generate_msgdef(one.msgtype, ros_version=2)
        bag.write(BagTopic(one.topic, one.msgtype, definition), one.log_ns, one.data)
    bag.close()
    return folder


def judged(bags, recording=RECORDING):
    return {judgement.topic: judgement for judgement in inspect_bags(bags, recording).judgements}


@pytest.mark.parametrize("delay_s", [-0.12, 0.0, 0.085])
def test_a_delay_is_found_within_10_ms_at_the_rate_of_the_camera(delay_s, tmp_path):
    said = filmed(delay_s, seed=int(1000 * (1.0 + delay_s)))
    found = inspect_bags([as_recorded(tmp_path / "bag", said)], RECORDING)
    delay = found.delays["front"]
    assert delay.known and abs(delay.delay_s - delay_s) < 0.010
    assert delay.low_s <= delay_s <= delay.high_s
    (told,) = [judgement for judgement in found.judgements if judgement.topic == "delay of camera front"]
    assert told.level is (Level.GOOD if abs(delay_s) < 0.05 else Level.WARNING)


def test_bags_that_are_each_too_short_tell_a_delay_together(tmp_path):
    bags = [as_recorded(tmp_path / f"bag{seed}", filmed(0.06, seed, seconds=5.0)) for seed in range(4)]
    delay = inspect_bags(bags, RECORDING).delays["front"]
    assert delay.known and abs(delay.delay_s - 0.06) < 0.010


SOUND = filmed(seconds=6.0)


def test_what_came_well_is_called_good_with_its_rate(tmp_path):
    found = judged([as_recorded(tmp_path / "bag", SOUND)])
    assert {name: one.level for name, one in found.items() if name.startswith("topic")} == {
        "topic /front/image_raw": Level.GOOD, "topic /tcp_pose": Level.GOOD,
    }  # fmt: skip
    assert found["topic /front/image_raw"].numbers["rate_hz"] == pytest.approx(30.0, abs=0.5)
    assert "recorded 4 ms after their stamps" in found["topic /front/image_raw"].says


def of_pictures(change):
    """The same, with some of the pictures changed or left out (None)."""
    pictures, changed = 0, []
    for one in SOUND:
        if one.topic == "/front/image_raw":
            one, pictures = change(pictures, one), pictures + 1
        changed += [] if one is None else [one]
    return changed


def restamped(one, at_s):
    return replace(one, message=replace(one.message, header=header(at_s, "camera")))


@pytest.mark.parametrize(
    ("change", "says", "numbers"),
    [
        (lambda n, one: None if n % 10 == 5 else one, "17 are missing between the others", {"missing": 17}),
        (lambda n, one: None if 60 <= n < 110 else one, "for 1.7 s none came", {"missing": 0}),
        (lambda n, one: restamped(one, one.at_s - 0.3), "180 came more than 0.2 s after", {"late": 180}),
        (lambda n, one: restamped(one, one.at_s - 0.1 * (n % 30 == 7)), "6 have older stamps", {"unordered": 6}),
        (lambda n, one: restamped(one, None), "none has a stamp", {"late": 0}),
    ],
    ids=["dropped", "gap", "late", "unordered", "no stamp"],
)  # fmt: skip
def test_what_came_badly_is_told_of_its_topic(change, says, numbers, tmp_path):
    found = judged([as_recorded(tmp_path / "bag", of_pictures(change))])["topic /front/image_raw"]
    assert found.level is Level.WARNING and says in found.says and found.advice
    assert numbers.items() <= found.numbers.items()


def test_without_a_recording_file_topics_are_told_and_no_delay(tmp_path):
    said = [*SOUND, *(Said("/gripper", FLOAT, at_s, number(0.1)) for at_s in (6.1, 6.2))]
    found = judged([as_recorded(tmp_path / "bag", said)], None)
    assert {"topic /front/image_raw", "topic /tcp_pose", "topic /gripper"} <= set(found)
    assert found["topic /gripper"].numbers["messages"] == 2
    assert "--recording" in found["delay of cameras"].advice


def test_a_topic_that_a_recording_file_names_and_a_bag_lacks_is_wrong_and_the_others_are_told(tmp_path):
    other = replace(RECORDING, arm=PoseArm("/elsewhere", "tool0"))
    found = judged([as_recorded(tmp_path / "bag", SOUND)], other)
    assert found["bag bag"].level is Level.WRONG and "/elsewhere" in found["bag bag"].says
    assert found["topic /front/image_raw"].level is Level.GOOD


def test_a_bag_that_was_cut_off_is_a_warning(tmp_path):
    folder = as_recorded(tmp_path / "bag", SOUND)
    (file,) = folder.glob("*.mcap")
    file.write_bytes(file.read_bytes()[:-3000])
    found = judged([folder])["bag bag"]
    assert found.level is Level.WARNING and "ends within a record" in found.says


def test_what_many_bags_have_in_common_is_said_once_of_the_first_of_them(tmp_path):
    bags = [as_recorded(tmp_path / f"bag{number}", filmed(seed=number, seconds=6.0)) for number in range(3)]
    for bag in bags[1:]:
        (file,) = bag.glob("*.mcap")
        file.write_bytes(file.read_bytes()[:-3000])
    found = inspect_bags(bags, RECORDING).judgements
    (cut,) = [judgement for judgement in found if "ends within a record" in judgement.says]
    assert cut.topic == "2 bags, the first bag bag1"
    assert cut.numbers["bags"] == ["bag1", "bag2"]


def test_pictures_that_nobody_can_decode_tell_no_delay(tmp_path):
    broken = of_pictures(lambda n, one: replace(one, message=replace(one.message, data=np.zeros(5, np.uint8))))
    assert not inspect_bags([as_recorded(tmp_path / "bag", broken)], RECORDING).delays["front"].known


def test_the_verb_says_it_of_bags_of_any_storage_with_a_page_and_a_status(tmp_path, capsys):
    bag = write_bag(tmp_path / "bag", of_pictures(lambda n, one: None if n % 10 == 5 else one))
    RECORDING.save(tmp_path / "recording.yaml")
    arguments = ["data", "check", "--bag", str(bag), "--recording", str(tmp_path / "recording.yaml")]
    assert main([*arguments, "--page", str(tmp_path / "page")]) == 0
    assert "1 bags: 0 wrong, 1 warnings" in capsys.readouterr().out
    assert {"index.html", "steps.png", "delay.png"} == {file.name for file in (tmp_path / "page").iterdir()}
    assert main([*arguments, "--strict", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["level"] == "warning"
    assert main(["data", "check", "--bag", str(tmp_path)]) == 0
    assert main(["data", "check"]) == 2 and main(["data", "check", str(tmp_path), "--bag", str(bag)]) == 2
    assert main(["data", "check", "--bag", str(tmp_path / "page")]) == 2
    replace(RECORDING, views={"front": ViewSource("/top")}).save(tmp_path / "recording.yaml")
    assert main(arguments) == 2
