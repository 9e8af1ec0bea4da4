"""The shipped model on a Panda of others: their names and rates, their pictures of 640 x 480, the wall clock."""

from collections.abc import Iterator

import pytest
from pick_place import PandaBench, panda_bench


@pytest.fixture(scope="module")
def robot(ros, tmp_path_factory) -> Iterator[PandaBench]:
    with panda_bench(tmp_path_factory.mktemp("panda")) as bench:
        yield bench


@pytest.mark.parametrize("seed", [2, 4])
def test_the_cube_is_put_where_the_goal_picture_shows_it(robot, seed):
    trial = robot.run(seed)
    assert trial.solved, trial
