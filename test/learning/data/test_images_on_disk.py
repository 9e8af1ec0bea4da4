"""Pictures on disk are indexed as the array that they would be, by several processes, and never of two versions."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tiny_training import episodes

from jepa_planner.learning.data.episodes import EpisodeError, Episodes, read_episodes, write_shard
from jepa_planner.learning.data.images_on_disk import ImagesOnDisk, frames_at, on_disk
from jepa_planner.learning.training.run_folder import content_hash
from jepa_planner.learning.training.windows import WindowSampler

PARTS = [episodes(3, 4, seed=number) for number in range(3)]
ALL = np.concatenate([part.images for part in PARTS])


def shards(folder: Path) -> list[Path]:
    paths = [folder / f"episodes-{number:06d}.h5" for number in range(len(PARTS))]
    for path, part in zip(paths, PARTS, strict=True):
        write_shard(path, part)
    return paths


@pytest.fixture
def opened(tmp_path) -> Episodes:
    shards(tmp_path)
    return read_episodes(tmp_path)


NUMBERS = np.array([8, 0, 0, 4])
SOME = slice(2, 7)
PLACES = {
    "an episode": 4,
    "the last episode": -1,
    "consecutive frames of one": (4, slice(1, 4)),
    "frames of one": (4, [0, -1]),
    "a frame of one": (np.int64(4), 2),
    "a view of one": (7, slice(1, 3), 1),
    "windows": (NUMBERS[:, None], np.array([0, 1, 0, 2])[:, None] + np.arange(3)),
    "pairs of frames": (NUMBERS[:, None], np.array([[0, 4], [3, 1], [2, 2], [4, 0]])),
    "frames of many": (NUMBERS, np.array([4, 0, 3, 2])),
    "whole episodes in a table": NUMBERS.reshape(2, 2),
    "frames of all, a view": (slice(None), slice(1, 3), 0),
    "none": (NUMBERS[:0], NUMBERS[:0]),
}
CHOICES = {
    "the first": slice(0, 5),
    "some": NUMBERS,
    "a mask": np.arange(9) % 2 == 0,
    "views": (slice(None), slice(None), [1, 0]),
    "a view of some": (SOME, slice(None), [1]),
    "no view apart": SOME,
}


@pytest.mark.parametrize("key", PLACES.values(), ids=PLACES)
def test_what_is_read_is_what_the_array_would_hold(opened, key):
    read = opened.images[key]
    assert isinstance(read, np.ndarray) and read.dtype == np.uint8
    np.testing.assert_array_equal(read, ALL[key])


@pytest.mark.parametrize("key", CHOICES.values(), ids=CHOICES)
def test_a_choice_of_episodes_or_views_reads_nothing_and_is_indexed_in_its_turn(opened, key, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(ImagesOnDisk, "_read", pytest.fail)
        chosen = opened.images[key]
    assert isinstance(chosen, ImagesOnDisk)
    assert (chosen.shape, chosen.nbytes, len(chosen)) == (ALL[key].shape, ALL[key].nbytes, len(ALL[key]))
    np.testing.assert_array_equal(chosen, ALL[key])
    np.testing.assert_array_equal(chosen[1:3][-1], ALL[key][2])
    for episode, expected in zip(chosen, ALL[key], strict=True):
        np.testing.assert_array_equal(episode, expected)


def test_opening_reads_no_pixels(tmp_path, monkeypatch):
    shards(tmp_path)
    monkeypatch.setattr(ImagesOnDisk, "_read", pytest.fail)
    assert read_episodes(tmp_path).part(np.array([1, 8])).images.shape == (2, 5, 2, 32, 32, 3)


def test_frames_are_counted_through_all_episodes(opened):
    numbers = np.array([[0, 7], [44, 12]])
    flat = ALL.reshape(-1, *ALL.shape[2:])
    for images in (opened.images, ALL):
        np.testing.assert_array_equal(frames_at(images, numbers), flat[numbers])


def test_too_many_indices_and_places_that_are_not_there_are_refused(opened):
    with pytest.raises(IndexError, match="4 indices given; pictures on disk take episodes, frames and views"):
        opened.images[0, 0, 0, 0]
    with pytest.raises(IndexError, match="index 9 is out of bounds"):
        opened.images[9]


def test_windows_and_the_hash_of_their_content_are_those_of_episodes_in_memory(opened):
    in_memory = ALL, opened.states, opened.actions
    for iteration in range(3):
        one, other = (
            WindowSampler(images, *in_memory[1:], window=3, batch=16, seed=5).draw(iteration)
            for images in (opened.images, ALL)
        )
        for read, expected in zip(one, other, strict=True):
            np.testing.assert_array_equal(read, expected)
    assert content_hash(opened) == content_hash(opened.part(np.arange(9))) == content_hash(
        Episodes(*in_memory, opened.object_pose, opened.behaviour, opened.seeds, opened.views, opened.time_step_s)
    )  # fmt: skip


def test_only_pictures_of_files_have_files(opened):
    assert on_disk(opened.images) is opened.images
    with pytest.raises(TypeError, match="pictures in memory are of no file"):
        on_disk(ALL)


def total(images: ImagesOnDisk, number: int) -> int:
    return int(images[number].sum())


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_other_processes_read_the_same(opened, start):
    before = [total(opened.images, number) for number in range(9)]  # a handle that must not be shared
    with ProcessPoolExecutor(2, multiprocessing.get_context(start)) as workers:
        found = list(workers.map(total, [opened.images] * 9, range(9)))
    assert found == before == ALL.sum((1, 2, 3, 4, 5), dtype=int).tolist()


def remove(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    write_shard(path, PARTS[0])


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("was_read", [False, True])
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (remove, "was there when reading began, and now is not: No such file or directory; put it back"),
        (replace, "was replaced, cut short or written to since reading began: start again"),
        (cut_short, "was replaced, cut short or written to since reading began: start again"),
    ],
)
def test_a_file_that_is_no_longer_what_was_opened_is_refused_by_name(change, says, was_read, tmp_path):
    paths = shards(tmp_path)
    images = read_episodes(tmp_path).images
    if was_read:
        images[4]
    change(paths[1])
    with pytest.raises(EpisodeError, match=rf"episodes-000001\.h5 {says}"):
        images[5]
    np.testing.assert_array_equal(images[0], ALL[0])
