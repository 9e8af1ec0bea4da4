import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from small_models import small_contract
from small_planner import small_planner

from jepa_planner.learning.evaluation.camera_report import WHAT_TO_CHECK, Truth, assess
from jepa_planner.learning.evaluation.landscape_report import (
    LandscapeResult,
    as_plain_data,
    draw,
    in_words,
    model_facts,
)
from jepa_planner.learning.evaluation.picture_pair import PicturePair
from jepa_planner.planning.landscape import Landscape, grid_axis


def result(names: str = "x y", known: bool = True, true_x: float = 0.03) -> LandscapeResult:
    """A landscape that is least at x = 0.03 m and rises to both sides."""
    axes = tuple(grid_axis(name, 0.06, 5) for name in names.split())
    energies = 0.5 + np.abs(np.array(axes[0].values) - 0.03) * 20.0
    if len(axes) == 2:
        energies = energies[:, None] + np.abs(np.array(axes[1].values)) * 10.0
    landscape = Landscape(axes, energies, energy_now=1.2, energy_still=1.1)
    truth = Truth(np.array([true_x, 0, 0, 0, 0, 0, 0], np.float32), 0.6) if known else None
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (2, 2, 40, 60, 3), dtype=np.uint8)
    pair = PicturePair(*pictures, np.zeros(8, np.float32), None if truth is None else truth.action)
    contract, settings = small_contract(), small_planner()
    report = assess(landscape, truth, model_facts(contract, settings))
    return LandscapeResult(contract, settings, pair, landscape, truth, report)


def test_the_lines_say_where_the_minimum_lies_and_how_far_from_the_truth():
    said = in_words(result())
    assert "minimum      energy 0.5 at x +0.030 m, y +0.000 m" in said
    assert "true action  energy 0.6 at x +0.030 m, y +0.000 m" in said
    assert "(0.0 grid steps)" in said
    assert "no action    energy 1.1 imagined, 1.2 as seen" in said
    assert "sound: nothing speaks against planning here" in said
    assert WHAT_TO_CHECK[0] not in said


def test_an_unsound_landscape_comes_with_what_to_check():
    said = in_words(result(true_x=-0.06))
    assert "NOT SOUND" in said and "! the minimum is far from the truth" in said
    assert all(text in said for text in WHAT_TO_CHECK)


def test_without_a_truth_nothing_is_said_of_one():
    said = in_words(result(known=False))
    assert "true" not in said and "sound" in said
    data = as_plain_data(result(known=False))
    assert data["true_action"] is data["offset"] is data["offset_steps"] is None


@pytest.mark.parametrize("names", ["x", "x y", "y gripper"])
def test_the_numbers_survive_json(names):
    some = result(names)
    data = json.loads(json.dumps(as_plain_data(some)))
    assert [axis["name"] for axis in data["axes"]] == names.split()
    assert [axis["unit"] for axis in data["axes"]] == [axis.unit for axis in some.landscape.axes]
    np.testing.assert_allclose(data["energies"], some.landscape.energies)
    assert data["minimum"]["energy"] == pytest.approx(0.5)
    assert data["minimum"]["action"][some.landscape.axes[0].channel] == pytest.approx(0.03)
    assert sum(map(abs, data["minimum"]["action"])) == pytest.approx(0.03)
    assert data["sound"] is some.report.sound


def drawn(folder, some: LandscapeResult) -> np.ndarray:
    draw(some, folder / "deep" / "landscape.png")
    return np.asarray(Image.open(folder / "deep" / "landscape.png").convert("RGB"))


@pytest.mark.parametrize("names", ["x", "x y"])
def test_the_picture_shows_the_truth_where_it_is_known(names, tmp_path):
    known, unknown = drawn(tmp_path, result(names)), drawn(tmp_path, result(names, known=False))
    red = (np.abs(known.astype(int) - [255, 90, 54]).max(axis=-1) < 12).sum()
    assert red > 30
    assert (np.abs(unknown.astype(int) - [255, 90, 54]).max(axis=-1) < 12).sum() == 0


def test_the_first_axis_runs_across(tmp_path):
    """Energies that depend on x alone are upright stripes; the lowest, at x = 0.03 m, stands right of the middle."""
    some = result(known=False)
    stripes = replace(some.landscape, energies=np.tile(some.landscape.energies[:, 2:3], (1, 5)))
    picture = drawn(tmp_path, replace(some, landscape=stripes))
    darkest = np.abs(picture.astype(int) - [68, 1, 84]).max(axis=-1) < 6
    left_half = darkest[:, : picture.shape[1] // 2]
    rows, columns = np.nonzero(left_half)
    assert np.ptp(rows) > 2 * np.ptp(columns)


def test_the_picture_shows_what_the_model_sees_of_the_pictures(tmp_path):
    """Columns outside of the centre square are cut off: what is painted there does not show."""
    some = result(known=False)
    some.pair.image[:] = 0
    some.pair.image[:, :, :10] = some.pair.image[:, :, -10:] = (255, 0, 255)
    magenta = (drawn(tmp_path, some) == (255, 0, 255)).all(axis=-1).sum()
    assert magenta == 0
    some.pair.image[:, :, 25:35] = (255, 0, 255)
    assert (drawn(tmp_path, some) == (255, 0, 255)).all(axis=-1).sum() > 100
