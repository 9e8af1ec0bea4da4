"""Things are shown where the simulator says that they are, and pointing is tried as a person would."""

import json

import numpy as np
import pytest
from tiny_dense import dense_bundle

from jepa_planner.pointing.sight import Sight
from jepa_planner_sim.world import World
from studies.__main__ import main
from studies.pointing.found_masks import by_colour, middle, overlap, overlaps
from studies.pointing.pointed_policy import calibration
from studies.pointing.shown_things import shown_things


@pytest.fixture(scope="module")
def dense(tmp_path_factory) -> str:
    return dense_bundle(tmp_path_factory.mktemp("dense"))


def test_the_thing_is_red_where_its_mask_is_and_colour_finds_it_in_every_picture():
    scenes = list(shown_things(frozenset(), 2, 500_000))
    for first, second in scenes:
        for moment in (first, second):
            inside = moment.pictures[moment.things]
            assert np.median(inside[:, 0]) > 100 > np.median(inside[:, 1])
            assert not (moment.things & moment.grippers).any()
        assert not np.array_equal(first.things, second.things)
    found = overlaps(by_colour(32.0), scenes)
    assert min(map(min, found.values())) > 0.8


def test_the_simulator_s_cameras_see_the_cube_where_a_calibration_says():
    world = World(image_size_px=128)
    try:
        mask = world.shown_bodies("side")[0][0]
        row, column = np.argwhere(mask).mean(axis=0)
        expected = Sight(calibration(world, "side", 128), (128, 128)).pixel(world.object_pose()[0])
        assert (column, row) == pytest.approx(expected, abs=2.0)
    finally:
        world.close()


def test_the_middle_of_a_mask_is_in_it():
    ring = np.zeros((20, 20), bool)
    ring[2:18, 2:18] = True
    ring[5:15, 5:15] = False
    assert ring[middle(ring)] and overlap(ring, ring) == 1.0 and overlap(ring, ~ring) == 0.0


def test_masks_are_measured_beside_their_floors(dense, capsys, tmp_path):
    words = ["pointing", "--dense", dense, "--episodes", "2", "--seed", "500000", "--json", str(tmp_path / "m.json")]
    assert main(words) == 0
    report = json.loads((tmp_path / "m.json").read_text())
    assert set(report) == {"scenes", "count", "seed", "encoder", "random encoder", "colour"}
    assert all(0 <= report[way]["other pictures"] <= 1 for way in ("encoder", "random encoder", "colour"))


@pytest.mark.parametrize("more", [(), ("--one-view",), ("--true-goals",)])
def test_goals_that_are_pointed_at_are_tried_in_closed_loop(dense, capsys, more):
    assert main(["pointing", "--dense", dense, "--task", "push", "--episodes", "1", "--seed", "500003", *more]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["episodes"] == 1 and report["success"] in (0, 1) and report["refused"] == []
