"""Several predictors, real nodes over real DDS, give the energies that one gives; one that fails or is lost is done
without.
"""

import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from harness import STALE_S, Rig, under_way
from jepa_planner.srv import Rollout
from rclpy.node import Node

from jepa_planner.core.context import Context
from jepa_planner.model.world_model import WorldModel
from jepa_planner.nodes import predictor_pool
from jepa_planner.nodes.goal_executor import Ended, Outcome
from jepa_planner.nodes.models import model_id
from jepa_planner.nodes.mpc_node import MpcNode
from jepa_planner.nodes.predictor_node import PredictorNode
from jepa_planner.nodes.predictor_pool import LEAST_SHARE, PredictorPool
from jepa_planner.nodes.remote_model import ServiceTimeouts

NAMES = ("first", "second", "third")
COUNT, HORIZON = 96, 2


def predictor(rig: Rig, name: str) -> PredictorNode:
    node = PredictorNode(
        cli_args=["--ros-args", "-r", f"__node:={name}"], use_global_arguments=False, **rig.options(model=rig.bundle)
    )
    rig.run(node)
    return node


def pool(rig: Rig, *names: str, answer_s: float = 5.0) -> PredictorPool:
    caller = Node("caller", namespace=rig.namespace, use_global_arguments=False)
    rig.run()
    rig.threads.append(predictor_thread(caller))
    world = WorldModel.load(rig.bundle)
    made = PredictorPool(caller, names, model_id(world.contract), ServiceTimeouts(answer_s, answer_s, lambda: None))
    rig.until(lambda: len(made.ready()) == len(names))
    return made


def predictor_thread(node: Node):
    from jepa_planner.nodes.running import NodeThread

    return NodeThread(node, lambda: None)


@pytest.fixture
def asked(rig) -> Iterator[tuple[Context, torch.Tensor, torch.Tensor]]:
    """A context, a goal and candidates of the small model."""
    contract = WorldModel.load(rig.bundle).contract
    drawn = torch.Generator().manual_seed(0)
    shape = contract.latent.tokens, contract.latent.channels
    context = Context(
        torch.randn(1, *shape, generator=drawn), torch.randn(1, len(contract.state.channels), generator=drawn),
        torch.zeros(0, 7),
    )  # fmt: skip
    yield context, torch.randn(*shape, generator=drawn), 0.05 * torch.randn(COUNT, HORIZON, 7, generator=drawn)


def expected(rig: Rig, asked) -> np.ndarray:
    """What one predictor gives."""
    predictor(rig, "alone")
    return pool(rig, "alone").energies(*asked).numpy()


def test_three_give_the_energies_of_one_in_the_same_order(rig, asked):
    nodes = [predictor(rig, name) for name in NAMES]
    shared = pool(rig, *NAMES)
    for _ in range(3):
        energies = shared.energies(*asked)
    assert energies.numpy() == pytest.approx(expected(rig, asked), rel=1e-5)
    assert all(node._calls == 3 for node in nodes)
    assert all("candidates/s" in said for said in shared.numbers().values())


def test_shares_follow_the_speeds_and_one_that_is_too_slow_is_left_out_for_a_while(rig, monkeypatch):
    for name in NAMES:
        predictor(rig, name)
    shared = pool(rig, *NAMES)
    for each, speed in zip(shared.predictors, (3000.0, 1000.0, 10.0), strict=True):
        each.candidates_per_s, each.tried_s = speed, time.monotonic()
    shares = {part.predictor.name: len(part.share) for part in shared.shared_out(400)}
    assert shares == {"first": 300, "second": 100}
    monkeypatch.setattr(predictor_pool, "RETRY_S", 0.0)
    shares = {part.predictor.name: len(part.share) for part in shared.shared_out(400)}
    assert shares["third"] == pytest.approx(400 * LEAST_SHARE, rel=0.1) and sum(shares.values()) == 400


def test_every_candidate_is_in_one_share_however_few_there_are(rig):
    for name in NAMES:
        predictor(rig, name)
    shared = pool(rig, *NAMES)
    for count in (1, 2, 3, 7, 100):
        parts = [part.share for part in shared.shared_out(count)]
        assert [number for part in parts for number in range(part.begin, part.end)] == list(range(count))


def test_what_is_late_is_computed_by_another_and_the_late_one_is_done_without(rig, asked, monkeypatch):
    slow = predictor(rig, "first")
    predictor(rig, "second")
    truth = expected(rig, asked)
    shared = pool(rig, "first", "second")
    shared.energies(*asked)
    monkeypatch.setattr(slow.cost, "energies", slowed(slow.cost.energies, 1.5))
    began_s = time.monotonic()
    assert shared.energies(*asked).numpy() == pytest.approx(truth, rel=1e-5)
    assert time.monotonic() - began_s < 1.4
    assert shared.numbers()["first"] == "does not answer in time"
    assert [part.predictor.name for part in shared.shared_out(COUNT)] == ["second"]
    monkeypatch.undo()
    monkeypatch.setattr(predictor_pool, "RETRY_S", 0.1)
    rig.until(lambda: shared.energies(*asked) is not None and "candidates/s" in shared.numbers()["first"])


def test_a_silent_one_is_done_without_however_long_a_share_takes(rig, asked, monkeypatch):
    nodes = [predictor(rig, name) for name in ("first", "second")]
    truth = expected(rig, asked)
    shared = pool(rig, "first", "second", answer_s=3.0)
    shared.energies(*asked)
    for node, away_s in zip(nodes, (8.0, 1.5), strict=True):
        monkeypatch.setattr(node.cost, "energies", slowed(node.cost.energies, away_s))
    for each in shared.predictors:
        each.candidates_per_s = COUNT / 3.0  # a share takes half of the longest wait
    assert shared.energies(*asked).numpy() == pytest.approx(truth, rel=1e-5)
    assert shared.numbers()["first"] == "does not answer in time" and "candidates/s" in shared.numbers()["second"]


def test_nobody_waits_for_the_trial_of_a_slow_one(rig, asked, monkeypatch):
    slow, _ = (predictor(rig, name) for name in ("first", "second"))
    truth = expected(rig, asked)
    shared = pool(rig, "first", "second")
    shared.energies(*asked)
    monkeypatch.setattr(slow.cost, "energies", slowed(slow.cost.energies, 1.0))
    shared.predictors[0].candidates_per_s = 1e-3 * shared.predictors[1].candidates_per_s
    shared.predictors[0].tried_s = -np.inf
    assert [part.trial for part in shared.shared_out(COUNT)] == [True, False]
    began_s = time.monotonic()
    assert shared.energies(*asked).numpy() == pytest.approx(truth, rel=1e-5)
    assert time.monotonic() - began_s < 0.9


def slowed(energies_of, seconds: float):
    def energies(*given):
        time.sleep(seconds)
        return energies_of(*given)

    return energies


def test_one_that_fails_is_done_without_and_all_that_fail_end_the_goal_by_their_words(rig, asked):
    nodes = [predictor(rig, name) for name in ("first", "second")]
    truth = expected(rig, asked)
    shared = pool(rig, "first", "second")
    rig.thread(nodes[0]).call(nodes[0].trigger_deactivate)
    assert shared.energies(*asked).numpy() == pytest.approx(truth, rel=1e-5)
    assert shared.numbers()["first"] == "the predictor is not active"
    rig.thread(nodes[1]).call(nodes[1].trigger_deactivate)
    with pytest.raises(Ended, match=r"second/rollout: the predictor is not active|first/rollout: the") as ended:
        shared.energies(*asked)
    assert ended.value.outcome is Outcome.PREDICTOR_FAILED


def test_a_predictor_that_gives_too_few_energies_is_done_without(rig, asked):
    class Short(Node):
        def __init__(self) -> None:
            super().__init__("short", namespace=rig.namespace, use_global_arguments=False)
            self.create_service(Rollout, "~/rollout", lambda _, response: self.answer(response))

        def answer(self, response: Rollout.Response) -> Rollout.Response:
            response.success, response.energies = True, [1.0]
            return response

    rig.threads.append(predictor_thread(Short()))
    predictor(rig, "second")
    truth = expected(rig, asked)
    shared = pool(rig, "short", "second")
    assert shared.energies(*asked).numpy() == pytest.approx(truth, rel=1e-5)
    assert shared.numbers()["short"] == f"1 energies came for {COUNT // 2} candidates"


def test_none_that_answers_ends_the_goal_in_time_and_names_them(rig, asked):
    shared = PredictorPool(rig.robot, ["nobody"], "model", ServiceTimeouts(0.1, 0.1, lambda: None))
    with pytest.raises(Ended, match=r"nobody/rollout is not there after 0.1 s; start its node") as ended:
        shared.energies(*asked)
    assert ended.value.outcome is Outcome.PREDICTOR_TIMEOUT
    shared.destroy()


@pytest.mark.parametrize("names", [[""], ["first", "first"]])
def test_names_that_name_no_predictor_or_one_twice_are_refused(rig, names):
    with pytest.raises(RuntimeError, match="expected the names of predictor nodes, each once"):
        rig.run(MpcNode(**rig.options(model=rig.bundle, predictors=names)))


def test_a_goal_goes_on_when_one_of_two_predictors_is_gone(rig):
    rig.arm()
    from jepa_planner.nodes.encoder_node import EncoderNode

    gone = predictor(rig, "first")
    predictor(rig, "second")
    mpc = MpcNode(
        **rig.options(
            model=rig.bundle, predictors=["first", "second"], image_timeout_s=10 * STALE_S, plan_valid_s=5.0,
            joint_state_timeout_s=10 * STALE_S,
        )
    )  # fmt: skip
    rig.run(EncoderNode(**rig.options(model=rig.bundle)), mpc)
    rig.ready(mpc)
    handle = under_way(rig)
    rig.threads.remove(thread := rig.thread(gone))
    thread.stop()
    before = len(rig.robot.plans)
    rig.until(lambda: len(rig.robot.plans) > before + 3)
    _, numbers = mpc.health()
    assert "candidates/s" in numbers["second"]
    handle.cancel_goal_async()
    assert rig.result(handle).outcome is Outcome.CANCELLED
