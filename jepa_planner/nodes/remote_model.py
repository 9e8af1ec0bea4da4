"""The encoder in another process, behind the calls that a local one answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rclpy.node import Node
from sensor_msgs.msg import Image

from jepa_planner.core.observation import Observation
from jepa_planner.core.status import OK, Status
from jepa_planner.nodes.conversions import ConversionError
from jepa_planner.nodes.goal_executor import Ended, Outcome
from jepa_planner.nodes.latents import observation_from
from jepa_planner.srv import EncodeImages

CHECK_PERIOD_S = 0.02
"""So long, at most, a search goes on that was interrupted while it waits for an answer."""


@dataclass(frozen=True)
class ServiceTimeouts:
    """How long a service is waited for, and what is asked meanwhile."""

    start_s: float
    """For a service that was never there, whose node may still be starting; more than 0."""
    answer_s: float
    """For one that was there, and for each answer; more than 0."""
    check: Callable[[], None]
    """Raises Ended where waiting is in vain."""
    said: Callable[[], Status] = lambda: OK
    """What the service's node says of itself."""


class _Service:
    """Calls a service from a thread that does not spin; the node's executor brings the answer."""

    def __init__(self, node: Node, kind, name: str, timeouts: ServiceTimeouts) -> None:
        self._node = node
        self._client = node.create_client(kind, name)
        self._timeouts = timeouts
        self._was_there = False

    def call(self, request, late: Outcome, failed: Outcome):
        """The response; raises Ended with `late` when none comes in time, with `failed` when it says so."""
        self._wait_until_ready(late)
        deadline_s = time.monotonic() + self._timeouts.answer_s
        answered = threading.Event()
        future = self._client.call_async(request)
        future.add_done_callback(lambda _: answered.set())
        while not answered.wait(CHECK_PERIOD_S):
            self._timeouts.check()
            if time.monotonic() > deadline_s:
                self._client.remove_pending_request(future)
                raise Ended(late, f"{self._client.srv_name} did not answer within {self._timeouts.answer_s:.1f} s")
        response = future.result()
        if not response.success:
            raise Ended(failed, f"{self._client.srv_name}: {response.message}")
        return response

    def destroy(self) -> None:
        """Releases the client."""
        self._node.destroy_client(self._client)

    def _wait_until_ready(self, late: Outcome) -> None:
        wait_s = self._timeouts.answer_s if self._was_there else self._timeouts.start_s
        deadline_s = time.monotonic() + wait_s
        while not self._client.service_is_ready():
            self._timeouts.check()
            if time.monotonic() > deadline_s:
                why = self._timeouts.said().text or "start its node"
                raise Ended(late, f"{self._client.srv_name} is not there after {wait_s:.1f} s; {why}")
            time.sleep(CHECK_PERIOD_S)
        self._was_there = True


class RemoteEncoder:
    """Goal pictures over the encoder's `~/encode`."""

    def __init__(self, node: Node, model_id: str, timeouts: ServiceTimeouts) -> None:
        self._service = _Service(node, EncodeImages, "encoder_node/encode", timeouts)
        self._model_id = model_id

    def encode(self, images: Sequence[Image]) -> Observation:
        """What one image per view shows; raises Ended naming the encoder."""
        request = EncodeImages.Request(views=list(images))
        response = self._service.call(request, Outcome.ENCODER_FAILED, Outcome.INVALID_GOAL)
        try:
            return observation_from(response.latent, self._model_id)
        except ConversionError as error:
            raise Ended(Outcome.ENCODER_FAILED, f"encoder_node: {error}") from error

    def destroy(self) -> None:
        """Releases the client."""
        self._service.destroy()
