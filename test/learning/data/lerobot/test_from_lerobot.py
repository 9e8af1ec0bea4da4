"""Datasets that others write, read by the verb: what is taken, at which times, and what is asked for."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from foreign_dataset import FRONT, row_shown, write_foreign
from scipy.spatial.transform import Rotation

from jepa_planner.cli.main import main
from jepa_planner.control.limits import SafetyLimits, shipped_config
from jepa_planner.learning.data.episodes import read_episodes

BY_LEROBOT = Path(__file__).parents[3] / "data" / "lerobot_0_4_4"
"""Written by lerobot 0.4.4: 12, 9 and 15 rows, 10 per second, in one AV1 video."""
STATE, ACTION = "observation.state", "action"
NAMES = ["x", "y", "z", "roll", "pitch", "yaw", "gripper"]
STEP = ("--time-step", "0.25")


def poses(count: int, seed: int = 0) -> np.ndarray:
    """Of an arm that wanders [count, 7], the last number a gripper in mm, 80 open and 0 closed."""
    rng = np.random.default_rng(seed)
    moved = np.cumsum(rng.normal(0.0, [0.01] * 3 + [0.02] * 3 + [0.0], (count, 7)), axis=0)
    moved[:, 6] = np.where(np.arange(count) % 8 < 4, 80.0, 20.0)
    return (moved + np.array([0.4, 0.0, 0.3, 3.0, 0.1, -0.5, 0.0])).astype(np.float32)


def absolute(counts: tuple[int, ...] = (11, 16)) -> list[dict[str, np.ndarray]]:
    """Episodes whose action is the pose of the next row."""
    walks = [poses(count + 1, seed) for seed, count in enumerate(counts)]
    return [{STATE: walk[:-1].copy(), ACTION: walk[1:].copy()} for walk in walks]


def read(root: Path, *options: str) -> int:
    return main(["data", "from-lerobot", str(root), "--out", str(root.parent / "episodes"), *options])


def rotations(rpy: np.ndarray) -> Rotation:
    return Rotation.from_euler("xyz", rpy)


@pytest.mark.parametrize("pictures", ["video", "image"])
def test_each_step_shows_the_last_row_before_it_and_never_one_after(tmp_path, capsys, pictures):
    root = write_foreign(
        tmp_path / "set", absolute(), {STATE: NAMES, ACTION: NAMES}, tasks=["push", "lift"], pictures=pictures
    )
    assert read(root, *STEP, "--gripper", "80", "0") == 0
    said = capsys.readouterr().out
    assert "last before it, up to 50 ms old" in said
    assert "targets, of which the changes are taken; in the middle the arm missed them by 0% of a step\n" in said
    got = read_episodes(tmp_path / "episodes")
    rows = np.array([0, 2, 5, 7, 10, 12, 15])
    assert got.lengths.tolist() == [4, 6] and got.tasks == ("push", "lift") and got.success.tolist() == [-1, -1]
    for episode, length in enumerate(got.lengths):
        shown = [row_shown(np.asarray(got.images[episode])[frame, 0]) for frame in range(7)]
        assert shown == [(episode, rows[min(frame, length)]) for frame in range(7)]
        own = absolute()[episode][STATE]
        np.testing.assert_array_equal(got.states[episode, : length + 1, :6], own[rows[: length + 1], :6])
        rest = got.states[episode, length:]
        np.testing.assert_array_equal(rest, rest[:1].repeat(len(rest), axis=0))
        assert not got.actions[episode, length:].any()


def test_changes_of_targets_are_the_actions_and_lead_from_state_to_state(tmp_path):
    root = write_foreign(tmp_path / "set", absolute(), {STATE: NAMES, ACTION: NAMES})
    assert read(root, *STEP, "--gripper", "80", "0") == 0
    got = read_episodes(tmp_path / "episodes")
    own = absolute()[1][STATE]
    turned = rotations(got.actions[1, :, 3:6]) * rotations(got.states[1, :-1, 3:6])
    np.testing.assert_allclose(got.states[1, :-1, :3] + got.actions[1, :, :3], got.states[1, 1:, :3], atol=1e-6)
    np.testing.assert_allclose((turned.inv() * rotations(got.states[1, 1:, 3:6])).magnitude(), 0.0, atol=1e-5)
    closed = (80.0 - own[[0, 2, 5, 7, 10, 12, 15], 6]) / 80.0
    np.testing.assert_allclose(got.states[1, :, 7], closed, atol=1e-6)
    np.testing.assert_allclose(got.states[1, :, 6], closed, atol=1e-6)  # told in the row before, done in this one
    np.testing.assert_allclose(got.actions[1, :, 6], np.diff(closed), atol=1e-6)


def test_an_arm_that_does_not_follow_what_it_is_told_is_told_of(tmp_path, capsys):
    episodes = absolute()
    for episode in episodes:  # as where a table stops it
        episode[ACTION][::2, 2] -= 0.03
    root = write_foreign(tmp_path / "set", episodes, {STATE: NAMES, ACTION: NAMES})
    assert read(root, *STEP, "--gripper", "80", "0") == 0
    assert "it hardly follows them, so try --actions states" in capsys.readouterr().out


def test_small_changes_add_up_to_the_one_of_a_step(tmp_path, capsys):
    episodes = absolute()
    names = ["delta_x", "delta_y", "delta_z", "delta_roll", "delta_pitch", "delta_yaw", "gripper"]
    for episode in episodes:
        state, target = episode[STATE], episode[ACTION].copy()
        turn = (rotations(target[:, 3:6]) * rotations(state[:, 3:6]).inv()).as_euler("xyz")
        target[:, :6] = np.column_stack([target[:, :3] - state[:, :3], turn])
        episode[ACTION] = target
    root = write_foreign(tmp_path / "set", episodes, {STATE: NAMES, ACTION: names})
    assert read(root, *STEP, "--gripper", "80", "0") == 0
    assert "changes, added up" in capsys.readouterr().out
    got = read_episodes(tmp_path / "episodes")
    turned = rotations(got.actions[1, :, 3:6]) * rotations(got.states[1, :-1, 3:6])
    np.testing.assert_allclose(got.states[1, :-1, :3] + got.actions[1, :, :3], got.states[1, 1:, :3], atol=1e-6)
    np.testing.assert_allclose((turned.inv() * rotations(got.states[1, 1:, 3:6])).magnitude(), 0.0, atol=1e-5)


@pytest.mark.parametrize("unit", ["rad", "deg"])
def test_joints_are_placed_by_the_arms_kinematics(tmp_path, capsys, unit):
    limits = SafetyLimits.panda()
    arm, count = limits.kinematics(), 12
    q_rad = np.array(limits.posture_rad) + 0.02 * np.arange(count)[:, None]
    factor = 1.0 if unit == "rad" else 180 / np.pi
    rows = np.column_stack([q_rad * factor, np.where(np.arange(count) < 6, 0.04, 0.01)]).astype(np.float32)
    names = {STATE: {"motors": [f"{name}.pos" for name in (*arm.joint_names, "panda_finger_joint1")]}}
    root = write_foreign(tmp_path / "set", [{STATE: rows}], names)
    told = ["--limits", str(shipped_config("panda_limits.yaml")), *(["--angles", "deg"] if unit == "deg" else [])]
    assert read(root, "--time-step", "0.1", *told) == 0
    assert "tcp in panda_link0" in capsys.readouterr().out
    got = read_episodes(tmp_path / "episodes")
    placed = [arm.tcp_pose(q) for q in q_rad]
    np.testing.assert_allclose(got.states[0, :, :3], [xyz for xyz, _ in placed], atol=1e-5)
    turned = Rotation.from_matrix([rotation for _, rotation in placed])
    np.testing.assert_allclose((rotations(got.states[0, :, 3:6]).inv() * turned).magnitude(), 0.0, atol=1e-5)
    np.testing.assert_allclose(got.states[0, :, 7], np.where(np.arange(count) < 6, 0.0, 0.75), atol=1e-6)
    np.testing.assert_allclose(got.actions[0, :, :3], np.diff(got.states[0, :, :3], axis=0), atol=1e-6)
    assert (got.frame, got.tcp_frame) == ("panda_link0", "tcp")


def test_what_lerobot_wrote_is_read(tmp_path, capsys):
    out = ["--out", str(tmp_path / "episodes"), "--time-step", "0.2", "--gripper", "0", "40", "--base-frame", "base"]
    assert main(["data", "from-lerobot", str(BY_LEROBOT), *out, "--tcp-frame", "tool0", "--size", "16"]) == 0
    assert "2 yes, 1 no, 0 not told" in capsys.readouterr().out
    got = read_episodes(tmp_path / "episodes")
    assert got.lengths.tolist() == [5, 4, 7] and got.success.tolist() == [1, 0, 1]
    assert got.tasks == ("lift the cube", "push it", "lift the cube")
    assert (got.frame, got.tcp_frame) == ("base", "tool0")
    assert got.images.shape == (3, 8, 1, 16, 16, 3)
    for episode, length in enumerate(got.lengths):
        for frame in range(8):
            red, green, _ = np.asarray(got.images[episode])[frame, 0].mean(axis=(0, 1))
            assert abs(red - (80 * episode + 40)) < 8 and abs(green - (24 * min(frame, length) + 30)) < 8
        np.testing.assert_allclose(got.actions[episode, :length, 0], 0.02, atol=1e-6)


def test_a_mapping_names_channels_of_several_features_in_other_units(tmp_path):
    walk = poses(9)
    quaternions = rotations(walk[:, 3:6]).as_quat()[:, [3, 0, 1, 2]].astype(np.float32)
    flags = np.arange(9) == 4
    numbers = {"observation.place": walk[:, :3] * 1000, "observation.turn": quaternions, "done": flags}
    root = write_foreign(tmp_path / "set", [numbers], {})
    mapping = {
        "views": {"table": FRONT}, "success": "done", "frame": "base", "tcp_frame": "tool0",
        "state": {
            "position": [f"observation.place/{number}" for number in range(3)], "metres_per_unit": 0.001,
            "orientation": [f"observation.turn/{number}" for number in range(4)], "orientation_is": "quaternion_wxyz",
        },
    }  # fmt: skip
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump(mapping))
    assert read(root, "--time-step", "0.1", "--mapping", str(tmp_path / "mapping.yaml")) == 0
    got = read_episodes(tmp_path / "episodes")
    np.testing.assert_allclose(got.states[0, :, :3], walk[:, :3], atol=1e-5)
    off = rotations(got.states[0, :, 3:6]).inv() * rotations(walk[:, 3:6])
    np.testing.assert_allclose(off.magnitude(), 0.0, atol=1e-5)
    assert got.views == ("table",) and got.success.tolist() == [1] and not got.states[..., 6:].any()
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump(mapping | {"veiws": {}}))
    assert read(root, "--mapping", str(tmp_path / "mapping.yaml")) == 2


def test_the_mapping_that_was_used_reads_the_same_again(tmp_path):
    root = write_foreign(tmp_path / "set", absolute(), {STATE: NAMES, ACTION: NAMES})
    assert read(root, *STEP, "--gripper", "80", "0") == 0
    again = ["--out", str(tmp_path / "again"), "--mapping", str(tmp_path / "episodes/lerobot.yaml"), *STEP]
    assert main(["data", "from-lerobot", str(root), *again]) == 0
    one, other = read_episodes(tmp_path / "episodes"), read_episodes(tmp_path / "again")
    np.testing.assert_array_equal(one.states, other.states)
    np.testing.assert_array_equal(one.actions, other.actions)


def test_views_are_chosen_ordered_and_brought_to_one_size(tmp_path, capsys):
    sizes = {FRONT: (32, 48), "observation.images.wrist": (24, 24)}
    root = write_foreign(tmp_path / "set", absolute(), {STATE: NAMES, ACTION: NAMES}, sizes=sizes)
    options = (*STEP, "--gripper", "80", "0")
    assert read(root, *options) == 2
    assert "--size PX" in capsys.readouterr().err
    assert read(root, *options, "--views", "top") == 2
    assert "no such view; there are front" in capsys.readouterr().err
    assert read(root, *options, "--size", "20", "--views", "wrist", "table=observation.images.front") == 0
    got = read_episodes(tmp_path / "episodes")
    assert got.views == ("wrist", "table") and got.images.shape[2:] == (2, 20, 20, 3)


def renamed(*names: str) -> dict[str, list[str]]:
    return {STATE: [*names, *NAMES[len(names) :]], ACTION: NAMES}


@pytest.mark.parametrize(
    ("names", "options", "says"),
    [
        ({STATE: NAMES, ACTION: NAMES}, [], "--time-step S"),
        ({STATE: NAMES, ACTION: NAMES}, STEP, "--gripper OPEN CLOSED"),
        ({STATE: NAMES, ACTION: NAMES}, [*STEP, "--gripper", "80", "60"], "far beyond 80 (open) to 60 (closed)"),
        (renamed("a", "b", "c"), STEP, "--mapping FILE"),
        (renamed("x", "y", "z", "rx", "ry", "rz"), STEP, "--orientation rpy"),
        (renamed("x", "y", "z", "u", "v", "w"), STEP, "name the orientation in a mapping"),
        (renamed("x", "x", "z", "roll", "pitch", "y"), STEP, "orientation in a mapping"),
        ({STATE: NAMES}, [*STEP, "--gripper", "80", "0", "--actions", "delta"], "no action is known by name"),
        ({STATE: NAMES, ACTION: NAMES}, ["--time-step", "0.05", "--gripper", "80", "0"], "more slowly than steps"),
        ({STATE: NAMES, ACTION: NAMES}, ["--time-step", "9", "--gripper", "80", "0"], "no episode lasts for a step"),
        ({STATE: NAMES, ACTION: NAMES}, [*STEP, "--gripper", "80", "0", "--leave-out", "2"], "episodes are 0 to 1"),
        ({STATE: NAMES, ACTION: NAMES}, [*STEP, "--gripper", "80", "0", "--leave-out", "0", "1"], "no episode is left"),
    ],
)  # fmt: skip
def test_what_cannot_be_known_is_asked_for_by_name(tmp_path, capsys, names, options, says):
    root = write_foreign(tmp_path / "set", absolute(), names)
    assert read(root, *options) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "episodes").exists()


def test_angles_and_actions_that_may_be_either_are_asked_for(tmp_path, capsys):
    episodes = absolute()
    for episode in episodes:
        episode[STATE][:, 3:6] *= 0.1
        episode[ACTION][:, :3] *= 20.0
    root = write_foreign(tmp_path / "set", episodes, {STATE: NAMES, ACTION: NAMES})
    assert read(root, *STEP, "--gripper", "80", "0") == 2
    assert "--angles rad or --angles deg" in capsys.readouterr().err
    assert read(root, *STEP, "--gripper", "80", "0", "--angles", "rad") == 2
    assert "--actions states" in capsys.readouterr().err
    assert read(root, *STEP, "--gripper", "80", "0", "--angles", "rad", "--actions", "states") == 0
    assert "changes from one state to the next" in capsys.readouterr().out


def test_joints_beyond_the_arms_limits_are_refused_by_name(tmp_path, capsys):
    limits = SafetyLimits.panda()
    rows = np.tile(np.array(limits.posture_rad, np.float32), (5, 1))
    rows[3, 3] = 1.0  # the elbow, which only bends the other way
    names = {STATE: list(limits.kinematics().joint_names)}
    root = write_foreign(tmp_path / "set", [{STATE: rows}], names)
    assert read(root, "--time-step", "0.1", "--limits", str(shipped_config("panda_limits.yaml"))) == 2
    said = capsys.readouterr().err
    assert "panda_joint4 is 1 rad in row 3" in said and "--angles" in said
    assert read(root, "--time-step", "0.1") == 2
    assert "--limits" in capsys.readouterr().err


def test_what_is_found_is_shown_without_writing(tmp_path, capsys):
    root = write_foreign(tmp_path / "set", absolute(), {STATE: NAMES, ACTION: NAMES})
    assert main(["data", "from-lerobot", str(root), "--show", "--gripper", "80", "0"]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["views"] == {"front": FRONT} and shown["state"]["gripper_open"] == 80.0
