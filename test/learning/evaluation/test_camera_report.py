"""Landscapes built with a minimum at a known place, and what is said of them."""

import re
from dataclasses import replace

import numpy as np
import pytest

from jepa_planner.core.arm_layout import AXIS_NAMES
from jepa_planner.learning.evaluation.camera_report import CameraReport, ModelFacts, Truth, assess
from jepa_planner.planning.landscape import Landscape, grid_axis

FACTS = ModelFacts(max_abs=(0.06, 0.06, 0.06, 0.0, 0.0, 0.0, 1.0), energy_scale=2.0, time_step_s=0.25)
POINTS = 13


def bowl(*centre: float, axes: str = "x y", half_range: float = 0.06, floor: float = 0.1) -> Landscape:
    """Rises with the square of the distance from `centre`, from `floor` by 1 over the whole range."""
    grid = tuple(grid_axis(name, half_range, POINTS, closure=0.5) for name in axes.split())
    places = np.meshgrid(*(axis.values for axis in grid), indexing="ij")
    rise = sum(((place - c) / half_range) ** 2 for place, c in zip(places, centre, strict=True))
    return Landscape(grid, floor + rise, energy_now=0.8, energy_still=0.8)


def truth(energy: float = 0.12, **action: float) -> Truth:
    return Truth(np.array([action.get(name, 0.0) for name in AXIS_NAMES]), energy)


def names(report: CameraReport) -> list[str]:
    return [finding.name for finding in report.findings]


def text(report: CameraReport, name: str) -> str:
    (found,) = [finding.text for finding in report.findings if finding.name == name]
    return found


def test_a_minimum_at_the_truth_is_sound():
    report = assess(bowl(0.03, -0.02), truth(x=0.03, y=-0.02), FACTS)
    assert report.sound and report.findings == ()
    assert report.offset_steps == pytest.approx(0.0, abs=1e-6)
    assert report.contrast > 1.0


def test_half_a_step_off_is_as_good_as_a_grid_can_tell():
    assert assess(bowl(0.02, 0.0), truth(x=0.0, y=0.0), FACTS).offset_steps == pytest.approx(2.0)
    report = assess(bowl(0.01, 0.0), truth(x=0.005, y=0.005), FACTS)
    assert report.sound and report.offset == pytest.approx((0.005, -0.005))


def test_a_minimum_far_from_the_truth_is_told_in_units_in_grid_steps_and_in_energy():
    report = assess(bowl(-0.01, 0.05), truth(x=0.05, y=0.02, energy=0.35), FACTS)
    assert not report.sound
    said = text(report, "far")
    assert "x -0.060 m, y +0.030 m off, 6.7 grid steps" in said
    assert "true action has energy 0.35, 3.5 times that of the minimum" in said


def test_a_minimum_that_leaves_half_of_the_way_is_near_enough():
    assert assess(bowl(0.03, 0.0), truth(x=0.05, y=0.0), FACTS).sound
    assert not assess(bowl(0.02, 0.0), truth(x=0.05, y=0.0), FACTS).sound


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ((0.05, -0.03), "the sign of y turned: the pictures may be mirrored"),
        ((-0.05, 0.03), "the sign of x turned"),
        ((-0.05, -0.03), "turned by 180 degrees: the camera may stand on the opposite side"),
        ((-0.03, 0.05), "turned by a quarter in x and y"),
        ((0.03, -0.05), "turned by a quarter in x and y"),
        ((0.0, 0.0), "lies at no action: the model does not see the motion"),
        ((0.02, 0.01), "in the true direction but 0.38 times as far: .* about 0.25 s apart"),
    ],
)
def test_a_known_mistake_is_recognised_by_where_the_minimum_lies(found, says):
    report = assess(bowl(*found), truth(x=0.05, y=0.03), FACTS)
    assert not report.sound
    assert re.search(says, text(report, "looks like"))


def test_exchanged_axes_are_recognised():
    report = assess(bowl(0.01, 0.06), truth(x=0.06, y=0.01), FACTS)
    assert "x and y exchanged: check the order" in text(report, "looks like")


def test_steps_that_are_too_long_are_recognised():
    report = assess(bowl(0.06, 0.04), truth(x=0.03, y=0.02), FACTS)
    assert "in the true direction but 2 times as far" in text(report, "looks like")


def test_a_minimum_at_a_place_that_no_mistake_explains_is_only_far():
    assert "looks like" not in names(assess(bowl(-0.06, -0.06), truth(x=0.05, y=0.0), FACTS))


def test_a_gripper_that_goes_the_wrong_way_is_called_by_its_sign():
    report = assess(bowl(-0.5, axes="gripper", half_range=1.0), truth(gripper=0.5), FACTS)
    assert not report.sound
    assert "closure must be 0 when open and 1 when closed" in text(report, "looks like")
    assert "border" not in names(report)


def test_a_flat_landscape_is_told_with_its_contrast_and_its_minimum_means_nothing():
    flat = replace(bowl(-0.05, 0.05, floor=200.0), energy_now=201.0)
    report = assess(flat, truth(x=0.05, y=-0.05, energy=200.5), FACTS)
    assert names(report) == ["flat"] and not report.sound
    assert report.contrast == pytest.approx(0.033, abs=0.001)
    assert "at least 5% is expected" in text(report, "flat")


@pytest.mark.parametrize("energy", [0.7, 0.0])
def test_energies_that_are_all_the_same_are_said_to_end_a_goal(energy):
    flat = replace(bowl(0.0, 0.0), energies=np.full((POINTS, POINTS), energy))
    assert "the model sees no difference between actions" in text(assess(flat, None, FACTS), "flat")


def test_flatness_counts_against_unrelated_pictures_too():
    flat = replace(bowl(0.0, 0.0), energies=np.full((POINTS, POINTS), 1.0) + np.eye(POINTS) * 0.02)
    assert "changes by 2.00% of its mean" in text(assess(flat, None, FACTS), "flat")
    assert "1.00% of the energy of unrelated pictures" in text(assess(flat, None, FACTS), "flat")
    assert "unrelated" not in text(assess(flat, None, replace(FACTS, energy_scale=0.0)), "flat")


def test_a_minimum_at_the_border_is_a_note_without_a_truth_and_a_problem_against_it():
    alone = assess(bowl(0.06, 0.0), None, FACTS)
    assert alone.sound and "border of the grid (+x), so the goal may be farther" in text(alone, "border")
    against = assess(bowl(-0.06, -0.06), truth(x=0.05, y=0.0), FACTS)
    assert "border of the grid (-x, -y), although the true action lies inside" in text(against, "border")
    assert [f.problem for f in against.findings if f.name == "border"] == [True]


def test_a_truth_at_the_border_explains_a_minimum_there():
    assert assess(bowl(0.06, 0.0), truth(x=0.06, y=0.0), FACTS).findings == ()


def test_a_true_action_beyond_the_limits_is_said_and_how_many_steps_it_takes():
    wide = bowl(0.09, 0.03, half_range=0.12)
    report = assess(wide, truth(x=0.09, y=0.03, yaw=0.2), FACTS)
    said = text(report, "beyond limits")
    assert "x +0.090 m (limit 0.06), yaw +0.200 rad (limit 0): 2 steps of the planner" in said
    assert report.sound


def test_a_true_rotation_that_the_model_holds_takes_no_number_of_steps():
    said = text(assess(bowl(0.0, 0.0), truth(yaw=0.2), FACTS), "beyond limits")
    assert said.endswith("yaw +0.200 rad (limit 0)")


def test_what_the_grid_holds_still_is_said_with_axes_that_show_it():
    report = assess(bowl(0.03, -0.02), truth(x=0.03, y=-0.02, z=-0.04), FACTS)
    assert "moves z -0.040 m" in text(report, "other axes") and "`--axes x z`" in text(report, "other axes")


def test_a_truth_outside_of_the_grid_is_not_compared_with():
    report = assess(bowl(0.06, 0.0), truth(x=0.15, y=0.0), FACTS)
    assert report.offset is None and report.offset_steps is None
    assert "outside of the grid in x" in text(report, "beyond grid")
    assert report.sound and "far" not in names(report)


def test_pictures_that_hardly_differ_are_told():
    landscape = replace(bowl(0.0, 0.0), energy_now=0.02)
    assert "1.0% of that of unrelated pictures" in text(assess(landscape, None, FACTS), "same picture")


def test_a_grid_without_gain_is_told():
    landscape = replace(bowl(0.0, 0.0, floor=0.9), energy_now=0.8)
    assert "(0.9) than it looks now (0.8)" in text(assess(landscape, None, FACTS), "no gain")
