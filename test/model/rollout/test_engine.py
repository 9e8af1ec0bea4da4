import threading

import pytest
import torch
from small_models import SLOTS, small_actions, small_context, small_predictor

from jepa_planner.core.context import Context
from jepa_planner.model.rollout.engine import RolloutEngine
from jepa_planner.model.rollout.memory import LayerMemory
from jepa_planner.model.rollout.mlp_network import SeenLatents
from jepa_planner.model.rollout.plain import plain_rollout

PATCHES = {"slot_embedding": False, "residual": False, "output_norm": "layernorm"}
KINDS = pytest.mark.parametrize("kind", ["transformer", "mlp"])


def whole(latents: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    return latents


@pytest.mark.parametrize("changes", [{}, PATCHES, {"kind": "mlp"}], ids=["slots", "patches", "mlp"])
@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize(("chunk", "threads"), [(None, 1), (1, 1), (3, 1), (2, 2), (None, 3)])
def test_the_fast_path_equals_the_plain_one_in_any_chunks_and_threads(changes, frames, chunk, threads):
    predictor, context, actions = small_predictor(**changes), small_context(frames), small_actions(7, horizon=4)
    engine = RolloutEngine(predictor, chunk=chunk, threads=threads)
    assert torch.allclose(
        engine.evaluate(context, actions, whole), plain_rollout(predictor, context, actions), atol=1e-5
    )


@KINDS
def test_one_engine_serves_changing_contexts_horizons_and_numbers_of_candidates(kind):
    predictor = small_predictor(kind=kind)
    engine = RolloutEngine(predictor, threads=2)
    for frames, horizon, candidates, seed in ((2, 3, 5, 0), (2, 3, 9, 0), (2, 1, 9, 0), (1, 3, 2, 1), (2, 3, 5, 2)):
        context, actions = small_context(frames, seed), small_actions(candidates, horizon)
        expected = plain_rollout(predictor, context, actions)
        assert torch.allclose(engine.evaluate(context, actions, whole), expected, atol=1e-5)


@KINDS
def test_the_past_is_run_once_for_equal_contexts_and_anew_for_another(kind, monkeypatch):
    engine, runs = RolloutEngine(small_predictor(kind=kind)), []
    observe = engine._network.observe
    monkeypatch.setattr(engine._network, "observe", lambda *given: (runs.append(1), observe(*given)))
    context, actions = small_context(2), small_actions()
    same = Context(context.latents.clone(), context.states.clone(), context.actions.clone())
    for given in (context, context, same):
        engine.evaluate(given, actions, whole)
    assert len(runs) == 1
    engine.evaluate(small_context(2, seed=5), actions, whole)
    assert len(runs) == 2


@pytest.mark.parametrize(("candidates", "chunks"), [(1, 1), (32, 1), (127, 1), (128, 2), (192, 3), (1000, 3)])
def test_few_candidates_of_a_small_network_are_not_worth_another_thread(candidates, chunks):
    engine = RolloutEngine(small_predictor(kind="mlp"), threads=3)
    numbers = engine.evaluate(
        small_context(), small_actions(candidates, 1), lambda latents, _: torch.ones(len(latents))
    )
    assert len(numbers) == candidates and engine._parts(candidates, 2, "float32") == chunks


@pytest.mark.parametrize("threads_of_torch", [1, 2])
def test_rollouts_on_one_thread_keep_to_one_core(threads_of_torch):
    before, seen = torch.get_num_threads(), []
    try:
        torch.set_num_threads(threads_of_torch)
        engine = RolloutEngine(small_predictor(), threads=1)
        engine.evaluate(
            small_context(), small_actions(), lambda latents, _: seen.append(torch.get_num_threads()) or latents
        )
    finally:
        torch.set_num_threads(before)
    assert seen == [1]


def test_scores_are_of_each_candidate_and_latents_are_not_kept():
    context, actions = small_context(), small_actions(candidates=7)
    engine = RolloutEngine(small_predictor(), chunk=2)
    sizes = []

    def score(latents, given):
        sizes.append(len(latents))
        return given[:, 0, 0] + 0.0 * latents.sum(dim=(1, 2, 3))

    assert torch.equal(engine.evaluate(context, actions, score), actions[:, 0, 0])
    assert sorted(sizes) == [1, 2, 2, 2]


MEMORIES = {"transformer": (LayerMemory, ("keys", "values")), "mlp": (SeenLatents, ("latents",))}


@KINDS
def test_memory_stays_under_the_bound_and_no_candidate_is_too_large(kind, monkeypatch):
    memory, parts = MEMORIES[kind]
    held, new = [0], memory.__init__

    def counting(self, *given):
        new(self, *given)
        held[0] += sum(getattr(self, part).numel() * 4 for part in parts)

    monkeypatch.setattr(memory, "__init__", counting)
    context, actions = small_context(2), small_actions(candidates=64, horizon=3)
    predictor = small_predictor(kind=kind)
    per_candidate = RolloutEngine(predictor).candidate_bytes(steps=4)
    for bound in (10 * per_candidate, 1):
        held[0] = 0
        engine = RolloutEngine(predictor, threads=2, memory_bytes=bound)
        chunks = engine.evaluate(context, actions, lambda latents, _: torch.full((len(latents),), len(latents)))
        assert held[0] <= max(bound, 2 * per_candidate)
        assert chunks.max() == max(1, bound // per_candidate // 2)


@KINDS
def test_callers_from_several_threads_get_their_own_answers(kind):
    predictor = small_predictor(kind=kind)
    engine = RolloutEngine(predictor, threads=2)
    contexts = [small_context(2, seed) for seed in range(4)]
    actions, answers = small_actions(), {}

    def call(seed: int) -> None:
        answers[seed] = [engine.evaluate(contexts[seed], actions, whole) for _ in range(5)]

    callers = [threading.Thread(target=call, args=(seed,)) for seed in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    for seed, context in enumerate(contexts):
        expected = plain_rollout(predictor, context, actions)
        assert all(torch.allclose(answer, expected, atol=1e-5) for answer in answers[seed])


def test_an_error_in_a_chunk_reaches_the_caller_and_the_engine_goes_on():
    engine = RolloutEngine(small_predictor(), chunk=1, threads=2)

    def fail(latents, actions):
        raise KeyError("no score")

    with pytest.raises(KeyError, match="no score"):
        engine.evaluate(small_context(), small_actions(), fail)
    assert engine.evaluate(small_context(), small_actions(), whole).shape[2] == SLOTS


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@KINDS
def test_recorded_kernels_on_a_gpu_equal_the_plain_path(kind):
    predictor = small_predictor(kind=kind).cuda()
    engine = RolloutEngine(predictor, chunk=4)
    for seed, candidates in ((0, 7), (1, 7), (1, 3)):
        context, actions = small_context(2, seed), small_actions(candidates)
        expected = plain_rollout(predictor, context.to("cuda"), actions.cuda())
        assert torch.allclose(engine.evaluate(context, actions, whole), expected, atol=1e-4)
