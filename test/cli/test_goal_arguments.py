"""What a command line may name as goals; that they are pursued is tested with the nodes."""

import numpy as np
import pytest
from PIL import Image
from typed import complaint

from jepa_planner.cli import goal
from jepa_planner.cli.goal_arguments import AskedGoal, read_goals
from jepa_planner.cli.number_arguments import VerbParser


def read(*words: str) -> list[AskedGoal]:
    parser = VerbParser()
    goal.add_arguments(parser)
    return read_goals(parser.parse_args(list(words)))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to be in, with pictures a and b, and a folder of two goal images."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "steps").mkdir()
    for grey, name in enumerate(
        ("a.png", "b.png", *(f"steps/{number}_{view}.png" for number in (1, 2) for view in ("front", "side")))
    ):
        Image.fromarray(np.full((4, 6, 3), grey, np.uint8)).save(tmp_path / name)
    return tmp_path


def greys(found: AskedGoal) -> list[int]:
    return [int(picture[0, 0, 0]) for picture in found.pictures]


def test_pictures_folders_and_names_follow_one_another_as_they_stand(here):
    picture, first, second, named = read("a.png", "steps", "cup_on_plate")
    assert (greys(picture), picture.views) == ([0], ())
    assert [greys(first), greys(second)] == [[2, 3], [4, 5]] and first.views == second.views == ("front", "side")
    assert (named.name, named.pictures) == ("cup_on_plate", ())


def test_the_second_view_belongs_to_the_same_moment(here):
    assert [greys(found) for found in read("a.png", "--second-view", "b.png")] == [[0, 1]]


def test_what_stands_on_the_disk_goes_before_a_name(here):
    (here / "cup").write_bytes((here / "b.png").read_bytes())
    assert greys(read("cup")[0]) == [1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no goal is given; expected pictures, a folder of pictures, or the name of a saved goal"),
        (("a.png", "b.png", "--second-view", "b.png"), "2 pictures but 1 of the second view"),
        (("c.png",), "cannot read the picture c.png"),
        (("--bag", "bag", "a.png"), "--bag holds the pictures: leave out other goals"),
        (("--bag", "bag", "--at", "1"), "--image-topic missing; --bag needs them"),
        (("a.png", "--at", "1"), "without --bag: leave out --at"),
        (("--save", "cup", "a.png"), "--save: expected one of --save, --list and --delete alone, or goals to send"),
        (("--save", "cup", "--list"), "--save, --list: expected one of"),
        (("a.png", "--append"), "--append goes with --save NAME"),
        (("--delete", "../cup"), "a goal cannot be called '../cup'"),
        (("--list", "--model", "nowhere"), "nowhere"),
    ],
)
def test_what_is_not_clear_is_refused_before_anything_is_sent(here, capsys, words, said):
    assert said in complaint(capsys, "goal", *words)
