"""Episodes and goals to a LeRobotDataset and back, by the verbs."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tiny_training import episodes

from jepa_planner.cli.main import main
from jepa_planner.core.goal_library import GoalLibrary
from jepa_planner.learning.data.episodes import Episodes, read_episodes, write_shard
from jepa_planner.learning.data.lerobot import from_episodes
from jepa_planner.learning.data.lerobot.dataset_writer import DatasetWriter

LEAST_PSNR_DB = 30.0


def written(folder: Path, **changes: object) -> Episodes:
    """Episodes of unequal lengths that hold all that episodes can hold, in two shards."""
    some = episodes(count=5, steps=8)
    lengths = np.array([8, 3, 8, 1, 5])
    rest = np.arange(9)[None] > lengths[:, None]
    last = np.minimum(np.arange(9), lengths[:, None])
    pick = np.arange(5)[:, None]
    some = replace(
        some, images=some.images[pick, last], states=some.states[pick, last], object_pose=some.object_pose[pick, last],
        actions=np.where(rest[:, 1:, None], 0, some.actions).astype(np.float32), lengths=lengths,
        seeds=np.array([7, 3, 9, 1, 4]), scenes=np.array([1, 1, 2, 2, 5]), motions=np.array([0, 0, 1, 2, 3]),
        success=np.array([1, 0, -1, 1, 0], np.int8), tasks=("put it there", "", "schieben", "", "put it there"),
        behaviour=("reach", "push", "", "reach", "grasp"),
    )  # fmt: skip
    some = replace(some, **changes)
    for number, part in enumerate(([0, 1, 2], [3, 4])):
        write_shard(folder / f"episodes-{number:06d}.h5", some.part(np.array(part)))
    return some


def assert_same(one: Episodes, other: Episodes, but: tuple[str, ...] = ()) -> None:
    for field in fields(Episodes):
        if field.name not in but:
            one_value, other_value = (np.asarray(getattr(episodes, field.name)) for episodes in (one, other))
            np.testing.assert_array_equal(one_value, other_value, err_msg=field.name)


def test_nothing_is_lost_on_the_way_there_and_back_with_pictures_as_images(tmp_path, capsys):
    before = written(tmp_path / "episodes")
    call = ["data", "to-lerobot", str(tmp_path / "episodes"), "--out", str(tmp_path / "set")]
    assert main([*call, "--pictures", "image"]) == 0
    assert "5 episodes, 30 rows, 4 per second" in capsys.readouterr().out
    assert main(["data", "from-lerobot", str(tmp_path / "set"), "--out", str(tmp_path / "back")]) == 0
    said = capsys.readouterr().out
    assert "2 yes, 2 no, 1 not told" in said and "tcp in panda_link0" in said
    assert_same(read_episodes(tmp_path / "back"), before)


def test_videos_change_pictures_a_little_and_nothing_else(tmp_path):
    smooth = (np.linspace(30, 220, 32)[:, None, None] * np.array([1.0, 0.5, 0.8])).astype(np.uint8)
    images = np.broadcast_to(smooth, (5, 9, 2, 32, 32, 3)).copy()
    images[..., 8:20, 8:20, :] = 10 * np.arange(9, dtype=np.uint8)[:, None, None, None, None]
    images[:, :, 1] = 255 - images[:, :, 1]
    last = np.minimum(np.arange(9), np.array([8, 3, 8, 1, 5])[:, None])
    before = written(tmp_path / "episodes", images=images[np.arange(5)[:, None], last])
    assert main(["data", "to-lerobot", str(tmp_path / "episodes"), "--out", str(tmp_path / "set")]) == 0
    assert main(["data", "from-lerobot", str(tmp_path / "set"), "--out", str(tmp_path / "back")]) == 0
    after = read_episodes(tmp_path / "back")
    assert_same(after, before, but=("images",))
    off = (np.asarray(after.images).astype(float) - before.images) ** 2
    assert 10 * np.log10(255.0**2 / off.mean(axis=(3, 4, 5)).max()) > LEAST_PSNR_DB


@pytest.mark.parametrize("kind", ["image", "video"])
def test_many_small_files_read_as_one_large_one(tmp_path, monkeypatch, kind):
    def small(*args, **options):
        return DatasetWriter(*args, **options, data_mb=0.0, video_mb=0.0)

    monkeypatch.setattr(from_episodes, "DatasetWriter", small)
    before = written(tmp_path / "episodes")
    from_episodes.write_dataset(before, tmp_path / "set", kind)
    assert len([*tmp_path.glob("set/data/*/*.parquet")]) == len(before)
    if kind == "video":
        assert len([*tmp_path.glob("set/videos/observation.images.side/chunk-000/*.mp4")]) > 2
    assert main(["data", "from-lerobot", str(tmp_path / "set"), "--out", str(tmp_path / "back")]) == 0
    assert_same(read_episodes(tmp_path / "back"), before, but=("images",) if kind == "video" else ())


def test_a_view_with_a_slash_in_its_name_keeps_it(tmp_path):
    before = replace(episodes(2, 3), views=("front", "wrist/left"))
    from_episodes.write_dataset(before, tmp_path / "set", "image")
    assert main(["data", "from-lerobot", str(tmp_path / "set"), "--out", str(tmp_path / "back")]) == 0
    assert read_episodes(tmp_path / "back").views == ("front", "wrist/left")


def test_the_arm_is_asked_for_nothing_in_the_row_after_the_last_action(tmp_path):
    before = written(tmp_path / "episodes")
    from_episodes.write_dataset(before, tmp_path / "set", "image")
    table = pq.read_table(tmp_path / "set/data/chunk-000/file-000.parquet")
    of_second = [row for row in table.to_pylist() if row["episode_index"] == 1]
    assert len(of_second) == before.lengths[1] + 1 and not any(of_second[-1]["action"])
    assert [row["next.success"] for row in table.to_pylist() if row["episode_index"] == 0] == [False] * 8 + [True]
    assert [row["timestamp"] for row in of_second] == [0.0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        ({"time_step_s": 0.3}, "image", "whole number of them"),
        ({"images": np.zeros((5, 9, 2, 33, 32, 3), np.uint8)}, "video", "--pictures image"),
        ({"views": ("wrist.left", "wrist/left")}, "image", "rename one"),
    ],
)
def test_what_the_format_cannot_hold_is_refused_and_leaves_nothing(tmp_path, capsys, changes, kind, says):
    written(tmp_path / "episodes", **changes)
    call = ["data", "to-lerobot", str(tmp_path / "episodes"), "--out", str(tmp_path / "set"), "--pictures", kind]
    assert main(call) == 2
    assert says in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["episodes"]


def test_nothing_is_written_over(tmp_path, capsys):
    written(tmp_path / "episodes")
    for call in (["to-lerobot", str(tmp_path / "episodes")], ["from-lerobot", str(tmp_path / "set")]):
        assert main(["data", *call, "--out", str(tmp_path / ("set" if call[0] == "to-lerobot" else "back"))]) == 0
        assert main(["data", *call, "--out", str(tmp_path / "episodes")]) == 2
        assert "is there already" in capsys.readouterr().err
    assert len(read_episodes(tmp_path / "episodes")) == 5


def saved_goals(root: Path) -> GoalLibrary:
    library = GoalLibrary("panda", "panda 1.0 (small): front, wrist/left", ("front", "wrist/left"), root)
    rng = np.random.default_rng(0)
    for name, moments in (("in_the_box", 1), ("tower", 3)):
        for number in range(moments):
            shown = [rng.integers(0, 256, size, dtype=np.uint8) for size in ((24, 33, 3), (16, 16, 3))]
            library.save(name, shown, ["front_optical", ""], 1000.5 + number, append=number > 0)
    return library


def test_goals_go_there_and_back_to_the_pixel(tmp_path, capsys):
    before = saved_goals(tmp_path / "one")
    assert main(["data", "to-lerobot", "--goals", str(before.folder), "--out", str(tmp_path / "set")]) == 0
    back = tmp_path / "other" / "panda"
    assert main(["data", "from-lerobot", str(tmp_path / "set"), "--goals", str(back)]) == 0
    assert "2 goals saved" in capsys.readouterr().out
    after = GoalLibrary("panda", "panda 1.0 (small): front, wrist/left", ("front", "wrist/left"), tmp_path / "other")
    assert after.names() == ["in_the_box", "tower"]
    for name in after.names():
        assert after.notes(name) == before.notes(name)
        for one, other in zip(after.load(name).moments, before.load(name).moments, strict=True):
            for shown, expected in zip(one, other, strict=True):
                np.testing.assert_array_equal(shown, expected)
    assert main(["data", "from-lerobot", str(tmp_path / "set"), "--goals", str(back)]) == 2
    assert "is there already" in capsys.readouterr().err


def test_goals_of_two_models_are_no_dataset_and_episodes_hold_no_goals(tmp_path, capsys):
    library = saved_goals(tmp_path / "one")
    other = GoalLibrary("panda", "another model", ("front",), tmp_path / "one")
    other.save("alien", [np.zeros((8, 8, 3), np.uint8)], [""], 0.0)
    assert main(["data", "to-lerobot", "--goals", str(library.folder), "--out", str(tmp_path / "set")]) == 2
    assert "one model's" in capsys.readouterr().err
    from_episodes.write_dataset(episodes(1, 2), tmp_path / "set", "image")
    assert main(["data", "from-lerobot", str(tmp_path / "set"), "--goals", str(tmp_path / "goals")]) == 2
    assert "holds no goals" in capsys.readouterr().err
    for call in ([], [str(tmp_path), "--goals", str(tmp_path)]):
        assert main(["data", "to-lerobot", *call, "--out", str(tmp_path / "x")]) == 2
        assert "folders of episodes, or --goals" in capsys.readouterr().err
