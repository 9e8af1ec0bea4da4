import pytest
import torch
from small_models import small_actions, small_context, small_predictor

from jepa_planner.world_model.rollouts.calibration import CALIBRATION_CANDIDATES
from jepa_planner.world_model.rollouts.engine import RolloutEngine
from jepa_planner.world_model.rollouts.float_block import FloatLinear
from jepa_planner.world_model.rollouts.int8_block import Grid, Int8Linear

WIDE = {"width": 96, "mlp_hidden": 192}  # the more numbers in a sum, the less the rounding of each shows


def runs_here() -> bool:
    try:
        Int8Linear(FloatLinear(torch.nn.Linear(8, 8), torch.float32))
    except (RuntimeError, AttributeError):
        return False
    return True


pytestmark = pytest.mark.skipif(not runs_here(), reason="this build of torch has no 8-bit products")


def whole(latents: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    return latents


def predictor(**changes):
    """Of the size of activations that training gives."""
    torch.manual_seed(0)
    model = small_predictor(**{**WIDE, **changes})
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=module.in_features**-0.5)
    return model


@pytest.mark.parametrize(("low", "high"), [(-3.0, 5.0), (0.5, 2.0), (-2.0, -1.0), (0.0, 0.0)])
def test_a_grid_covers_its_range_and_zero_to_half_a_step(low, high):
    grid = Grid.over(low, high)
    numbers = torch.linspace(low, high, 101)
    whole_bytes = grid.place(numbers).floor()
    assert whole_bytes.min() >= 0 and whole_bytes.max() <= 255
    assert ((whole_bytes - grid.zero) * grid.step - numbers).abs().max() <= 0.5001 * grid.step + 1e-9
    assert 0 <= grid.zero <= 255


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("changes", [{}, {"slot_embedding": False, "residual": False, "output_norm": "layernorm"}])
def test_eight_bits_stay_near_float32(frames, changes):
    model, context, actions = predictor(**changes), small_context(frames), 20.0 * small_actions(40, horizon=4)
    exact, rough = (RolloutEngine(model, dtype).evaluate(context, actions, whole) for dtype in ("float32", "int8"))
    error, size = (x.square().mean().sqrt() for x in (exact - rough, exact))
    assert 0.0 < error < 6e-3 * size


def test_what_all_candidates_share_is_not_off():
    model, context, actions = predictor(), small_context(), small_actions(CALIBRATION_CANDIDATES)
    exact, rough = (RolloutEngine(model, dtype).evaluate(context, actions, whole) for dtype in ("float32", "int8"))
    assert (exact - rough).mean(dim=0).abs().max() < 1e-5  # calibrated on just these


def test_an_exact_answer_is_that_of_float32_also_in_between():
    model, context, actions = predictor(), small_context(), small_actions(20)
    engine = RolloutEngine(model, "int8")
    expected = RolloutEngine(model).evaluate(context, actions, whole)
    first = engine.evaluate(context, actions, whole)
    assert torch.allclose(engine.evaluate(context, actions, whole, exact=True), expected, atol=1e-5)
    assert torch.equal(engine.evaluate(context, actions, whole), first)
    assert not torch.allclose(first, expected, atol=1e-5)


def test_a_longer_horizon_and_another_context_are_calibrated_anew():
    model = predictor()
    engine = RolloutEngine(model, "int8")
    engine.evaluate(small_context(seed=3), small_actions(20, horizon=1), whole)
    for seed in (3, 4):
        context, actions = small_context(seed=seed), small_actions(20, horizon=4)
        fresh = RolloutEngine(model, "int8").evaluate(context, actions, whole)
        assert torch.equal(engine.evaluate(context, actions, whole), fresh)


def test_chunks_and_threads_do_not_change_eight_bit_rollouts():
    model, context, actions = predictor(), small_context(), small_actions(20)
    one, many = (
        RolloutEngine(model, "int8", chunk=chunk, threads=threads).evaluate(context, actions, whole)
        for chunk, threads in ((None, 1), (3, 2))
    )
    assert torch.allclose(one, many, atol=2e-2)
