"""landscape and plan as a user types them, on the tiny checkpoint and on pictures of noise."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_vjepa2_ac import import_tiny
from typed import complaint

from jepa_planner.cli.main import main

STATE = ["0.5", "-2.0e-03", "0.25", "-3.06", "0.03", "-1.9", "0.5"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A bundle, two pictures, and a file of three frames in which the arm moves 4 cm along y at each step."""
    folder = tmp_path_factory.mktemp("pictures")
    import_tiny(folder / "tiny")
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (1, 3, 72, 96, 3), dtype=np.uint8)
    for name, frame in zip("abc", frames[0], strict=True):
        Image.fromarray(frame).save(folder / f"{name}.png")
    states = np.tile(np.array(STATE, np.float32), (1, 3, 1))
    states[0, :, 1] += [0.0, 0.04, 0.08]
    np.savez(folder / "frames.npz", observations=frames, states=states)
    return folder


def given(folder: Path, *more: str) -> list[str]:
    pictures = ["--image", str(folder / "a.png"), "--goal", str(folder / "b.png"), "--state", *STATE]
    return ["--model", str(folder / "tiny"), *pictures, *more]


def landscape(folder: Path, out: Path, *more: str) -> dict:
    assert main(["check", "landscape", *more, "--points", "5", "--out", str(out)]) == 0
    return json.loads((out / "landscape.json").read_text())


def refusal(capsys, *arguments: str) -> str:
    """The one line that the user reads, or the usage."""
    said = complaint(capsys, *arguments)
    assert len(said.splitlines()) == 1 or "usage" in said
    return said


def test_two_pictures_give_a_landscape_as_picture_numbers_and_words(folder, tmp_path, capsys):
    found = landscape(folder, tmp_path / "out", *given(folder, "--axes", "x", "z"))
    assert [axis["name"] for axis in found["axes"]] == ["x", "z"]
    assert found["axes"][0]["values"] == pytest.approx([-0.05, -0.025, 0.0, 0.025, 0.05])
    assert np.shape(found["energies"]) == (5, 5)
    assert found["true_action"] is None
    assert found["state"] == pytest.approx([float(number) for number in STATE])
    with Image.open(tmp_path / "out" / "landscape.png") as picture:
        assert picture.format == "PNG" and picture.width > 600
    said = capsys.readouterr().out
    assert "energy of one action over x and z, model tiny" in said
    assert "the landscape is flat" in said  # random weights do not listen to actions
    assert str(tmp_path / "out" / "landscape.png") in said


def test_the_file_of_frames_says_the_true_action_and_the_grid_reaches_around_it(folder, tmp_path, capsys):
    found = landscape(folder, tmp_path, "--model", str(folder / "tiny"), "--frames", str(folder / "frames.npz"))
    assert found["true_action"]["action"] == pytest.approx([0, 0.08, 0, 0, 0, 0, 0], abs=1e-5)
    x, y = (axis["values"][-1] for axis in found["axes"])
    assert (x, y) == pytest.approx((0.05, 0.1))
    assert "outside of the action limits, y +0.080 m (limit 0.05): 2 steps" in capsys.readouterr().out


def test_the_grid_lies_along_the_axes_that_truly_moved_unless_others_are_asked_for(folder, tmp_path):
    for action, axes in (("0 0 0", "xy"), ("0.01 0 0.03", "xz"), ("0 0.01 -0.03", "yz"), ("0.02 0.02 0", "xy")):
        true_action = [*action.split(), "0", "0", "0", "0"]
        found = landscape(folder, tmp_path, *given(folder, "--true-action", *true_action))
        assert [axis["name"] for axis in found["axes"]] == list(axes)


def test_frames_may_be_chosen(folder, tmp_path):
    chosen = ["--frames", str(folder / "frames.npz"), "--from", "2", "--to", "1", "--axes", "y"]
    found = landscape(folder, tmp_path, "--model", str(folder / "tiny"), *chosen)
    assert found["true_action"]["action"][1] == pytest.approx(-0.04, abs=1e-5)
    assert np.shape(found["energies"]) == (5,)


@pytest.mark.parametrize(
    "truth",
    [["--true-action", "0.01", "-2e-2", "0", "0", "0", "0", "0.5"],
     ["--goal-state", "0.51", "-0.022", "0.25", "-3.06", "0.03", "-1.9", "1.0"]],
)  # fmt: skip
def test_the_truth_may_be_told_as_an_action_or_as_a_state(truth, folder, tmp_path):
    found = landscape(folder, tmp_path, *given(folder, *truth))
    assert found["true_action"]["action"] == pytest.approx([0.01, -0.02, 0, 0, 0, 0, 0.5], abs=1e-5)


def test_ranges_are_for_all_axes_or_one_for_each(folder, tmp_path):
    def ends(*more: str) -> list[float]:
        found = landscape(folder, tmp_path, *given(folder, "--axes", "y", "yaw", *more))
        return [axis["values"][-1] for axis in found["axes"]]

    assert ends() == pytest.approx([0.05, 0.2])
    assert ends("--range", "0.1") == pytest.approx([0.1, 0.1])
    assert ends("--range", "0.1", "0.3") == pytest.approx([0.1, 0.3])


def test_strict_makes_an_unsound_landscape_an_error_but_writes_it_all_the_same(folder, tmp_path):
    assert main(["check", "landscape", *given(folder), "--points", "3", "--out", str(tmp_path), "--strict"]) == 1
    assert json.loads((tmp_path / "landscape.json").read_text())["sound"] is False


def test_a_plan_is_printed_with_units_and_energies_and_is_the_same_for_the_same_seed(folder, tmp_path, capsys):
    def plan(name: str, seed: str) -> dict:
        assert main(["check", "plan", *given(folder, "--seed", seed, "--json", str(tmp_path / "deep" / name))]) == 0
        return json.loads((tmp_path / "deep" / name).read_text())

    one, same, other = plan("one.json", "5"), plan("same.json", "5"), plan("other.json", "6")
    assert one["actions"] == same["actions"] != other["actions"]
    assert np.shape(one["actions"]) == (2, 7) and len(one["energies_after"]) == 2
    assert one["channels"][0] == "dx_m"
    said = capsys.readouterr().out
    assert "tiny, cem: 16 candidates x 2 iterations, seed 5" in said
    assert "step  dx m" in said and "energy after" in said
    assert f"energy now {one['energy_now']:.4g}" in said
    assert f"{one['actions'][1][2]:+.4f}" in said


def test_the_search_may_be_changed_and_nonsense_is_refused(folder, tmp_path, capsys):
    file = tmp_path / "plan.json"
    assert main(["check", "plan", *given(folder, "--horizon", "3", "--samples", "20", "--json", str(file))]) == 0
    assert len(json.loads(file.read_text())["actions"]) == 3
    assert "20 candidates" in capsys.readouterr().out
    assert main(["check", "plan", *given(folder, "--solver", "mppi", "--samples", "12")]) == 0
    assert "mppi: 12 candidates" in capsys.readouterr().out
    assert "samples is 1; it must be at least 2" in refusal(capsys, "check", "plan", *given(folder, "--samples", "1"))
    for name in ("--horizon", "--samples", "--iterations"):
        assert f"{name}: 0 given; expected 1 or more" in refusal(capsys, "check", "plan", *given(folder, name, "0"))


def test_the_same_picture_twice_needs_no_plan(folder, capsys):
    arguments = [*given(folder), "--goal", str(folder / "a.png")]
    assert main(["check", "plan", *arguments]) == 0
    assert "there is nothing to plan" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["landscape", "plan"])
@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--second-view", "a.png", "b.png"], "image.views: 2 given; this model needs 1"),
        (["--frames", "frames.npz"], "leave out --image, --goal, --state"),
        (["--bag", "bag"], "leave out --image, --goal"),
        (["--at", "1.0"], "without --bag: leave out --at"),
        (["--from", "0", "--to", "3"], "without --frames or --episodes: leave out --from, --to"),
        (["--goal", "nowhere.png"], "cannot read the picture"),
        (["--state", "0.5", "0.1"], "state.channels: 2 given; this model needs 7: x_m"),
        (["--state", "a"], "invalid float value: 'a'"),
        (["--state", "500", "0", "150", "180", "0", "-45", "0.5"], "state: x 500 m, expected at most 3 m from"),
        (["--model", "nowhere"], "no such file; a model bundle is a folder"),
    ],
)
def test_input_that_does_not_fit_is_refused_in_words(verb, more, says, folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    assert says in refusal(capsys, "check", verb, *given(folder), *more)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--axes", "w"], "axis 'w' is unknown"),
        (["--axes", "x", "y", "z"], "expected one, or two different ones"),
        (["--points", "2"], "2 grid points given"),
        (["--points", "100000"], "100000 given; expected at most 1001"),
        (["--true-action", "30", "0", "0", "0", "0", "45", "0"], "dx_m 30, expected at most 0.5; dyaw_rad 45, "),
        (["--range", "0.1", "0.1", "0.1"], "3 ranges given for 2 axes"),
        (["--range", "-0.1"], "range of axis x is -0.1"),
        (["--goal-state", "1", "2"], "states of 7 and 2 numbers"),
        (["--goal-state", "500", "0", "150", "180", "0", "-45", "0.5"], "goal state: x 500 m, expected at most 3 m"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused_in_words(more, says, folder, tmp_path, capsys):
    assert says in refusal(capsys, "check", "landscape", *given(folder), "--out", str(tmp_path / "out"), *more)
    assert not (tmp_path / "out").exists()


def test_what_is_missing_is_named(folder, capsys):
    model = ["--model", str(folder / "tiny")]
    said = refusal(capsys, "check", "plan", *model, "--image", str(folder / "a.png"))
    assert "--goal, --state missing; or give --frames, --episodes or --bag" in said
