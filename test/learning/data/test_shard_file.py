"""What is wrong with a file is told apart, and nothing is advised that loses data."""

import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from tiny_training import episodes

from jepa_planner.learning.data.episodes import EpisodeError, read_episodes, write_shard
from jepa_planner.learning.data.shard_file import as_texts


def shard(folder: Path) -> Path:
    path = folder / "episodes-000000.h5"
    write_shard(path, episodes(4, 3))
    return path


def complaint(folder: Path) -> str:
    with pytest.raises(EpisodeError) as refused:
        np.asarray(read_episodes(folder).images)
    return str(refused.value)


def test_a_file_that_is_being_written_is_waited_for_and_its_writer_is_named(tmp_path):
    path = shard(tmp_path)
    code = f"import h5py, sys; file = h5py.File({str(path)!r}, 'a'); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        writer.stdout.readline()
        says = complaint(tmp_path)
        writer.stdin.close()
    assert f"{path} is being written by process {writer.pid} (" in says and "wait until it is closed" in says
    assert "delete" not in says and "move it away" not in says
    assert len(read_episodes(tmp_path)) == 4


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    shard(tmp_path)

    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(h5py, "File", forbidden)
    says = complaint(tmp_path)
    assert "may not be read by this user" in says and "move" not in says and "delete" not in says


def test_a_damaged_picture_is_noticed_and_its_episode_named(tmp_path):
    path = shard(tmp_path)
    with h5py.File(path) as file:
        place = file["images"].id.get_chunk_info_by_coord((2, 1, 0, 0, 0, 0))
    with path.open("r+b") as file:
        file.seek(place.byte_offset + place.size // 2)
        spoilt = bytes(255 - byte for byte in file.read(1))
        file.seek(-1, 1)
        file.write(spoilt)
    assert "is damaged: images of episode 2, counted from 0, cannot be read" in complaint(tmp_path)


def test_every_dataset_has_checksums(tmp_path):
    with h5py.File(shard(tmp_path)) as file:
        assert [name for name in file if not file[name].fletcher32] == []


def test_a_folder_in_the_place_of_a_file_is_called_one(tmp_path):
    (tmp_path / "episodes-000000.h5").mkdir()
    assert "episodes-000000.h5 cannot be read: Is a directory" in complaint(tmp_path)


def test_a_disk_without_room_is_noticed_before_anything_is_written(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(EpisodeError, match=r"episodes-000000\.h5 needs up to 1 MB; .* has 0 MB left: make room"):
        shard(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "value",
    [["front", "side"], np.array([b"front", b"side"]), np.array(["front", "side"], object), [b"front\0", b"side"]],
)
def test_text_is_read_however_it_is_stored(value):
    assert as_texts(value, Path("a.h5")) == ("front", "side")


def test_a_single_text_is_one_and_numbers_are_none():
    assert as_texts(np.bytes_(b"front"), Path("a.h5")) == ("front",)
    with pytest.raises(EpisodeError, match=r"a\.h5 holds 3 where text is expected"):
        as_texts(np.array([3]), Path("a.h5"))
