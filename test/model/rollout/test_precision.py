import logging

import pytest
import torch
from small_models import small_actions, small_context, small_predictor, small_world_model

from jepa_planner.model.rollout import precision
from jepa_planner.model.rollout.precision import (
    best_dtype,
    checked_engine,
    multiplies_bfloat16,
    rank_agreement,
    resolve_dtype,
)
from jepa_planner.model.world_model import WorldModel

BOUNDS = (0.06, 0.06, 0.06, 0.0, 0.0, 0.0, 1.0)
KINDS = pytest.mark.parametrize("kind", ["transformer", "mlp"])
AMX, BF16, VNNI = precision.AMX, precision.AVX512_BF16, precision.VNNI


@pytest.mark.parametrize(
    ("has", "expected"),
    [
        ({AMX, BF16, VNNI}, "int8"),
        ({BF16, VNNI}, "int8"),
        ({BF16}, "bfloat16"),
        ({VNNI}, "int8"),
        (set(), "float32"),
    ],
    ids=["AMX", "VNNI and AVX512-bf16", "AVX512-bf16", "VNNI", "none"],
)
def test_the_type_follows_the_processor(monkeypatch, has, expected):
    for query in (AMX, BF16, VNNI):
        monkeypatch.setattr(torch.cpu, query, lambda known=query in has: known, raising=False)
    assert best_dtype(torch.device("cpu")) == expected
    assert multiplies_bfloat16(torch.device("cpu")) == bool(has & {AMX, BF16})
    assert resolve_dtype("auto", torch.device("cpu")) == expected


def test_a_torch_that_does_not_answer_leaves_float32(monkeypatch):
    for query in (AMX, BF16, VNNI):
        monkeypatch.delattr(torch.cpu, query, raising=False)
    assert best_dtype(torch.device("cpu")) == "float32"


def test_an_unknown_type_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'float8'.*auto, float32, bfloat16, float16, int8"):
        WorldModel(*(getattr(small_world_model(), x) for x in ("contract", "encoder", "predictor")), dtype="float8")


@KINDS
def test_a_type_that_ranks_alike_is_used(kind):
    engine = checked_engine(small_predictor(kind=kind), "float16", 2, BOUNDS)
    assert engine.dtype == "float16"
    assert 0.99 <= rank_agreement(engine, small_predictor(kind=kind), 2, BOUNDS) <= 1.0


def test_a_type_that_ranks_otherwise_is_not_used_and_the_message_says_why(monkeypatch, caplog):
    monkeypatch.setattr(precision, "LEAST_RANK_CORRELATION", 1.1)
    with caplog.at_level(logging.WARNING):
        engine = checked_engine(small_predictor(), "float16", 2, BOUNDS)
    assert engine.dtype == "float32"
    assert "float16 rank candidates" in caplog.text and "float32 is used" in caplog.text


def test_a_type_that_does_not_run_here_is_not_used_and_the_message_says_why(monkeypatch, caplog):
    def missing(*given):
        raise RuntimeError("no such operation\nand much more")

    monkeypatch.setattr(precision, "rank_agreement", missing)
    with caplog.at_level(logging.WARNING):
        engine = checked_engine(small_predictor(), "bfloat16", 2, BOUNDS)
    assert engine.dtype == "float32"
    assert "no such operation); float32 is used" in caplog.text


def test_latents_that_are_not_numbers_fail_the_check():
    predictor = small_predictor()
    with torch.no_grad():
        predictor.predictor_proj.bias.fill_(torch.nan)
    assert checked_engine(predictor, "float16", 2, BOUNDS).dtype == "float32"


@KINDS
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_sixteen_bits_stay_near_float32_and_return_it(kind, dtype):
    model = small_world_model(kind=kind)
    reduced = WorldModel(model.contract, model.encoder, model.predictor, dtype=dtype)
    reduced.engine = precision.RolloutEngine(model.predictor, dtype)
    context, actions = small_context(), small_actions()
    exact, rounded = (x.rollout(context, actions) for x in (model, reduced))
    assert rounded.dtype == torch.float32
    assert 0 < (exact - rounded).abs().max() < 0.1 * exact.abs().max()
