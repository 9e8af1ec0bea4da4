from dataclasses import fields, replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from tiny_training import episodes

from jepa_planner.core.arm_layout import ACTION_CHANNELS, STATE_CHANNELS
from jepa_planner.learning.data.episodes import (
    FORMAT,
    EpisodeError,
    Episodes,
    read_episodes,
    seeds_in_words,
    shard_settings,
    write_shard,
)
from jepa_planner.learning.data.shard_layout import FORMATS


def shard(folder: Path, number: int = 0, **changes: object) -> Path:
    path = folder / f"episodes-{number:06d}.h5"
    write_shard(path, replace(episodes(3, 4, seed=number), **changes))
    return path


def assert_same(one: Episodes, other: Episodes) -> None:
    for field in fields(Episodes):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name), err_msg=field.name)


def test_a_part_of_the_episodes_is_the_same_numbers_of_everything():
    some = episodes(count=5, steps=2)
    few = some.part(np.array([3, 1]))
    assert len(few) == len(few.behaviour) == 2 and few.seeds.tolist() == [3, 1] and few.views == some.views
    for name in ("images", "states", "actions", "object_pose"):
        np.testing.assert_array_equal(getattr(few, name)[0], getattr(some, name)[3])


def test_what_was_written_reads_back_the_same(tmp_path):
    written = replace(
        episodes(3, 4), behaviour=("reach", "push", "grasp"), time_step_s=0.5, lengths=np.array([4, 2, 1]),
        success=np.array([1, 0, -1], np.int8), tasks=("put it there", "", "schieben"),
    )  # fmt: skip
    write_shard(tmp_path / "episodes-000000.h5", written)
    read = read_episodes(tmp_path)
    assert_same(read, written)
    assert read.images.dtype == np.uint8 and read.states.dtype == read.actions.dtype == np.float32
    assert len(read) == 3


def test_what_a_file_does_not_tell_is_taken_as_whole_episodes_without_a_task(tmp_path):
    path = shard(tmp_path)
    with h5py.File(path, "a") as file:
        for name in ("lengths", "success", "tasks"):
            del file[name]
    read = read_episodes(tmp_path)
    assert (read.lengths.tolist(), read.success.tolist(), read.tasks) == ([4] * 3, [-1] * 3, ("",) * 3)


@pytest.mark.parametrize("length", [0, 5])
def test_an_episode_longer_than_what_is_there_or_without_an_action_is_refused(tmp_path, length):
    shard(tmp_path, lengths=np.array([4, length, 4]))
    with pytest.raises(EpisodeError, match=f"length of episode 1 is {length}; expected 1 to 4"):
        read_episodes(tmp_path)


def test_shards_are_joined_in_the_order_of_their_names(tmp_path):
    for number in (2, 0, 1):
        shard(tmp_path, number)
    assert read_episodes(tmp_path).seeds.tolist() == [0, 1, 2, 100, 101, 102, 200, 201, 202]


def test_several_folders_are_read_one_after_the_other(tmp_path):
    shard(tmp_path / "b", 1), shard(tmp_path / "a", 0)
    assert read_episodes([tmp_path / "b", tmp_path / "a"]).seeds.tolist() == [100, 101, 102, 0, 1, 2]


def test_episodes_that_say_nothing_about_scenes_show_one_each_and_others_keep_theirs(tmp_path):
    path = shard(tmp_path, 1)
    with h5py.File(path, "a") as file:
        del file["scenes"]
    assert read_episodes(tmp_path).scenes.tolist() == [100, 101, 102]
    assert shard_settings(path)["scenes"] is None
    with h5py.File(path, "a") as file:
        file["scenes"] = [7, 7, 9]
    read = read_episodes(tmp_path)
    assert shard_settings(path)["scenes"] == [7, 7, 9]
    assert read.scenes.tolist() == [7, 7, 9] and read.part(np.array([2, 0])).scenes.tolist() == [9, 7]


def as_others_write(path: Path, written: Episodes, **text: str) -> None:
    """The documented layout from plain h5py: strings of fixed length, doubles, nothing that is not needed."""
    with h5py.File(path, "w") as file:
        file["images"] = written.images
        file["states"], file["actions"] = written.states.astype(np.float64), written.actions.astype(np.float64)
        file.attrs["format"] = np.bytes_(FORMAT)
        file.attrs["time_step_s"] = 0.25
        file.attrs["views"] = np.array([b"front", b"side"])
        file.attrs["state_channels"] = np.array(STATE_CHANNELS, "S")
        file.attrs["action_channels"] = np.array(ACTION_CHANNELS, "S")
        for name, value in text.items():
            file.attrs[name] = np.bytes_(value)


def test_what_other_writers_write_is_read(tmp_path):
    written = episodes(3, 4)
    as_others_write(tmp_path / "episodes-000000.h5", written, frame="base_link", tcp_frame="tool0")
    read = read_episodes(tmp_path)
    assert (read.views, read.frame, read.tcp_frame) == (("front", "side"), "base_link", "tool0")
    assert read.seeds.tolist() == read.scenes.tolist() == [0, 1, 2] and read.behaviour == ("", "", "")
    assert read.states.dtype == read.actions.dtype == np.float32 and not read.object_pose.any()
    np.testing.assert_array_equal(read.states, written.states)


def test_files_of_the_first_format_hold_their_numbers_as_attributes(tmp_path):
    path = tmp_path / "episodes-000000.h5"
    as_others_write(path, episodes(3, 4), format=FORMATS[1])
    with h5py.File(path, "a") as file:
        file.attrs["seeds"], file.attrs["scenes"], file.attrs["motions"] = [5, 6, 7], [5, 5, 7], [0, 0, 1]
        file.create_dataset("behaviour", data=["reach"] * 3, dtype=h5py.string_dtype())
    read = read_episodes(tmp_path)
    assert (read.seeds.tolist(), read.scenes.tolist(), read.motions.tolist()) == ([5, 6, 7], [5, 5, 7], [0, 0, 1])
    assert read.behaviour == ("reach",) * 3 and read.frame == ""
    assert shard_settings(path)["seeds"] == [5, 6, 7]


def test_a_shard_holds_as_many_episodes_as_one_likes(tmp_path):
    many = episodes(1, 1, size_px=8).part(np.zeros(9000, int))
    write_shard(tmp_path / "episodes-000000.h5", replace(many, seeds=np.arange(9000)))
    assert read_episodes(tmp_path).seeds[-1] == 8999


@pytest.mark.parametrize(("seeds", "words"), [([3], "3 to 3"), ([7, 0, 1, 2, 8], "0 to 2 and 7 to 8")])
def test_seeds_are_named_as_spans_without_the_gaps(seeds, words):
    assert seeds_in_words(np.array(seeds)) == words


@pytest.mark.parametrize(("limit", "expected"), [(1, 1), (3, 3), (4, 4), (99, 6)])
def test_a_limit_takes_the_first_episodes_and_reads_no_more_shards_than_needed(tmp_path, limit, expected):
    shard(tmp_path, 0), shard(tmp_path, 1)
    if limit <= 3:
        (tmp_path / "episodes-000002.h5").write_text("never opened")
    read = read_episodes(tmp_path, limit)
    assert {len(getattr(read, name)) for name in ("images", "states", "actions", "behaviour", "seeds")} == {expected}


def test_any_reader_finds_the_documented_datasets_and_attributes(tmp_path):
    with h5py.File(shard(tmp_path)) as file:
        assert file.attrs["format"] == FORMAT
        assert file.attrs["time_step_s"] == 0.25
        assert list(file.attrs["views"]) == ["front", "side"]
        assert len(file.attrs["state_channels"]) == file["states"].shape[-1]
        assert len(file.attrs["action_channels"]) == file["actions"].shape[-1]


def test_a_crash_while_writing_leaves_no_shard(tmp_path):
    broken = replace(episodes(2, 2), object_pose=np.array([object()]))
    with pytest.raises(TypeError):
        write_shard(tmp_path / "episodes-000000.h5", broken)
    assert list(tmp_path.glob("episodes-*.h5")) == []


def test_a_crash_while_writing_keeps_the_shard_that_was_there(tmp_path):
    path = shard(tmp_path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_shard(path, replace(episodes(2, 2), object_pose=np.array([object()])))
    assert path.read_bytes() == before


def test_an_empty_folder_says_how_to_fill_it(tmp_path):
    with pytest.raises(EpisodeError, match=r"no episodes-\*\.h5 in .*jepa-planner collect"):
        read_episodes(tmp_path)


def damage(path: Path, how: str) -> None:
    data = path.read_bytes()
    if how == "cut short":
        path.write_bytes(data[: len(data) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "text":
        path.write_text("not HDF5")
    else:
        with h5py.File(path, "a") as file:
            if how.startswith("lacks dataset "):
                del file[how.removeprefix("lacks dataset ")]
            elif how.startswith("lacks attribute "):
                del file.attrs[how.removeprefix("lacks attribute ")]


@pytest.mark.parametrize(
    "how",
    [
        "cut short",
        "empty",
        "text",
        *(f"lacks dataset {name}" for name in ("images", "states", "actions")),
        *(f"lacks attribute {name}" for name in ("time_step_s", "views", "action_channels")),
    ],
)
def test_a_damaged_shard_is_refused_by_name(tmp_path, how):
    shard(tmp_path, 0)
    damage(shard(tmp_path, 1), how)
    with pytest.raises(EpisodeError, match=r"episodes-000001\.h5 cannot be read as an episode shard"):
        read_episodes(tmp_path)


@pytest.mark.parametrize("time_step_s", [np.nan, np.inf, 0.0, -0.25])
def test_a_time_step_that_is_none_is_refused_when_it_is_read(time_step_s, tmp_path):
    shard(tmp_path, time_step_s=time_step_s)
    with pytest.raises(EpisodeError, match=r"episodes-000000\.h5: time_step_s is .*; expected seconds"):
        read_episodes(tmp_path)


def test_poses_of_two_frames_are_not_read_together_and_unnamed_ones_stay_so(tmp_path):
    shard(tmp_path, 0), shard(tmp_path, 1, frame="ur5_base")
    with pytest.raises(EpisodeError, match=r"000000\.h5 holds poses of frame 'panda_link0', but .* of 'ur5_base'"):
        read_episodes(tmp_path)
    shard(tmp_path, 1, frame="", tcp_frame="")
    read = read_episodes(tmp_path)
    assert (read.frame, read.tcp_frame) == ("", "")


def test_episodes_that_nobody_numbered_are_counted_on_from_file_to_file(tmp_path):
    for number in range(2):
        as_others_write(tmp_path / f"episodes-{number:06d}.h5", episodes(3, 4))
    assert read_episodes(tmp_path).scenes.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("given", ["other-episodes-9", None])
def test_a_foreign_format_is_refused_by_name(tmp_path, given):
    with h5py.File(shard(tmp_path), "a") as file:
        del file.attrs["format"]
        if given:
            file.attrs["format"] = given
    with pytest.raises(EpisodeError, match=rf"episodes-000000\.h5 has format {given!r}, expected"):
        read_episodes(tmp_path)


def test_other_channels_are_refused_by_name(tmp_path):
    with h5py.File(shard(tmp_path), "a") as file:
        file.attrs["state_channels"] = ["q1", "q2"]
    with pytest.raises(EpisodeError, match=r"episodes-000000\.h5 has channels .*q1"):
        read_episodes(tmp_path)


@pytest.mark.parametrize("name", ["images", "states", "object_pose"])
def test_a_shard_with_frames_missing_is_refused_by_name(tmp_path, name):
    shard(tmp_path, **{name: getattr(episodes(3, 4), name)[:, :-1]})
    with pytest.raises(EpisodeError, match=r"episodes-000000\.h5: \w+ have shape .* imply"):
        read_episodes(tmp_path)


@pytest.mark.parametrize("name", ["states", "actions", "object_pose"])
def test_channels_too_few_are_refused_by_name(tmp_path, name):
    shard(tmp_path, **{name: getattr(episodes(3, 4), name)[..., :-1]})
    with pytest.raises(EpisodeError, match=rf"episodes-000000\.h5: {name} have shape"):
        read_episodes(tmp_path)


@pytest.mark.parametrize(
    "images", [episodes(3, 4).images.astype(np.float32), episodes(3, 4).images[:, :, 0]], ids=["float", "no view axis"]
)
def test_images_of_another_kind_are_refused_by_name(tmp_path, images):
    with h5py.File(shard(tmp_path), "a") as file:
        del file["images"]
        file["images"] = images
    with pytest.raises(EpisodeError, match=r"episodes-000000\.h5: images are .*, expected uint8"):
        read_episodes(tmp_path)


@pytest.mark.parametrize("name", ["states", "actions", "object_pose"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused_by_name(tmp_path, name, value):
    spoilt = getattr(episodes(3, 4), name).copy()
    spoilt[1, 2, 3] = value
    shard(tmp_path, **{name: spoilt})
    with pytest.raises(EpisodeError, match=rf"episodes-000000\.h5 holds {name} that are not finite"):
        read_episodes(tmp_path)


@pytest.mark.parametrize(
    ("other", "given", "expected"),
    [
        (episodes(3, 4, size_px=48), r"height and width \(48, 48\)", r"\(32, 32\)"),
        (episodes(3, 5), "frames per episode 6", "5: .*; cut them to the shortest, or into pieces of one length"),
        (replace(episodes(3, 4), views=("left", "right")), r"views \('left', 'right'\)", r"\('front', 'side'\)"),
        (replace(episodes(3, 4), time_step_s=0.5), "time_step_s 0.5", "0.25"),
    ],
)
def test_shards_that_do_not_go_together_are_refused_with_what_differs(tmp_path, other, given, expected):
    shard(tmp_path, 0)
    write_shard(tmp_path / "episodes-000001.h5", other)
    with pytest.raises(EpisodeError, match=rf"episodes-000001\.h5 has {given}, but .*episodes-000000\.h5 {expected}"):
        read_episodes(tmp_path)


def replaced(path: Path, name: str, values: object) -> None:
    with h5py.File(path, "a") as file:
        if name in file:
            del file[name]
            file[name] = values
        else:
            file.attrs[name] = values


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("images", np.zeros((3, 5, 2, 3, 32, 32), np.uint8), r"images are uint8 \[3, 5, 2, 3, 32, 32\], expected"),
        ("images", np.zeros((3, 5, 2, 32, 32, 3), np.float32), r"images are float32 .*, expected uint8 \(0 to 255\)"),
        ("images", np.zeros((0, 5, 2, 32, 32, 3), np.uint8), "holds no episodes"),
        ("views", ["front", "front"], r"views are \['front', 'front'\], expected a name of its own for each camera"),
        ("views", ["front", ""], r"views are \['front', ''\], expected a name of its own"),
        ("seeds", np.full(3, np.nan), "seeds are float64, expected a whole number for each episode"),
        ("scenes", np.array([b"a", b"b", b"c"]), r"scenes are \|S1, expected a whole number for each episode"),
    ],
)
def test_what_would_only_be_noticed_later_is_refused_when_it_is_read(name, values, says, tmp_path):
    replaced(shard(tmp_path), name, values)
    with pytest.raises(EpisodeError, match=says):
        read_episodes(tmp_path)


def test_motions_of_two_folders_stay_apart_whatever_their_numbers(tmp_path):
    some = replace(episodes(4, 3), motions=np.array([7, 7, 9, 9]))
    for name in ("one", "other"):
        write_shard(tmp_path / name / "episodes-000000.h5", some)
    together = read_episodes([tmp_path / "one", tmp_path / "other"])
    assert together.motions.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
