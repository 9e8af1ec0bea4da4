import pytest

from jepa_planner.learning.evaluation.benchmark.linearity import fitted_line


def test_a_straight_line_is_found_with_its_offset():
    line = fitted_line((1, 2, 4, 8), (0.5, 0.7, 1.1, 1.9))
    assert (line.offset_s, line.slope_s) == pytest.approx((0.3, 0.2))
    assert line.worst == pytest.approx(0.0, abs=1e-9)


def test_one_time_that_is_off_shows_in_per_cent_of_itself():
    seconds = [float(size) for size in range(1, 9)]
    seconds[4] *= 1.3
    assert 0.15 < fitted_line(range(1, 9), seconds).worst < 0.3


def test_quadratic_growth_is_not_linear():
    assert fitted_line(range(1, 9), [size**2 for size in range(1, 9)]).worst > 0.4


def test_the_unit_of_time_does_not_matter():
    sizes, seconds = (1, 2, 3), (1.0, 2.2, 2.9)
    in_other_units = fitted_line(sizes, [1e-3 * second for second in seconds])
    assert in_other_units.worst == pytest.approx(fitted_line(sizes, seconds).worst)


@pytest.mark.parametrize(
    ("sizes", "seconds"), [((1,), (1.0,)), ((2, 2), (1.0, 1.1)), ((1, 2), (0.0, 1.0)), ((1, 2), (1.0,))]
)
def test_what_no_line_can_go_through_is_refused(sizes, seconds):
    with pytest.raises(ValueError, match="expected two or more"):
        fitted_line(sizes, seconds)
