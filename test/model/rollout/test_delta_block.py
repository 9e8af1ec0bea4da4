import pytest
import torch
from small_models import small_actions, small_context, small_predictor

from jepa_planner.model.rollout.compiled_delta_block import CompiledDeltaBlock, delta_parts
from jepa_planner.model.rollout.delta_block import DeltaBlock, DeltaLinear, DeltaLinears, DeltaParts
from jepa_planner.model.rollout.engine import RolloutEngine
from jepa_planner.model.rollout.float_block import FloatLinear
from jepa_planner.model.rollout.int8_linear import ZERO, Int8Linear
from jepa_planner.model.rollout.mlp_network import MlpNetwork

WIDE = {"transformer": {"width": 96, "heads": 3, "mlp_hidden": 192}, "mlp": {"width": 96, "mlp_hidden": 192}}
KINDS = pytest.mark.parametrize("kind", WIDE)


def runs_here() -> bool:
    try:
        Int8Linear(FloatLinear(torch.nn.Linear(8, 8), torch.float32))
    except (RuntimeError, AttributeError):
        return False
    return True


pytestmark = pytest.mark.skipif(not runs_here(), reason="this build of torch has no 8-bit products")


def whole(latents: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    return latents


def predictor(kind: str = "transformer", **changes):
    """Of the size of activations that training gives."""
    torch.manual_seed(0)
    model = small_predictor(kind=kind, **{**WIDE[kind], **changes})
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=module.in_features**-0.5)
    return model


def in_torch(network):
    if isinstance(network, MlpNetwork):
        return DeltaLinears([DeltaLinear(linear) for linear in network.linears])
    blocks = [DeltaBlock(block) for block in network.parts.blocks]
    return DeltaParts(DeltaLinear(network.embed), blocks, DeltaLinear(network.read_out))


@pytest.fixture(params=["compiled", "in torch"], autouse=True)
def blocks(request, monkeypatch):
    """Both ways to run a block."""
    if request.param == "in torch":
        monkeypatch.setattr("jepa_planner.model.rollout.engine.eight_bits_of", in_torch)
    elif not isinstance(delta_parts(RolloutEngine(predictor())._network).blocks[0], CompiledDeltaBlock):
        pytest.skip("there is no C++ compiler, or its CPU has no VNNI")


def test_bytes_are_multiplied_as_what_they_stand_for():
    linear = torch.nn.Linear(32, 16)
    bytes_in = torch.randint(0, 256, (2, 3, 32), dtype=torch.uint8)
    expected = (bytes_in.float() - ZERO) @ linear.weight.T
    assert torch.allclose(Int8Linear(FloatLinear(linear, torch.float32))(bytes_in), expected, atol=2.0)


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize(
    "changes", [{}, {"slot_embedding": False, "residual": False, "output_norm": "layernorm"}, {"kind": "mlp"}]
)
@pytest.mark.parametrize("spread", [20.0, 1.0, 0.01])
def test_candidates_are_told_apart_however_near_they_are_to_each_other(frames, changes, spread):
    model, context = predictor(**changes), small_context(frames)
    actions = small_actions(1, horizon=4) + spread * small_actions(40, horizon=4)
    exact, rough = (RolloutEngine(model, dtype).evaluate(context, actions, whole) for dtype in ("float32", "int8"))
    error, apart = (x.square().mean().sqrt() for x in (exact - rough, exact - exact.mean(dim=0)))
    assert 0.0 < error < 0.05 * apart + 1e-6


@KINDS
def test_candidates_that_are_all_alike_are_the_reference_itself(kind):
    model, context, actions = predictor(kind), small_context(2), small_actions(1, horizon=3).expand(5, -1, -1)
    exact, rough = (RolloutEngine(model, dtype).evaluate(context, actions, whole) for dtype in ("float32", "int8"))
    assert torch.allclose(exact, rough, atol=1e-4)


@KINDS
def test_an_exact_answer_is_that_of_float32_also_in_between(kind):
    model, context, actions = predictor(kind), small_context(), small_actions(20)
    engine = RolloutEngine(model, "int8")
    expected = RolloutEngine(model).evaluate(context, actions, whole)
    first = engine.evaluate(context, actions, whole)
    assert torch.allclose(engine.evaluate(context, actions, whole, exact=True), expected, atol=1e-5)
    assert torch.equal(engine.evaluate(context, actions, whole), first)
    assert not torch.equal(first, expected)


@KINDS
def test_other_candidates_a_longer_horizon_and_another_context_have_a_reference_of_their_own(kind):
    model = predictor(kind)
    engine = RolloutEngine(model, "int8")
    engine.evaluate(small_context(seed=3), small_actions(20, horizon=1), whole)
    for seed, horizon, scale in ((3, 4, 1.0), (4, 4, 1.0), (4, 4, 0.1)):
        context, actions = small_context(seed=seed), scale * small_actions(20, horizon=horizon)
        fresh = RolloutEngine(model, "int8").evaluate(context, actions, whole)
        assert torch.equal(engine.evaluate(context, actions, whole), fresh)


@KINDS
def test_chunks_and_threads_do_not_change_eight_bit_rollouts(kind):
    model, context, actions = predictor(kind), small_context(), small_actions(20)
    one, many = (
        RolloutEngine(model, "int8", chunk=chunk, threads=threads).evaluate(context, actions, whole)
        for chunk, threads in ((None, 1), (3, 2))
    )
    assert torch.allclose(one, many, atol=1e-3)


def test_weights_that_are_not_numbers_show_in_the_answer():
    model = predictor()
    with torch.no_grad():
        model.predictor_blocks[0].mlp.fc1.weight[0, 0] = torch.nan
    assert RolloutEngine(model, "int8").evaluate(small_context(), small_actions(20), whole).isnan().all()
