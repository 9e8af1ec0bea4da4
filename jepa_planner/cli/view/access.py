"""Who may see the page and send from it: this computer, or whoever shows the token. Plain ASGI."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
TOKEN_BYTES = 24
NO_TOKEN = "this page needs the token that `jepa-planner view` printed: open the whole address, with ?token=..."
OTHER_SITE = "a page of another site asked; expected the page of `jepa-planner view` itself, at the address it printed"


def is_local(host: str) -> bool:
    """Whether only this computer reaches an address."""
    return host in LOCAL_HOSTS


def new_token() -> str:
    """One that nobody guesses."""
    return secrets.token_urlsafe(TOKEN_BYTES)


@dataclass(frozen=True)
class Gate:
    """What is demanded of every request, of websockets too. token: empty where only this computer gets here.

    A browser on this computer also visits other sites: what these send is told by its Origin, and by a Host that is
    none of this computer's names.
    """

    port: int
    token: str = ""

    @property
    def cookie(self) -> str:
        """Its name: cookies of one computer are shared by all its ports."""
        return f"jepa_planner_view_{self.port}"

    def refusal(self, headers: MutableMapping[str, str], query: str) -> str:
        """Why a request is refused; empty where it is not. headers: names in small letters."""
        host = headers.get("host", "")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return OTHER_SITE
        if not self.token:
            return "" if urlsplit(f"//{host}").hostname in LOCAL_HOSTS else OTHER_SITE
        shown = self.shown_in_address(query), self._in_cookie(headers.get("cookie", ""))
        return "" if any([self._is_token(each) for each in shown]) else NO_TOKEN

    def shown_in_address(self, query: str) -> str:
        """The token in a request's address; empty for none."""
        return parse_qs(query).get("token", [""])[0]

    def _in_cookie(self, text: str) -> str:
        try:
            found = SimpleCookie(text).get(self.cookie)
        except CookieError:
            return ""
        return "" if found is None else found.value

    def _is_token(self, shown: str) -> bool:
        return hmac.compare_digest(shown.encode(), self.token.encode())


class GatedApp:
    """An ASGI application behind a gate; a token in the address is kept by the browser as a cookie."""

    def __init__(self, app: App, gate: Gate) -> None:
        self._app, self._gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or has it answered."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        query = scope.get("query_string", b"").decode("latin-1")
        if why := self._gate.refusal(headers, query):
            await _refuse(scope["type"], why, receive, send)
        elif scope["type"] == "http" and self._gate.token and self._gate.shown_in_address(query):
            await self._app(scope, receive, self._with_cookie(send))
        else:
            await self._app(scope, receive, send)

    def _with_cookie(self, send: Send) -> Send:
        value = f"{self._gate.cookie}={self._gate.token}; HttpOnly; SameSite=Strict; Path=/"

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), (b"set-cookie", value.encode())]}
            await send(message)

        return sending


async def _refuse(kind: str, why: str, receive: Receive, send: Send) -> None:
    if kind == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": "no token"})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": f"{why}\n".encode()})
