import math
from dataclasses import replace

import pytest
import torch
from batches import NUMBERS, encoded, gaussian, generator
from torch import Tensor

from jepa_planner.learning.training.objectives.layouts import TellLayoutsApart

SCENES, LAYOUTS = 5, 8


def told_apart(layouts: Tensor) -> float:
    return TellLayoutsApart()(replace(encoded(gaussian()), layouts=layouts), generator()).item()


def spread() -> Tensor:
    return torch.randn(SCENES, 1, LAYOUTS, NUMBERS, generator=generator(1))


def test_layouts_that_all_look_alike_are_guessed_at():
    assert told_apart(torch.zeros(SCENES, 2, LAYOUTS, NUMBERS)) == pytest.approx(math.log(LAYOUTS), rel=1e-5)


def test_latents_that_agree_on_where_things_are_cost_nothing():
    assert told_apart(spread().expand(-1, 2, -1, -1)) < 1e-3


def test_what_a_table_looks_like_does_not_count():
    appearances = 3.0 * torch.randn(SCENES, 2, 1, NUMBERS, generator=generator(2))
    assert told_apart(spread() + appearances) < 1e-3


def test_variants_that_tell_layouts_apart_in_their_own_ways_disagree():
    own_ways = torch.randn(SCENES, 2, LAYOUTS, NUMBERS, generator=generator(3))
    assert told_apart(own_ways) > 2.0 * math.log(LAYOUTS)


def test_the_farther_apart_the_better():
    assert told_apart(0.3 * spread().expand(-1, 2, -1, -1)) > told_apart(0.6 * spread().expand(-1, 2, -1, -1)) > 1e-4


def test_without_layouts_it_says_so():
    with pytest.raises(ValueError, match="no layouts were encoded"):
        TellLayoutsApart()(encoded(gaussian()), generator())
