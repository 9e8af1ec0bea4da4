"""Ten scenes with the Panda of others; `make soak` prints how each ended."""

import pytest
from pick_place import panda_bench

SCENES = range(10)
AT_LEAST = 9


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_nine_of_ten_cubes_are_put_where_the_goal_picture_shows_them(ros, tmp_path):
    with panda_bench(tmp_path) as robot:
        trials = [robot.run(seed) for seed in SCENES]
    for trial in trials:
        result = trial.result
        print(f"| {trial.seed} | {result.outcome.name} | {result.steps} steps | {100 * trial.off_m:.1f} cm off |")
    assert sum(trial.solved for trial in trials) >= AT_LEAST
