import logging

import pytest
import torch
import torch.nn.functional as F

from jepa_planner.world_model.rollouts import compiled_kernels, delta_kernels
from jepa_planner.world_model.rollouts.compiled_kernels import CompiledKernels, best_kernels
from jepa_planner.world_model.rollouts.int8_linear import ZERO

C, N, HEADS, SIZE, STEPS = 3, 10, 2, 16, 2
WIDTH = HEADS * SIZE


@pytest.fixture(scope="module")
def compiled() -> CompiledKernels:
    if (kernels := best_kernels()) is delta_kernels:
        pytest.skip("there is no C++ compiler")
    return kernels


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def steps(*shape: int) -> torch.Tensor:
    return 0.1 + numbers(*shape, 1).abs()


NORM = (1.0 + 0.1 * numbers(WIDTH), numbers(WIDTH), 1e-6)
CHANGE = (numbers(C, N, WIDTH), steps(C, N), numbers(1, N, WIDTH))
GIVEN = {
    "normed": (numbers(C, N, WIDTH), *NORM, numbers(1, N, WIDTH)),
    "added": (numbers(C, N, WIDTH), *CHANGE),
    "added_and_normed": (numbers(C, N + 2, WIDTH)[:, 2:], *CHANGE, *NORM, numbers(1, N, WIDTH)),
    "placed": (
        numbers(C, N, 3 * WIDTH), steps(C, N), numbers(1, N, 3 * WIDTH), numbers(N, SIZE), numbers(N, SIZE),
        *(numbers(C, HEADS, STEPS * N, SIZE)[:, :, N:] for _ in range(2)), N - 2,
    ),
    "attended": (
        numbers(C, HEADS, N - 2, SIZE), *(numbers(C + 1, HEADS, STEPS * N, SIZE)[:C] for _ in range(2)),
        numbers(1, N - 2, WIDTH),
    ),
    "activated": (numbers(C, N, 4 * WIDTH), steps(C, N), numbers(1, N, 4 * WIDTH), numbers(1, N, 4 * WIDTH)),
}  # fmt: skip


@pytest.mark.parametrize("name", GIVEN)
def test_each_kernel_does_what_its_namesake_in_torch_does(compiled, name):
    found = []
    for kernels in (delta_kernels, compiled):
        given = [x.clone() if isinstance(x, torch.Tensor) and x.is_contiguous() else x for x in GIVEN[name]]
        if name == "placed":  # which writes into the memory
            given[5:7] = (numbers(C, HEADS, STEPS * N, SIZE)[:, :, N:] for _ in range(2))
        answer = getattr(kernels, name)(*given)
        found.append([*(answer if isinstance(answer, tuple) else (answer,)), *(given[5:7] if name == "placed" else ())])
    for expected, got in zip(*found, strict=True):
        assert got.shape == expected.shape and got.dtype == expected.dtype
        tolerance = 1.0 if got.dtype == torch.uint8 else 2e-5  # a byte may round the other way
        assert (got.float() - expected.float()).abs().max() <= tolerance


def test_the_activation_is_gelu_far_out_too():
    x = torch.linspace(-20.0, 20.0, 4001)
    assert torch.allclose(delta_kernels.gelu(x), F.gelu(x), atol=5e-6)


def test_no_difference_at_all_is_the_byte_for_zero(compiled):
    nothing = torch.zeros(1, N, WIDTH)
    for kernels in (delta_kernels, compiled):
        same, step = kernels.activated(nothing, steps(1, N), nothing, nothing)
        assert (same == ZERO).all()
        assert (step > 0.0).all() and step.max() < 1e-6


@pytest.mark.parametrize("compiler", ["no-such-compiler", "false"])
def test_without_a_compiler_torch_does_it_and_a_warning_says_so(monkeypatch, caplog, compiler):
    monkeypatch.setenv("CXX", compiler)
    compiled_kernels.best_kernels.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            assert best_kernels() is delta_kernels
        assert "without a C++ compiler" in caplog.text
    finally:
        compiled_kernels.best_kernels.cache_clear()


def test_loading_them_leaves_tiny_numbers_of_the_process_alone(compiled):
    assert 5e-324 > 0.0
    assert float(torch.tensor(1e-40) / 2.0) > 0.0
