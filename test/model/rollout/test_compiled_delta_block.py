import logging

import pytest
import torch
from small_models import small_predictor

from jepa_planner.model.rollout import compiled_delta_block
from jepa_planner.model.rollout.compiled_delta_block import (
    CompiledDeltaBlock,
    CompiledDeltaLinear,
    delta_linears,
    delta_parts,
)
from jepa_planner.model.rollout.delta_block import (
    DeltaBlock,
    DeltaLinear,
    DeltaParts,
    ReferenceBlock,
    ReferenceLinear,
)
from jepa_planner.model.rollout.mlp_network import MlpNetwork
from jepa_planner.model.rollout.transformer_network import TransformerNetwork

STEPS = 3


def network(width: int = 64, heads: int = 2, **changes) -> TransformerNetwork:
    torch.manual_seed(0)
    return TransformerNetwork(small_predictor(width=width, heads=heads, mlp_hidden=96, **changes), torch.float32)


def compiled(steps: TransformerNetwork) -> DeltaParts:
    parts = delta_parts(steps)
    if not isinstance(parts.blocks[0], CompiledDeltaBlock):
        pytest.skip("there is no C++ compiler, or its CPU has no VNNI")
    return parts


@torch.inference_mode()
def outcomes(
    steps: TransformerNetwork, block, candidates: int, last: int
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """What a block makes of a few steps in a row, and keys and values that it leaves."""
    generator = torch.Generator().manual_seed(candidates)
    tokens, width = steps.tokens_per_step, steps.config.width
    known, shared, own = (
        ReferenceBlock(steps.parts.blocks[0]),
        steps.new_memory(1, STEPS).layers[0],
        steps.new_memory(candidates, STEPS).layers[0],
    )
    found = []
    for step in range(STEPS):
        reference = torch.randn(1, tokens, width, generator=generator)
        near = reference + 0.1 * torch.randn(candidates, tokens, width, generator=generator)
        given = steps.turn(step), shared, step * tokens, last
        known(reference, *given)
        found.append(block(known.references, near, given[0], own, *given[2:]))
    return found, [own.keys, own.values]


@pytest.mark.parametrize("candidates", [1, 7, 40])
@pytest.mark.parametrize("leaves_out", [0, 2])
@pytest.mark.parametrize("heads", [1, 2])
def test_the_compiled_block_does_what_the_one_in_torch_does(candidates, leaves_out, heads):
    steps = network(heads=heads)
    last = steps.tokens_per_step - leaves_out
    got, expected = (
        outcomes(steps, block, candidates, last)
        for block in (compiled(steps).blocks[0], DeltaBlock(steps.parts.blocks[0]))
    )
    for ours, theirs in zip([*got[0], *got[1]], [*expected[0], *expected[1]], strict=True):
        assert ours.shape == theirs.shape
        off = (ours - theirs).square().mean().sqrt()  # a byte may round the other way
        assert off < 2e-3 * theirs.std()


@torch.inference_mode()
@pytest.mark.parametrize("candidates", [1, 7, 40])
def test_the_compiled_linear_map_does_what_the_one_in_torch_does(candidates):
    steps = network(latent_channels=64)
    known = ReferenceLinear(lambda x, step: steps.read_out(x))
    reference = torch.randn(1, 9, steps.config.width)
    known(reference, 2)
    near = reference + 0.1 * torch.randn(candidates, 9, steps.config.width)
    ours, theirs = compiled(steps).read_out, DeltaLinear(steps.read_out)
    assert isinstance(ours, CompiledDeltaLinear)
    expected = theirs(known.references, near, 2)
    off = (ours(known.references, near, 2) - expected).square().mean().sqrt()
    assert off < 2e-3 * expected.std()


def test_the_maps_of_an_mlp_are_compiled_where_tiles_fit_and_in_torch_where_not(caplog):
    fitting, odd = (
        MlpNetwork(small_predictor(kind="mlp", width=width, mlp_hidden=96), torch.float32) for width in (64, 48)
    )
    compiled(network())
    kinds = [type(linear) for linear in delta_linears(fitting).linears]
    assert kinds == [*[CompiledDeltaLinear] * 5, DeltaLinear]  # 12 numbers of a latent come out
    with caplog.at_level(logging.WARNING):
        assert {type(linear) for linear in delta_linears(odd).linears} == {DeltaLinear}
    assert "a width or head size of 48 is no multiple of 32" in caplog.text


def test_ends_that_tiles_do_not_fit_stay_in_float32():
    parts = compiled(network())
    assert parts.read_out is None and isinstance(parts.embed, CompiledDeltaLinear)


def test_tokens_that_do_not_lie_in_one_piece_are_read_as_they_are():
    steps = network()
    block = compiled(steps).blocks[0]

    def apart(references, x, *given):
        return block(references, x.transpose(1, 2).contiguous().transpose(1, 2), *given)

    got, expected = (outcomes(steps, run, 7, steps.tokens_per_step)[0] for run in (apart, block))
    assert all(torch.equal(*pair) for pair in zip(got, expected, strict=True))


@pytest.mark.parametrize("compiler", ["no-such-compiler", "false"])
def test_without_a_compiler_torch_does_it_and_a_warning_says_so(monkeypatch, caplog, compiler):
    monkeypatch.setenv("CXX", compiler)
    compiled_delta_block._library.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            assert isinstance(delta_parts(network()).blocks[0], DeltaBlock)
        assert "in torch take up to twice as long" in caplog.text
    finally:
        compiled_delta_block._library.cache_clear()


def test_on_a_cpu_without_its_instructions_torch_does_it_and_the_warning_says_why(monkeypatch, caplog):
    compiled(network())
    monkeypatch.setattr(compiled_delta_block, "FLAGS", [*compiled_delta_block.FLAGS, "-mno-avx512vnni"])
    compiled_delta_block._library.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            assert isinstance(delta_parts(network()).blocks[0], DeltaBlock)
        assert "this CPU has no AVX512-VNNI" in caplog.text
    finally:
        compiled_delta_block._library.cache_clear()


def test_sizes_that_tiles_do_not_fit_are_left_to_torch(caplog):
    with caplog.at_level(logging.WARNING):
        assert isinstance(delta_parts(network(width=48)).blocks[0], DeltaBlock)
    assert "no multiple of 32" in caplog.text


def test_loading_it_leaves_tiny_numbers_of_the_process_alone():
    compiled(network())
    assert 5e-324 > 0.0
    assert float(torch.tensor(1e-40) / 2.0) > 0.0


@torch.inference_mode()
def test_it_reads_and_writes_nothing_that_is_not_its_own():
    """Candidates behind the last one, and tokens behind the newest step, stay as they were."""
    steps = network()
    block = compiled(steps).blocks[0]
    tokens, width = steps.tokens_per_step, steps.config.width
    memory, shared, known = (
        steps.new_memory(6, STEPS).layers[0],
        steps.new_memory(1, STEPS).layers[0],
        ReferenceBlock(steps.parts.blocks[0]),
    )
    memory.keys.fill_(7.0)
    memory.values.fill_(7.0)
    x = torch.randn(5, tokens, width)
    known(x[:1], steps.turn(0), shared, 0, tokens)
    block(known.references, x, steps.turn(0), memory, 0, tokens)
    for kept in (memory.keys, memory.values):
        assert (kept[5:] == 7.0).all() and (kept[:, :, tokens:] == 7.0).all()
        assert not (kept[:5, :, :tokens] == 7.0).any()
