import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from jepa_planner.learning.evaluation.benchmark.subjects import FULL_SIZE, PAPER_SEARCH
from jepa_planner.learning.evaluation.benchmark.work import (
    fast_flops,
    search_flops,
    step_flops,
)
from jepa_planner.model.mlp_predictor import MlpPredictorConfig
from jepa_planner.model.predictor import ActionConditionedPredictor, PredictorConfig
from jepa_planner.model.predictors import AnyPredictorConfig, make_predictor

SMALL = PredictorConfig(latent_channels=12, grid=(2, 3), width=24, depth=2, heads=2, mlp_hidden=40)


SMALL_MLP = MlpPredictorConfig(latent_channels=12, grid=(2, 3), width=24, depth=2, mlp_hidden=40)


def counted(config: AnyPredictorConfig) -> int:
    """What torch counts for a sequence of one step of one candidate."""
    predictor = make_predictor(config).requires_grad_(False)
    given = torch.zeros(1, 1, 6, 12), torch.zeros(1, 1, 7), torch.zeros(1, 1, 7)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:  # other kernels are not counted
        predictor(*given)
    return counter.get_total_flops()


@pytest.mark.parametrize("config", [SMALL, SMALL_MLP], ids=["transformer", "mlp"])
def test_a_first_step_counts_as_torch_counts_a_sequence_of_one(config):
    assert step_flops(config, 0) == counted(config)


def test_a_step_of_an_mlp_counts_the_same_whatever_was_before():
    assert step_flops(SMALL_MLP, 0) == step_flops(SMALL_MLP, 5) == counted(SMALL_MLP)


def test_a_step_counts_as_what_torch_counts_for_a_step_with_memory():
    predictor = ActionConditionedPredictor(SMALL).requires_grad_(False)
    cache, given = predictor.new_cache(), (torch.zeros(1, 6, 12), torch.zeros(1, 7), torch.zeros(1, 7))
    for before in range(3):
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            predictor.step(*given, cache)
        # of the last layer only the latents are read: two tokens less in all but its keys and values
        spared = 2 * (2 * 24 * 24 + 2 * 2 * 24 * 40 + 2 * 2 * 24 * 8 * (before + 1))
        assert step_flops(SMALL, before) == counter.get_total_flops() + spared


def test_a_rollout_is_its_steps_after_the_past():
    assert fast_flops(SMALL, 2, past=3) == step_flops(SMALL, 3) + step_flops(SMALL, 4)


def test_a_plan_with_the_papers_settings_is_1_31_pflop():
    assert search_flops(FULL_SIZE, PAPER_SEARCH) == pytest.approx(1.31e15, rel=5e-3)
