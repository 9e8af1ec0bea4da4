"""Datasets that are damaged, incomplete or contradict themselves are refused; the file and the episode are named."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from foreign_dataset import DATA, FRONT, VIDEO, rewrite, write_foreign

from jepa_planner.cli.main import main

STATE = "observation.state"
NAMES = ["x", "y", "z", "roll", "pitch", "yaw"]
EPISODES = "meta/episodes/chunk-000/file-000.parquet"
ROWS, SHOWN = DATA.format(chunk_index=0, file_index=0), VIDEO.format(video_key=FRONT, chunk_index=0, file_index=0)


def dataset(root: Path, **options: object) -> Path:
    walk = np.linspace([0.4, 0.0, 0.2, 3.0, 0.0, 0.0], [0.5, 0.1, 0.2, 3.1, 0.1, 0.5], 24).astype(np.float32)
    return write_foreign(root, [{STATE: walk[:10]}, {STATE: walk[10:]}], {STATE: NAMES}, **options)


def read(root: Path, *options: str) -> int:
    out = str(root.parent / "episodes")
    return main(["data", "from-lerobot", str(root), "--out", out, "--time-step", "0.25", *options])


def cut(path: Path, share: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])


def info(root: Path, **changes: object) -> None:
    plain = json.loads((root / "meta/info.json").read_text())
    kept = {name: value for name, value in (plain | changes).items() if value != "gone"}
    (root / "meta/info.json").write_text(json.dumps(kept))


def not_a_number(root: Path) -> None:
    values = pq.read_table(root / ROWS).column(STATE).to_pylist()
    values[13][2] = float("nan")
    rewrite(root / ROWS, **{STATE: values})


def without(root: Path, column: str, path: str = ROWS) -> None:
    table = pq.read_table(root / path)
    pq.write_table(table.drop_columns([column]), root / path)


FAULTS = {
    "no such folder": (lambda root: (root / "meta/info.json").unlink(), "is no LeRobotDataset"),
    "info.json is no JSON": (lambda root: cut(root / "meta/info.json", 0.5), "is no LeRobotDataset"),
    "info.json is a list": (lambda root: (root / "meta/info.json").write_text("[]"), "expected a mapping"),
    "version 2.1": (lambda root: info(root, codebase_version="v2.1"), "lerobot.scripts.convert_dataset_v21_to_v30"),
    "version 4": (lambda root: info(root, codebase_version="v4.0"), "expected 'v3.0'"),
    "no version": (lambda root: info(root, codebase_version="gone"), "expected 'v3.0'"),
    "no fps": (lambda root: info(root, fps="gone"), "lacks fps"),
    "fps of nothing": (lambda root: info(root, fps=0), "expected pictures per second"),
    "features are a list": (lambda root: info(root, features=[]), "is damaged"),
    "a feature is a word": (lambda root: info(root, features={"action": "float32"}), "expected a mapping with dtype"),
    "another fps than the rows": (lambda root: info(root, fps=15), "rows come 10 times per second"),
    "a path with unknown parts": (lambda root: info(root, data_path="data/{chunk}.parquet"), "lacks chunk"),
    "the video is missing": (lambda root: (root / SHOWN).unlink(), "is missing, which shows episode 0"),
    "the video is cut": (lambda root: cut(root / SHOWN, 0.6), "is damaged or cut short"),
    "the video is text": (lambda root: (root / SHOWN).write_text("no video" * 99), "is damaged or cut short"),
    "the rows are missing": (lambda root: (root / ROWS).unlink(), "is missing: copy the whole dataset"),
    "the rows are cut": (lambda root: cut(root / ROWS, 0.7), "is damaged or cut short"),
    "the episodes are cut": (lambda root: cut(root / EPISODES, 0.7), "is damaged or cut short"),
    "the episodes are missing": (lambda root: (root / EPISODES).unlink(), "holds no episodes"),
    "the tasks are missing": (lambda root: (root / "meta/tasks.parquet").unlink(), "is missing"),
    "an episode is not listed": (lambda root: info(root, total_episodes=3), "lists 2 episodes (0 to 1)"),
    "rows are not counted": (lambda root: info(root, total_frames=25), "24 rows together"),
    "a number is none": (not_a_number, "not finite in row 3 of episode 1"),
    "an index is out of range": (lambda root: rewrite(root / EPISODES, dataset_to_index=[10, 23]), "out of range"),
    "an episode begins later": (
        lambda root: rewrite(root / EPISODES, dataset_from_index=[0, 11], dataset_to_index=[10, 25]),
        "episode 1 begins at row 11, out of range",
    ),
    "a task is out of range": (lambda root: rewrite(root / ROWS, task_index=[0] * 20 + [7] * 4), "task_index 7, out"),
    "rows are of another episode": (
        lambda root: rewrite(root / ROWS, episode_index=[0] * 12 + [1] * 12),
        "12 rows of episode 0, and meta/episodes says 10",
    ),
    "rows are out of order": (
        lambda root: rewrite(root / ROWS, frame_index=[0, 2, 1, *range(3, 10), *range(14)]),
        "frame_index is 2 in row 1 of episode 0",
    ),
    "times stand still": (
        lambda root: rewrite(root / ROWS, timestamp=[0.0, 0.1, 0.1, *np.arange(3, 10) / 10, *np.arange(14) / 10]),
        "timestamp does not grow after row 1",
    ),
    "rows are missing in time": (
        lambda root: rewrite(root / ROWS, timestamp=[*np.arange(10) / 10, *np.arange(7) / 10, *np.arange(20, 27) / 10]),
        "episode 1: no row between 0.750 and 1.000 s",
    ),
    "a column is missing": (lambda root: without(root, STATE), f"has no column {STATE}"),
    "the video's place is missing": (
        lambda root: without(root, f"videos/{FRONT}/from_timestamp", EPISODES),
        "meta/episodes lacks videos/observation.images.front/from_timestamp",
    ),
    "pictures are elsewhere": (
        lambda root: rewrite(root / EPISODES, **{f"videos/{FRONT}/from_timestamp": [0.0, 5.0]}),
        "has no picture at 5.000 s",
    ),
    "pictures are between": (
        lambda root: rewrite(root / EPISODES, **{f"videos/{FRONT}/from_timestamp": [0.0, 1.05]}),
        "from_timestamp is wrong",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_dataset_is_refused_by_name_and_leaves_nothing(tmp_path, capsys, fault):
    spoil, says = FAULTS[fault]
    root = dataset(tmp_path / "set")
    spoil(root)
    assert read(root) == 2
    said = capsys.readouterr().err
    assert says in said and "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_the_same_dataset_without_a_fault_is_read(tmp_path):
    root = dataset(tmp_path / "set")
    assert read(root) == 0


def test_a_video_of_another_rate_is_refused(tmp_path, capsys):
    root = dataset(tmp_path / "set", video_fps=5)
    assert read(root) == 2
    assert "shows 5 pictures per second, and meta/info.json says fps 10" in capsys.readouterr().err


def test_pictures_that_are_damaged_or_elsewhere_are_refused(tmp_path, capsys):
    root = dataset(tmp_path / "set", pictures="image")
    for spoilt, says in (({"bytes": b"\x89PNG no", "path": None}, "cannot read the picture"),
                         ({"bytes": None, "path": "gone.png"}, "holds no picture and no path to one")):  # fmt: skip
        rewrite(root / ROWS, **{FRONT: [spoilt] * 24})
        assert read(root) == 2
        said = capsys.readouterr().err
        assert says in said and "row 0 of episode 0" in said


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ("state: {position: [a/x, a/y, a/z], orientation: ['0', '0', '0']}", "missing field views"),
        ("views: {}\nstate: {position: [observation.state/x], orientation: []}", "position has 1 channels"),
        ("views: {}\nstate: {position: [], orientation: []}", "expected position and orientation, or joints"),
        ("views: {}\nstate: {joints: [a/0], metres_per_unit: 0}", "metres_per_unit is 0"),
        ("views: {}\nstate: {joints: [a/0]}", "names no view"),
        ("views: {front: cam}\nstate: {joints: [a/0]}", "no feature 'cam'; it has observation.state"),
        ("views: {front: observation.state}\nstate: {joints: [a/0]}", "shows no colours"),
        ("views: {front: observation.images.front}\nstate: {joints: [a/0]}", "no feature 'a'"),
        ("views: {front: observation.images.front}\nstate: {joints: [observation.state/q]}", "no such number"),
        ("views: {front: observation.images.front}\nstate: {joints: [observation.state/6]}", "no such number"),
        ("views: {front: observation.images.front}\nstate: {joints: [observation.images.front/0]}", "no row of"),
        ("views: {front: observation.images.front}\nstate: {joints: [observation.state/x]}", "--limits"),
        ("views: {front: observation.images.front}\nsuccess: won\nstate: {joints: [observation.state/x]}", "'won'"),
        ("views: {front: observation.images.front}\nstate: {position: [observation.state/0, observation.state/1, "
         "observation.state/2], orientation: [observation.state/3, '0', '0', '0'], orientation_is: quaternion_xyzw}",
         "expected a quaternion of length 1"),
        ("[", "mapping.yaml"),
    ],
)  # fmt: skip
def test_a_mapping_that_does_not_fit_is_refused(tmp_path, capsys, mapping, says):
    root = dataset(tmp_path / "set")
    (tmp_path / "mapping.yaml").write_text(mapping)
    assert read(root, "--mapping", str(tmp_path / "mapping.yaml")) == 2
    assert says in capsys.readouterr().err
