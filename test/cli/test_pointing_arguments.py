"""What a command line may point at; that the goal is pursued is tested with the nodes."""

import numpy as np
import pytest

from jepa_planner.cli import goal
from jepa_planner.cli.number_arguments import VerbParser
from jepa_planner.cli.pointing_arguments import check_pointing, clicks_of, outlined, side_by_side
from jepa_planner.pointing.pointed_goal import Clicks

VIEWS = ("front", "side")


def parsed(*words: str):
    parser = VerbParser()
    goal.add_arguments(parser)
    return parser.parse_args(list(words))


def test_a_pixel_without_a_name_is_of_the_first_view():
    assert clicks_of(["12,34"], ["50,6.5"], VIEWS) == {"front": Clicks((12, 34), (50, 6.5))}


def test_other_views_are_named_and_may_show_the_thing_alone():
    found = clicks_of(["12,34", "side:1,2"], ["front:5,6"], VIEWS)
    assert found == {"front": Clicks((12, 34), (5, 6)), "side": Clicks((1, 2))}


@pytest.mark.parametrize(
    ("picks", "places", "said"),
    [
        (["top:1,2"], ["3,4"], "--pick top:1,2: no view 'top'; views are front, side"),
        (["1,2", "front:3,4"], ["3,4"], "view front was pointed at already"),
        (["1;2"], ["3,4"], "expected a pixel as 212,148 or front:212,148"),
        (["1,2,3"], ["3,4"], "expected a pixel"),
        (["1,2"], ["side:3,4"], "--place in view side, but --pick only in front"),
    ],
)
def test_what_is_no_click_is_refused(picks, places, said):
    with pytest.raises(ValueError, match=said):
        clicks_of(picks, places, VIEWS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--pick", "1,2"), "--pick and --place go together"),
        (("--place", "1,2"), "--pick and --place go together"),
        (("a.png", "--yes"), "--yes goes with --pick and --place"),
    ],
)
def test_half_of_it_is_refused(words, said):
    with pytest.raises(ValueError, match=said):
        check_pointing(parsed(*words))


@pytest.mark.parametrize("other", [("cup",), ("--save", "cup"), ("--list",)])
def test_pointing_makes_the_goal_alone(other):
    with pytest.raises(ValueError, match=r"--pick and --place make the goal|expected one of"):
        goal.main(parsed(*other, "--pick", "1,2", "--place", "3,4"))


def test_the_preview_shows_what_was_taken_for_the_thing():
    picture, mask = np.zeros((20, 30, 3), np.uint8), np.zeros((20, 30), bool)
    mask[5:10, 5:10] = True
    drawn = outlined(picture, mask)
    assert drawn[5, 5].tolist() == [255, 255, 0] and not drawn[7, 7].any() and not picture.any()
    assert side_by_side([drawn, picture[:10]], [picture, picture]).shape == (40, 60, 3)
