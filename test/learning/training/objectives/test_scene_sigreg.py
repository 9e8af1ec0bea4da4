import pytest
import torch
from batches import BATCH, FRAMES, NUMBERS, encoded, gaussian, generator
from torch import Tensor

from jepa_planner.learning.training.objectives.encoded import Encoded
from jepa_planner.learning.training.objectives.scene_sigreg import SceneSigreg
from jepa_planner.learning.training.objectives.sigreg import Sigreg

TOGETHER = 8


def of_scenes(latents: Tensor, together: int = TOGETHER) -> Encoded:
    one = encoded(latents)
    return Encoded(one.latents, one.predicted, one.arm, one.arm_change, together)


def test_what_differs_between_scenes_alone_is_no_spread():
    tables = torch.randn(BATCH // TOGETHER, 1, NUMBERS, generator=generator(1)).repeat_interleave(TOGETHER, 0)
    static = of_scenes(tables.expand(-1, FRAMES, -1) + 0.01 * gaussian())
    moving = of_scenes(gaussian())
    term = SceneSigreg()
    assert term(static, generator()) > 10 * term(moving, generator())
    both = of_scenes(10.0 * tables + gaussian())
    torch.testing.assert_close(term(both, generator()), term(moving, generator()), rtol=1e-3, atol=1e-3)


def test_it_asks_no_more_of_spread_latents_than_sigreg_does():
    windows = of_scenes(gaussian())
    assert SceneSigreg()(windows, generator()) < 1.5 * Sigreg()(windows, generator())


@pytest.mark.parametrize("together", [1, 7])
def test_windows_that_share_no_scene_are_refused(together):
    with pytest.raises(ValueError, match=f"64 windows, {together} of each scene: expected at least two of each"):
        SceneSigreg()(of_scenes(gaussian(), together), generator())
