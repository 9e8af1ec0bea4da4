"""LeRobotDatasets, judged by the package lerobot and by lerobot-doctor, in an environment of their own."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_training import episodes

from jepa_planner.cli.main import main
from jepa_planner.learning.data.episodes import Episodes, read_episodes
from jepa_planner.learning.data.lerobot.from_episodes import write_dataset

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "out" / "lerobot_judge"
SCRIPT = Path(__file__).with_name("lerobot_judge.py")
NEEDED = (
    *(
        "torch==2.13.0",
        "av==15.1.0",
        "datasets==4.8.5",
        "huggingface-hub<1.0",
        "jsonlines",
        "draccus==0.10.0",
        "einops",
    ),
    *("packaging", "termcolor", "deepdiff", "safetensors", "opencv-python-headless<4.13", "rich", "numpy<2.3"),
    *("imageio", "gymnasium", "psutil", "pyarrow", "pandas"),
)
JUDGES = ("lerobot==0.4.4", "lerobot-doctor==0.2.0", "accelerate", "torchvision==0.25.0")
"""Without what they ask for besides, which is for training and for motors. Later ones of lerobot need Python 3.12, and
later ones of torchvision show lerobot 0.4.4 no videos.
"""
pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def judge() -> Path:
    """The Python that has lerobot; made once, in minutes."""
    python = PLACE / "bin" / "python"
    if not (PLACE / "whole").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(PLACE)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, *NEEDED], check=True)
        subprocess.run([*install, "--no-deps", *JUDGES], check=True)
        (PLACE / "whole").touch()
    return python


def told(judge: Path, *arguments: object) -> None:
    subprocess.run([str(judge), str(SCRIPT), *map(str, arguments)], check=True, timeout=600)


def moving(most: int = 24) -> Episodes:
    """Of unequal lengths up to so many steps, in which all that can move does; the pictures are smooth."""
    some, rng = episodes(count=6, steps=most), np.random.default_rng(3)
    lengths = most - np.array([0, 9, 0, 13, 4, 0])
    states = np.cumsum(rng.normal(0.0, 0.01, (6, most + 1, 8)), axis=1) + np.array([0.5, 0, 0.2, 3.0, 0, 0, 0.5, 0.5])
    actions = np.concatenate([np.diff(states[..., :6], axis=1), rng.normal(0.0, 0.1, (6, most, 1))], axis=-1)
    last = np.minimum(np.arange(most + 1), lengths[:, None])
    pick = np.arange(6)[:, None]
    y, x = np.mgrid[:64, :96]
    images = np.zeros((6, most + 1, 2, 64, 96, 3), np.uint8)
    for episode in range(6):
        for frame in range(most + 1):
            images[episode, frame, 0] = np.stack([x + frame, 2 * y, np.full_like(x, 40 * episode)], axis=-1)
            images[episode, frame, 1] = 255 - images[episode, frame, 0]
    poses = rng.normal(0.0, 0.1, (6, most + 1, 4)).astype(np.float32)
    return replace(
        some, images=images[pick, last], states=states.astype(np.float32)[pick, last], object_pose=poses[pick, last],
        actions=np.where(np.arange(most)[None, :, None] < lengths[:, None, None], actions, 0).astype(np.float32),
        lengths=lengths, success=np.array([1, 0, 1, -1, 0, 1], np.int8), tasks=("a", "b", "", "a", "b", "c"),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["image", "video"])
def test_lerobot_reads_each_frame_of_what_is_written(judge, tmp_path, kind):
    before = moving()
    write_dataset(before, tmp_path / "set", kind)
    told(judge, "read", tmp_path / "set", tmp_path / "read.npz")
    read = np.load(tmp_path / "read.npz")
    row = 0
    for episode, length in enumerate(before.lengths):
        rows = slice(row, row + length + 1)
        np.testing.assert_array_equal(read["observation.state"][rows], before.states[episode, : length + 1])
        np.testing.assert_array_equal(read["action"][rows][:-1], before.actions[episode, :length])
        np.testing.assert_array_equal(read["object_pose"][rows], before.object_pose[episode, : length + 1])
        np.testing.assert_allclose(read["timestamp"][rows], 0.25 * np.arange(length + 1))
        assert set(read["task"][rows]) == {before.tasks[episode]} and read["episode_index"][row] == episode
        assert read["next.success"][rows].any() == (before.success[episode] == 1)
        for view, name in enumerate(before.views):
            shown = np.moveaxis(read[f"observation.images.{name}"][rows], 1, -1)
            off = shown - before.images[episode, : length + 1, view] / 255.0
            assert np.abs(off).max() < 1e-6 if kind == "image" else 10 * np.log10(1 / (off**2).mean()) > 30
        row += length + 1
    assert row == len(read["index"]) and read["fps"] == 4
    mean = np.concatenate([before.states[one, : length + 1] for one, length in enumerate(before.lengths)]).mean(axis=0)
    np.testing.assert_allclose(read["stats/observation.state"], mean, rtol=1e-4)


@pytest.mark.parametrize("kind", ["image", "video"])
def test_lerobot_doctor_has_nothing_to_complain_about(judge, tmp_path, kind):
    write_dataset(moving(most=120), tmp_path / "set", kind, robot="arm")  # it wants 100 rows in each episode
    doctor = [str(judge.with_name("lerobot-doctor")), "check", str(tmp_path / "set"), "--ci", "--fail-on", "warn"]
    said = subprocess.run(doctor, capture_output=True, text=True, timeout=300)
    assert said.returncode == 0, said.stdout
    assert "11 pass, 0 warn, 0 fail" in said.stderr


@pytest.mark.parametrize(("kind", "codec"), [("image", "h264"), ("video", "h264"), ("video", "libsvtav1")])
def test_what_lerobot_writes_is_read_as_it_reads_it_itself(judge, tmp_path, kind, codec):
    told(judge, "write", tmp_path / "set", kind, codec)
    told(judge, "read", tmp_path / "set", tmp_path / "read.npz")
    call = ["data", "from-lerobot", str(tmp_path / "set"), "--out", str(tmp_path / "episodes")]
    assert main([*call, "--time-step", "0.1", "--gripper", "0", "20", "--views", "front"]) == 0
    read, got, row = np.load(tmp_path / "read.npz"), read_episodes(tmp_path / "episodes"), 0
    assert got.lengths.tolist() == [20, 30, 11] and got.success.tolist() == [1, 0, 1]
    assert got.tasks == ("pick", "push", "pick")
    for episode, length in enumerate(got.lengths):
        rows = slice(row, row + length + 1)
        np.testing.assert_array_equal(got.states[episode, : length + 1, :6], read["observation.state"][rows, :6])
        shown = 255.0 * np.moveaxis(read["observation.images.front"][rows], 1, -1)
        off = np.abs(np.asarray(got.images[episode])[: length + 1, 0] - shown)
        assert off.max() < (0.01 if kind == "image" else 3.0)
        row += length + 1


@pytest.mark.parametrize("kind", ["image", "video"])
def test_what_lerobot_edits_is_read_again(judge, tmp_path, kind):
    before = moving()
    write_dataset(before, tmp_path / "set", kind)
    told(judge, "edit", tmp_path / "set")
    assert main(["data", "from-lerobot", str(tmp_path / "set-edited"), "--out", str(tmp_path / "episodes")]) == 0
    after, kept = read_episodes(tmp_path / "episodes"), [0, 2, 3, 4, 5, 0, 2, 3, 4, 5]
    assert after.lengths.tolist() == before.lengths[kept].tolist()
    assert after.tasks == tuple(before.tasks[number] for number in kept)
    np.testing.assert_array_equal(after.states, before.states[kept])
    np.testing.assert_array_equal(after.actions, before.actions[kept])
    off = np.asarray(after.images).astype(float) - before.images[kept]
    assert not off.any() if kind == "image" else 10 * np.log10(255**2 / (off**2).mean(axis=(2, 3, 4, 5)).max()) > 30
