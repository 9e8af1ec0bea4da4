"""A service whose answers come later, from another thread, while its node goes on with its work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node

Give = Callable[[Any], None]
"""Sends the answer to one request, from any thread; only the first one counts."""


class LateService:
    """begin: called in the node's thread with each request and with what is to be called with the answer to it.

    rclpy sends what a callback returns; one that awaits is resumed by the executors of rclpy 7 over and over until it
    can go on, which takes a core.
    """

    def __init__(self, node: Node, kind: Any, name: str, begin: Callable[[Any, Give], None]) -> None:
        self._node = node
        service: Any = node.create_service(kind, name, lambda request, _: self._begin(request, begin))
        self._send, service.send_response = service.send_response, self._take_header
        self._service = service

    def destroy(self) -> None:
        """Ends the service; who still waits gets no answer."""
        self._node.destroy_service(self._service)

    def _begin(self, request: Any, begin: Callable[[Any, Give], None]) -> _Answer:
        answer = _Answer(self._send)
        begin(request, lambda response: self._give(answer, response))
        return answer

    def _take_header(self, answer: _Answer, header: Any) -> None:
        answer.take(header=header)

    def _give(self, answer: _Answer, response: Any) -> None:
        if (executor := self._node.executor) is not None:  # else the node is going down
            executor.create_task(lambda: answer.take(response=response))
            executor.wake()


class _Answer:
    """Sent once it is known to whom, and what; both become known in the node's thread."""

    def __init__(self, send: Callable[[Any, Any], None]) -> None:
        self._send, self._response, self._header = send, None, None

    def take(self, response: Any = None, header: Any = None) -> None:
        self._response, self._header = self._response or response, self._header or header
        if self._response is not None and self._header is not None:
            self._send(self._response, self._header)
            self._send = lambda *_: None
