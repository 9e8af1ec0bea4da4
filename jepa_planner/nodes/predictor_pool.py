"""One search over several predictors in other processes: each batch of candidates is shared out by their speed."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from rclpy.node import Node
from torch import Tensor

from jepa_planner.core.context import Context
from jepa_planner.core.observation import Observation
from jepa_planner.core.status import OK, Status
from jepa_planner.nodes.conversions import float_array
from jepa_planner.nodes.goal_executor import Ended, Outcome
from jepa_planner.nodes.latents import latent_message
from jepa_planner.nodes.remote_model import CHECK_PERIOD_S, ServiceTimeouts
from jepa_planner.srv import Rollout

LEAST_SHARE = 1 / 16
"""Of a batch; who would get less is left out: the call alone takes longer than it saves."""
RETRY_S = 5.0
"""One that was left out, or lost, gets that much after so long, to see whether it is of use by now."""
LATE_FACTOR, LATE_S, LATE_SHARE = 3.0, 0.05, 1 / 3
"""An answer is late that takes so many times as long as it should, and so much more; or that share of the longest wait.
"""
NEWS = 0.3
"""Weight of the newest speed in the average."""


@dataclass(frozen=True)
class Share:
    """Candidates of a batch: from `begin` to `end`, without that one."""

    begin: int
    end: int

    def __len__(self) -> int:
        return self.end - self.begin


class PredictorClient:
    """One predictor: how fast it is, and whether it answers."""

    def __init__(self, node: Node, name: str) -> None:
        self.name = name
        self.client = node.create_client(Rollout, f"{name}/rollout")
        self.candidates_per_s = math.nan
        """Calls included; NaN before the first answer."""
        self.tried_s = -math.inf
        self.lost = ""
        """Why nothing is sent to it; empty where something is."""

    @property
    def service(self) -> str:
        """Its name in full."""
        return str(self.client.srv_name)

    def note(self, count: int, seconds: float) -> None:
        """So many candidates took so long."""
        speed, known = count / max(seconds, 1e-6), math.isfinite(self.candidates_per_s)
        self.candidates_per_s = (1 - NEWS) * self.candidates_per_s + NEWS * speed if known else speed

    def late_after_s(self, count: int, answer_s: float) -> float:
        """How long an answer for so many candidates is waited for before others are asked; answer_s: the longest
        wait.
        """
        if math.isnan(self.candidates_per_s):
            return LATE_SHARE * answer_s
        return min(LATE_FACTOR * count / self.candidates_per_s + LATE_S, LATE_SHARE * answer_s)


@dataclass(frozen=True)
class Part:
    """A share of a batch and who computes it; trial: to see whether it is of use, and nobody waits for it."""

    predictor: PredictorClient
    share: Share
    trial: bool = False


class PredictorPool:
    """`RolloutCost` over `~/rollout` of one or more predictor nodes.

    A share that is late goes to another predictor too, and the first answer counts; who does not answer is left out,
    and tried again later. Energies come in the order of the candidates, so that it makes no difference who computed
    which.
    """

    def __init__(
        self, node: Node, names: Sequence[str], model_id: str, timeouts: ServiceTimeouts,
        said: Callable[[str], Status] = lambda _: OK,
    ) -> None:  # fmt: skip
        """names: of the nodes. said: what the node of a name says of itself."""
        self._node, self._model_id, self.timeouts, self._said = node, model_id, timeouts, said
        self.predictors = [PredictorClient(node, name) for name in names]
        self._was_there = False

    def energies(self, context: Context, goal: Tensor, actions: Tensor) -> Tensor:
        """actions [K, H, A], goal [N, D] -> energies [K]; raises Ended naming the predictors."""
        self._wait_for_one()
        batch = _Batch(self, _in_common(context, goal, self._model_id), actions.cpu().numpy())
        try:
            return torch.from_numpy(batch.run())
        finally:
            batch.forget()

    def numbers(self) -> dict[str, str]:
        """For diagnostics: how fast each that was asked is, or why nothing is sent to it."""
        asked = {each.name: each for each in self.predictors if each.lost or math.isfinite(each.candidates_per_s)}
        return {name: each.lost or f"{each.candidates_per_s:.0f} candidates/s" for name, each in asked.items()}

    def destroy(self) -> None:
        """Releases the clients."""
        for each in self.predictors:
            self._node.destroy_client(each.client)

    def ready(self) -> list[PredictorClient]:
        """Those whose service is there."""
        return [each for each in self.predictors if each.client.service_is_ready()]

    def lose(self, predictor: PredictorClient, why: str) -> None:
        """Nothing is sent to it for a while; said once, where there are others."""
        if not predictor.lost and len(self.predictors) > 1:
            self._node.get_logger().warning(f"{predictor.service} {why}: going on with the others")
        predictor.lost, predictor.tried_s = why, time.monotonic()

    def find(self, predictor: PredictorClient) -> None:
        """It answers; said where it did not before."""
        if predictor.lost and len(self.predictors) > 1:
            self._node.get_logger().info(f"{predictor.service} answers again")
        predictor.lost = ""

    def shared_out(self, count: int) -> list[Part]:
        """Who computes which of so many candidates, by their speeds."""
        now_s, ready = time.monotonic(), self.ready()
        due = [each for each in ready if now_s - each.tried_s >= RETRY_S]
        able = [each for each in ready if not each.lost or each in due] or ready
        known = [each.candidates_per_s for each in able if math.isfinite(each.candidates_per_s)]
        usual = float(np.mean(known)) if known else 1.0
        speeds = np.array([usual if math.isnan(each.candidates_per_s) else each.candidates_per_s for each in able])
        shares = speeds / speeds.sum()
        trials = [len(able) > 1 and (bool(each.lost) or shares[i] < LEAST_SHARE) for i, each in enumerate(able)]
        for number, each in enumerate(able):
            if trials[number]:
                shares[number] = LEAST_SHARE if each.lost or each in due else 0.0
        edges = [0, *np.round(np.cumsum(shares / shares.sum()) * count).astype(int)]
        given = [Share(int(begin), int(end)) for begin, end in pairwise(edges)]
        parts = [Part(*each) for each in zip(able, given, trials, strict=True)]
        return [part for part in parts if len(part.share)]

    def _wait_for_one(self) -> None:
        wait_s = self.timeouts.answer_s if self._was_there else self.timeouts.start_s
        deadline_s = time.monotonic() + wait_s
        while not self.ready():
            self.timeouts.check()
            if time.monotonic() > deadline_s:
                services = " and ".join(each.service for each in self.predictors)
                why = next(filter(None, (self._said(each.name).text for each in self.predictors)), "start its node")
                raise Ended(Outcome.PREDICTOR_TIMEOUT, f"{services} is not there after {wait_s:.1f} s; {why}")
            time.sleep(CHECK_PERIOD_S)
        self._was_there = True


@dataclass(frozen=True)
class _Sent:
    part: Part
    at_s: float

    @property
    def predictor(self) -> PredictorClient:
        return self.part.predictor

    @property
    def share(self) -> Share:
        return self.part.share


class _Batch:
    """One batch of candidates on its way."""

    def __init__(self, pool: PredictorPool, in_common: Rollout.Request, actions: np.ndarray) -> None:
        self._pool, self._in_common, self._actions = pool, in_common, actions
        self._open: dict[Any, _Sent] = {}
        self._energies: dict[Share, np.ndarray] = {}
        self._failure = ""
        self._answered = threading.Event()

    def run(self) -> np.ndarray:
        """All energies [K], float32; raises Ended."""
        parts = self._pool.shared_out(len(self._actions))
        for part in parts:
            self._send(part)
        shares = [part.share for part in parts]
        while not self._has_all(shares):
            self._answered.wait(CHECK_PERIOD_S)
            self._answered.clear()
            self._pool.timeouts.check()
        return np.concatenate([self._energies[share] for share in shares])

    def forget(self) -> None:
        """Answers that are still to come are not waited for."""
        for future, sent in self._open.items():
            sent.predictor.client.remove_pending_request(future)

    def _has_all(self, shares: Sequence[Share]) -> bool:
        """Takes answers and sends what is missing; raises Ended where no answer is to be had."""
        self._take_answers()
        if len(self._energies) == len(shares):
            return True
        self._send_again(shares)
        if time.monotonic() - max(sent.at_s for sent in self._open.values()) > self._pool.timeouts.answer_s:
            self._give_up()
        return False

    def _send(self, part: Part) -> None:
        predictor, asked = part.predictor, self._actions[part.share.begin : part.share.end]
        request = Rollout.Request(
            context=self._in_common.context, states=self._in_common.states, goal=self._in_common.goal,
            past_actions=self._in_common.past_actions, candidates=len(asked), horizon=asked.shape[1],
            actions=float_array(asked),
        )  # fmt: skip
        predictor.tried_s = time.monotonic()
        future = predictor.client.call_async(request)
        self._open[future] = _Sent(part, predictor.tried_s)
        future.add_done_callback(lambda _: self._answered.set())

    def _take_answers(self) -> None:
        for future in [future for future in self._open if future.done()]:
            sent, response = self._open.pop(future), future.result()
            if not response.success or len(response.energies) != len(sent.share):
                why = f"{len(response.energies)} energies came for {len(sent.share)} candidates"
                why = why if response.success else response.message
                self._failure = f"{sent.predictor.service}: {why}"
                self._pool.lose(sent.predictor, why)
                continue
            self._pool.find(sent.predictor)
            sent.predictor.note(len(sent.share), time.monotonic() - sent.at_s)
            self._energies.setdefault(sent.share, np.array(response.energies, dtype=np.float32))

    def _send_again(self, shares: Sequence[Share]) -> None:
        """What is late, or failed, to those who have nothing to do; raises Ended where nobody is left."""
        now_s, ready, answer_s = time.monotonic(), self._pool.ready(), self._pool.timeouts.answer_s
        for sent in self._open.values():
            late = now_s - sent.at_s > sent.predictor.late_after_s(len(sent.share), answer_s)
            if (late or sent.predictor not in ready) and any(
                each is not sent.predictor and not each.lost for each in ready
            ):
                self._pool.lose(sent.predictor, "does not answer in time")
        waited_for = [sent for sent in self._open.values() if not sent.predictor.lost and not sent.part.trial]
        in_hand = {sent.share for sent in waited_for} | set(self._energies)
        busy = [sent.predictor for sent in self._open.values()]
        free = [each for each in ready if not each.lost and each not in busy]
        for share in shares:
            if share in in_hand:
                continue
            if free:
                self._send(Part(free.pop(), share))
            elif not self._open:
                raise Ended(Outcome.PREDICTOR_FAILED, self._failure)

    def _give_up(self) -> None:
        for sent in self._open.values():
            self._pool.lose(sent.predictor, "does not answer")
        services = " and ".join(sorted({sent.predictor.service for sent in self._open.values()}))
        raise Ended(Outcome.PREDICTOR_TIMEOUT, f"{services} did not answer within {self._pool.timeouts.answer_s:.1f} s")


def _in_common(context: Context, goal: Tensor, model_id: str) -> Rollout.Request:
    """What all shares of a batch are asked with."""
    return Rollout.Request(
        context=[latent_message(Observation(latent), model_id) for latent in context.latents],
        states=float_array(context.states.cpu().numpy()),
        past_actions=float_array(context.actions.cpu().numpy()),
        goal=latent_message(Observation(goal), model_id),
    )
